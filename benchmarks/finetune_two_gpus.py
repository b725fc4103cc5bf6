"""QLoRA on two GPUs against one, in one run: DDP and FSDP, Phi-3-mini's true shape.

    python benchmarks/finetune_two_gpus.py            two CUDA GPUs, no network, eight to ten minutes
    python benchmarks/finetune_two_gpus.py --tiny     the same steps on the CPU in a tiny shape: does it run?

The 3.8B parameters are random and so are the words: speed and memory mean something, losses only that all variants start
from the same one. Answer lengths are log-normal with MedQuAD's median (138 words) and 90th percentile (380). Each variant is
the command line that a person would type, by ``configs/phi3-mini-fsdp.yaml`` (rows padded to the longest of their batch) or
``configs/phi3-mini-qlora.yaml`` (packs of one length, compiled layers): the work per GPU is the same, so that two GPUs do
twice the work per step, and the first step, which compiles and warms up, is not in the speeds. Prints a table and, last,
one JSON line; a variant that fails is null, with its reason. ``--set finetune.x=y`` changes the recipe of all variants.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.phi3_mini_shape import NANO, SHAPE
from medqa.environment import prepare
from medqa.paths import PROJECT

TINY = SHAPE | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
                "num_key_value_heads": 4}  # fmt: skip
MEDIAN_WORDS, P90_WORDS = 138, 380
SPREAD = (
    math.log(P90_WORDS / MEDIAN_WORDS) / 1.2816
)  # of the normal behind the log-normal; 1.2816 is its 90th percentile
VALIDATION = 16
ROW_TOKENS = 240
"""Fewer than a row has in the mean, question and markers included: so many are made that there are enough for the packs."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A recipe on some GPUs."""

    processes: int
    config: str
    sharding: str = "none"


PADDED, PACKED = "phi3-mini-fsdp", "phi3-mini-qlora"
VARIANTS = {
    "one GPU": Variant(1, PADDED),
    "DDP": Variant(2, PADDED),
    "FSDP": Variant(2, PADDED, "fsdp"),
    "one GPU, packs": Variant(1, PACKED),
    "DDP, packs": Variant(2, PACKED),
}
LIMIT_S = 260
"""Seconds for one variant, of which loading, compiling and saving are the greater part: one that hangs ends."""
FIGURES = ("tokens_per_second", "steps", "train_seconds", "first_step_seconds", "base_eval_loss", "best_eval_loss")


def write_rows(path: Path, count: int, shortest: float) -> None:
    """``count`` closed-book training examples of made-up words, and some of validation, as JSONL."""
    from finetune.examples import Example
    from finetune.jsonl import write_examples

    rng = random.Random(0)
    words = [w for w in (NANO / "README.md").read_text(encoding="utf-8").split() if w.isalpha()]
    examples = []
    for n in range(count + VALIDATION):
        length = max(5, int(shortest * rng.lognormvariate(math.log(MEDIAN_WORDS), SPREAD)))
        answer = " ".join(rng.choice(words) for _ in range(length)) + "."
        question = "What is " + " ".join(rng.choice(words) for _ in range(6)) + "?"
        examples.append(
            Example(f"p{n:05}", question, None, answer, "closed_book", "train" if n < count else "validation")
        )
    write_examples(path, examples)


def save_random_model(folder: Path, shape: dict[str, int], device: str) -> None:
    """Random bf16 weights of ``shape`` with the embedded model's tokenizer, whose ids fit."""
    import torch
    from transformers import AutoTokenizer, Phi3Config, Phi3ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(NANO)
    ids = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Phi3ForCausalLM(Phi3Config(**shape, **ids, tie_word_embeddings=False))
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder, max_shard_size="2GB")
    tokenizer.save_pretrained(folder)


def run_variant(name: str, variant: Variant, sets: dict[str, Any]) -> dict[str, Any]:
    """One training run in processes of its own; its figures, or None with the reason."""
    launch = [sys.executable, "-m"]
    if variant.processes > 1:
        launch += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(variant.processes), "-m"]
    config = PROJECT / f"configs/{variant.config}.yaml"
    arguments = ["medqa.cli", "finetune", "generator", "--json", "--config", str(config)]
    arguments += ["--set", f"finetune.sharding={variant.sharding}"]
    arguments += [part for key, value in sets.items() for part in ("--set", f"{key}={value}")]
    environment = os.environ | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    environment.setdefault("OMP_NUM_THREADS", "4")
    began = time.perf_counter()
    with peak_memory() as peaks:
        try:
            done = subprocess.run(
                [*launch, *arguments], capture_output=True, text=True, timeout=LIMIT_S, cwd=PROJECT, env=environment
            )
            reason = None if done.returncode == 0 else _reason(done.stderr)
        except subprocess.TimeoutExpired as error:
            reason = f"not done after {LIMIT_S} s: {_reason((error.stderr or b'').decode(errors='replace'))}"
    figures: dict[str, Any] = {
        "variant": name,
        "recipe": variant.config,
        "gpus": variant.processes,
        "reason": reason,
        "wall_s": time.perf_counter() - began,
    }
    if reason is None:
        summary = json.loads(done.stdout)
        figures |= {k: summary[k] for k in FIGURES}
        figures["tokens_per_second"] = without_first_step(**{k: summary[k] for k in FIGURES[:4]})
    else:
        figures |= dict.fromkeys(FIGURES)
        print(f"{name} failed: {reason}", file=sys.stderr, flush=True)
    return figures | {"peak_gib": [round(p / 1024, 2) for p in peaks] or None}


