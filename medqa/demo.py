"""The main job on the embedded sample, in order: ``python -m medqa.demo`` (or ``make demo``).

Every step is an ordinary command, printed before it runs; all run in this one process, so that torch is imported once. A
second run reuses what is unchanged.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from medqa.cli import main as medqa
from medqa.manifest import MANIFEST
from medqa.paths import PROJECT
from medqa.settings import Settings, load_settings

SAMPLE = ("data/sample/health.csv", "data/sample/dirty.csv")


def steps(config: str, extra: Sequence[str], settings: Settings) -> list[tuple[str, list[str], Path]]:
    """(title, arguments of ``medqa``, file that exists when it is finished) of every step; ``extra`` goes behind each."""
    end = ["--config", config, "--offline", *extra]
    return [
        ("clean and split the sample corpus", ["ingest", *SAMPLE, *end], Path(settings.corpus) / MANIFEST),
        ("build the search index", ["index", "build", *end], Path(settings.index) / "CURRENT"),
        (
            "fine-tune the embedded model (LoRA)",
            ["finetune", "generator", *end],
            Path(settings.finetune.out) / MANIFEST,
        ),
        ("answer the test questions with every variant", ["eval", "run", *end], Path(settings.eval.out) / MANIFEST),
    ]


def run(config: str, extra: Sequence[str] = ()) -> int:
    """All steps; stops at the first that fails and returns its exit code."""
    begun = time.perf_counter()
    overrides = [value for flag, value in pairwise(extra) if flag == "--set"]
    settings = load_settings(Path(config), overrides)
    todo = steps(config, extra, settings)
    for number, (title, arguments, finished) in enumerate(todo, start=1):
        print(f"\n[{number}/{len(todo)}] {title}\n$ medqa {' '.join(arguments)}", flush=True)
        started = time.perf_counter()
        code = medqa(arguments)
        if code:
            return code
        if not finished.is_file():  # training that was told to stop has saved its state and exits 0
            print("\nStopped; the same command goes on from here.")
            return 130
        print(f"    {time.perf_counter() - started:.1f} s", flush=True)
    print(where(settings))
    print(f"\nAll of it took {time.perf_counter() - begun:.0f} s. Next: make chat")
    return 0


def where(settings: Settings) -> str:
    """Where the artefacts lie."""
    rows = {
        "cleaned corpus": f"{settings.corpus} (read report.md, dropped.csv)",
        "search index": settings.index,
        "adapter": f"{settings.finetune.out} (a plain PEFT folder)",
        "evaluation": f"{settings.eval.out} (open report.html; report.md, predictions.jsonl, metrics.json)",
    }
    return "\nWhere everything lies:\n" + "\n".join(f"  {name:<15} {path}" for name, path in rows.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the demo.")
    parser.add_argument("--config", default=str(PROJECT / "configs" / "nano-cpu.yaml"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    sys.exit(run(chosen.config, [part for value in chosen.set for part in ("--set", value)]))
