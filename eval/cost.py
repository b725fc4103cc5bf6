"""What an answer costs: seconds, tokens, memory, and how long a system takes to load."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RESET_PEAK = "5"  # proc(5): written to clear_refs, it resets the peak resident set size (VmHWM); Linux 4.0 and newer


@dataclass
class Peak:
    """Filled in when the block of :func:`measure_peak` ends; None where this machine cannot tell."""

    process_mb: float | None = None
    """Largest resident memory of the process, everything loaded included."""
    gpu_mb: float | None = None
    """Largest memory that torch held on the first GPU."""


@contextmanager
def measure_peak() -> Iterator[Peak]:
    """Peak memory while the block runs."""
    peak = Peak()
    can_reset = _reset_process_peak()
    gpu = _gpu()
    if gpu is not None:
        gpu.reset_peak_memory_stats()
    yield peak
    peak.process_mb = _process_peak_mb() if can_reset else None
    if gpu is not None:
        peak.gpu_mb = round(gpu.max_memory_allocated() / 2**20, 1)


def cost(rows: Sequence[Mapping[str, Any]], measured: Mapping[str, Any]) -> dict[str, Any]:
    """Cost of one cell.

    Args:
        rows: its answers.
        measured: ``load_seconds`` by part, ``process_mb``, ``gpu_mb``: None or missing where they were not measured.

    ``seconds_per_answer`` is the mean over all questions, refusals included; a batch's time is shared equally by its questions.
    ``new_tokens_per_second`` counts the time in the language model alone; null where none was called.
    """
    seconds = [sum(row["timings_ms"].values()) / 1000 for row in rows]
    tokens = [row["tokens"] for row in rows]
    new, generating = sum(t["new"] for t in tokens), sum(row["timings_ms"].get("generate", 0.0) for row in rows) / 1000
    called = sum(t["prompt"] > 0 for t in tokens)
    return {
        "seconds_per_answer": sum(seconds) / len(rows),
        "seconds_by_stage": _stages(rows),
        "model_calls": called,
        "prompt_tokens_per_call": sum(t["prompt"] for t in tokens) / called if called else None,
        "new_tokens_per_call": new / called if called else None,
        "new_tokens_per_second": new / generating if called and generating else None,
        "truncated": sum(bool(t["truncated"]) for t in tokens),
        "load_seconds": measured.get("load_seconds") or None,
        "peak_process_mb": measured.get("process_mb"),
        "peak_gpu_mb": measured.get("gpu_mb"),
        "reasons": _reasons(called, measured),
    }


def _stages(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    stages = dict.fromkeys(stage for row in rows for stage in row["timings_ms"])
    return {s: sum(row["timings_ms"].get(s, 0.0) for row in rows) / len(rows) / 1000 for s in stages}


def _reasons(called: int, measured: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if not called:
        found["tokens"] = "no language model was called"
    if measured.get("process_mb") is None:
        found["peak_process_mb"] = "this system cannot reset the peak of a process"
    if measured.get("gpu_mb") is None:
        found["peak_gpu_mb"] = "no GPU"
    return found


def _reset_process_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:  # not Linux, or a container that forbids it
        return False
    return True


def _process_peak_mb() -> float | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return None


def _gpu() -> Any:
    import torch

    return torch.cuda if torch.cuda.is_available() else None