def without_first_step(tokens_per_second: float, steps: int, train_seconds: float, first_step_seconds: float) -> float:
    """Tokens a second of all steps but the first, which are taken to hold as many tokens each."""
    return tokens_per_second * train_seconds * (steps - 1) / steps / (train_seconds - first_step_seconds)


class peak_memory:  # in lower case, as it reads in a with statement
    """The most memory in use on each GPU inside the block, in MiB, as the driver counts it; empty without GPUs."""

    def __enter__(self) -> list[int]:
        self._peaks: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self._peaks

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        if shutil.which(query[0]) is None:
            return
        while not self._done.wait(0.5):
            used = [int(line) for line in subprocess.run(query, capture_output=True, text=True).stdout.split()]
            self._peaks[:] = [max(pair) for pair in zip(used, self._peaks or used, strict=True)]


def _reason(stderr: str) -> str:
    """The line that says what went wrong: ours, else the last error of Python's."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("medqa: ")]
    errors = [line for line in lines if "Error" in line and "ChildFailedError" not in line and "error_file" not in line]
    return (ours or errors[-1:] or lines[-1:] or ["no output"])[-1][:300]


def table(results: list[dict[str, Any]]) -> str:
    """Markdown; ratios against one GPU with the same recipe."""
    alone = {r["recipe"]: r["tokens_per_second"] for r in results if r["gpus"] == 1}
    lines = [
        "| variant | GPUs | real tokens/s | against one | first step | peak GiB per GPU | loss before |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        speed, base = r["tokens_per_second"], alone.get(r["recipe"])
        ratio = f"{speed / base:.2f}" if speed and base else "–"
        memory = "–" if r["peak_gib"] is None else ", ".join(f"{p:.1f}" for p in r["peak_gib"])
        shown = f"{speed:,.0f}" if speed else f"– ({r['reason']})"
        loss = "–" if r["base_eval_loss"] is None else f"{r['base_eval_loss']:.4f}"
        first = "–" if r["first_step_seconds"] is None else f"{r['first_step_seconds']:.1f} s"
        lines.append(f"| {r['variant']} | {r['gpus']} | {shown} | {ratio} | {first} | {memory} | {loss} |")
    return "\n".join(lines)


def main() -> None:
    """Make the model, run the variants, print."""
    parser = argparse.ArgumentParser(description="QLoRA on two GPUs against one.")
    parser.add_argument("--steps", type=int, default=30, help="optimiser steps per variant")
    parser.add_argument(
        "--variants",
        default=list(VARIANTS),
        type=lambda text: text.split(";"),
        metavar="A;B",
        help=f"of {list(VARIANTS)}",
    )
    parser.add_argument("--tiny", action="store_true", help="a smoke run on the CPU")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all variants; repeatable")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.variants) - set(VARIANTS)):
        parser.error(f"wanted --variants of {'; '.join(VARIANTS)}, found {'; '.join(unknown)}")
    prepare(offline=True)
    work = Path(tempfile.mkdtemp(prefix="two-gpus-"))
    try:
        device = "cpu" if chosen.tiny else "cuda"
        began = time.perf_counter()
        # In a process of its own, whose GPU memory is gone when it ends.
        maker = multiprocessing.get_context("spawn").Process(
            target=save_random_model, args=(work / "base", TINY if chosen.tiny else SHAPE, device)
        )
        maker.start()
        maker.join()
        if maker.exitcode:
            raise SystemExit(f"the random model could not be made (exit code {maker.exitcode})")
        made = round(time.perf_counter() - began, 1)
        per_gpu = 2 if chosen.tiny else 8
        pack = 256 if chosen.tiny else 8192
        shortest = 0.2 if chosen.tiny else 1.0
        write_rows(work / "padded.jsonl", chosen.steps * per_gpu * 2, shortest)
        write_rows(work / "packed.jsonl", int(chosen.steps * 2 * pack / (ROW_TOKENS * shortest)), shortest)
        common = {
            "offline": True, "corpus": work / "none", "generator.model": work / "base", "generator.device": device,
            "finetune.max_steps": chosen.steps,
            "finetune.eval_steps": chosen.steps, "finetune.eval_examples": VALIDATION, "finetune.warmup_steps": 2,
            "finetune.report_to": "none",
            **({"generator.quantize": "none"} if chosen.tiny else {}),
            **dict(text.split("=", 1) for text in chosen.set),
        }  # fmt: skip
        by_recipe: dict[str, dict[str, Any]] = {
            PADDED: {"finetune.examples": work / "padded.jsonl", "finetune.batch_size": per_gpu},
            PACKED: {"finetune.examples": work / "packed.jsonl", "finetune.pack_length": pack}
            | ({"finetune.max_length": pack, "finetune.compile": False} if chosen.tiny else {}),
        }
        results = []
        for name in chosen.variants:
            variant = VARIANTS[name]
            sets = common | by_recipe[variant.config]
            sets |= {"finetune.out": work / f"adapter-{re.sub('[^A-Za-z]+', '-', name)}"}
            results.append(run_variant(name, variant, sets))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(table(results))
    print(json.dumps({"device": _device(chosen.tiny), "make_random_model_s": made, "variants": results}))


def _device(tiny: bool) -> str:
    if tiny:
        return "cpu"
    import torch

    return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}, torch {torch.__version__}"


if __name__ == "__main__":
    main()
