"""One cell of benchmarks/finetune_nano.py: the rows of a mix, one training run on them, its validation losses by step."""

import dataclasses
import math
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from finetune.examples import Example
from finetune.masking import IGNORE, Encoded, encode_example
from finetune.model import Compute
from medqa.paths import PROJECT

Mix = Literal["closed_book", "grounded", "mixed"]
EVALUATIONS = 4
"""Evaluations of a run, at equal distances, after the one before its first step."""
SPEED_PART = 5
"""A run for its speed alone has one part in so many of the tokens."""
_MARKER = re.compile(r"\s*\[\d+\]")


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs between cells of one seed."""

    mix: Mix
    batching: Literal["padded", "dynamic", "packed"]
    sampling: Literal["random", "length", "short_first", "easy_first"]
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One training run."""

    name: str
    variant: Variant
    seed: int
    speed: bool = False
    """A short run that is evaluated on hardly anything."""

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"speed/{self.name}" if self.speed else f"{self.name}/{self.seed}"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for all cells."""

    examples: Path
    work: Path
    model: Path
    device: str
    supervised: int
    """Tokens with loss in each cell."""
    batch: int
    max_length: int
    validation: int
    """Validation examples at most."""
    warmup: int


def as_closed_book(example: Example) -> Example:
    """A grounded example's question asked without sources: the same sentences, no markers."""
    answer = _MARKER.sub("", example.answer)
    return Example(example.id, example.question, None, answer, "closed_book", example.split)


def of_mix(examples: Sequence[Example], mix: Mix) -> list[Example]:
    """``examples`` (a mixed set) as ``mix``: all; those with sources; or those with an answer, without sources.

    So the pure mixes have as many different rows to draw from as the mixed one has.
    """
    if mix == "mixed":
        return list(examples)
    if mix == "grounded":
        return [e for e in examples if e.kind != "closed_book"]
    return [as_closed_book(e) if e.kind == "grounded" else e for e in examples if e.kind != "refusal"]


def supervised(row: Encoded) -> int:
    """Tokens of ``row`` that carry loss."""
    return sum(label != IGNORE for label in row.labels)


def draw_rows(tokenizer: Any, examples: Sequence[Example], seed: int, tokens: int, max_length: int) -> list[Encoded]:
    """Rows in an order drawn with ``seed`` until they hold ``tokens`` tokens with loss.

    Raises:
        ValueError: there are not that many.
    """
    order = list(examples)
    random.Random(f"{seed}:rows").shuffle(order)
    rows, total = list[Encoded](), 0
    for example in order:
        row = encode_example(tokenizer, example, max_length)
        if row is None:
            continue
        rows.append(row)
        total += supervised(row)
        if total >= tokens:
            return rows
    raise ValueError(f"wanted {tokens} tokens with loss, found {total} in {len(order)} examples; lower --supervised")


@lru_cache(maxsize=1)
def _examples(path: Path) -> list[Example]:
    from finetune.jsonl import read_examples

    return read_examples(path)


def set_loss(model: Any, rows: Sequence[Encoded], pad_id: int, batch: int, compute: Compute) -> float:
    """Loss of ``rows`` in nats per supervised token, as the trainer's own evaluation has it."""
    import torch

    from finetune.attention import plain_attention
    from finetune.collate import Collator, Rows
    from finetune.loss import summed_loss

    data = Rows(sorted(rows, key=lambda r: len(r.input_ids)))  # least padding
    collate, total = Collator(pad_id), 0.0
    amp = torch.autocast(compute.device, torch.bfloat16, enabled=compute.dtype == "bfloat16")
    was_training = model.training
    model.eval()
    with torch.no_grad(), plain_attention(model), amp:
        for start in range(0, len(data), batch):
            items = [data[i] for i in range(start, min(start + batch, len(data)))]
            inputs: dict[str, Any] = collate(items)
            moved = {k: v.to(compute.device) for k, v in inputs.items() if k != "tokens"}
            labels = moved.pop("labels")
            logits = model(**moved, use_cache=False).logits
            total += float(summed_loss(logits, labels, moved["logits_to_keep"]))
    model.train(was_training)
    return total / sum(supervised(row) for row in rows)


def set_losses(sets: dict[str, list[Encoded]], pad_id: int, batch: int, compute: Compute) -> Any:
    """A callback that measures each of ``sets`` whenever the trainer evaluates; its ``found`` is step -> name -> loss."""
    from transformers import TrainerCallback

    class SetLosses(TrainerCallback):
        def __init__(self) -> None:
            self.found = dict[int, dict[str, float]]()

        def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.found[state.global_step] = {
                name: set_loss(model, rows, pad_id, batch, compute) for name, rows in sets.items()
            }

    return SetLosses()


def make_plan(setup: Setup, cell: Cell, fs: Any, rows: Sequence[Encoded]) -> tuple[Any, int]:
    """The recipe's plan with what the cell changes, and its number of optimiser steps.

    A pack is as long as a batch of rows is on average: both make about as many steps of as many tokens.
    """
    from finetune.command import train_plan
    from finetune.packing import plan_packs
    from finetune.sampling import epoch_order

    lengths = [len(row.input_ids) for row in rows]
    packed = cell.variant.batching == "packed"
    pack_length = max(setup.max_length, 64 * round(setup.batch * sum(lengths) / len(lengths) / 64))
    steps = math.ceil(len(rows) / setup.batch)
    if packed:
        order = epoch_order(lengths, 1, cell.seed, 0, cell.variant.sampling)
        steps = len(plan_packs(lengths, order, pack_length))
    plan = dataclasses.replace(
        train_plan(fs, cell.seed),
        epochs=1,
        max_steps=-1,
        warmup_steps=setup.warmup,
        batch_size=1 if packed else setup.batch,
        batching=cell.variant.batching,
        sampling=cell.variant.sampling,
        compile=cell.variant.compiled,
        max_length=setup.max_length,
        pack_length=pack_length,
        eval_steps=steps if cell.speed else math.ceil(steps / EVALUATIONS),
        kept_checkpoints=1,
        report_to="none",
    )
    return plan, steps


def run_cell(setup: Setup, cell: Cell) -> dict[str, Any]:
    """Train by the cell and return its figures; what the training says on the way is kept back, as cells run side by side."""
    from transformers import set_seed

    from finetune.lora import add_lora
    from finetune.model import choose_compute, load_base
    from finetune.train import train
    from medqa.base_model import load_tokenizer
    from medqa.environment import prepare
    from medqa.settings import load_settings

    prepare(offline=True)
    fs = load_settings(PROJECT / "configs/nano-medquad.yaml").finetune
    tokenizer = load_tokenizer(setup.model)
    examples = _examples(setup.examples)
    tokens = setup.supervised // SPEED_PART if cell.speed else setup.supervised
    mix = of_mix([e for e in examples if e.split == "train"], cell.variant.mix)
    rows = draw_rows(tokenizer, mix, cell.seed, tokens, setup.max_length)
    asked = [e for e in examples if e.split == "validation"][: setup.batch if cell.speed else setup.validation]
    sets: dict[Mix, list[Encoded]] = {}
    for name in ("mixed", "closed_book", "grounded"):
        encoded = [encode_example(tokenizer, e, setup.max_length) for e in of_mix(asked, name)]
        sets[name] = [row for row in encoded if row is not None]
    plan, steps = make_plan(setup, cell, fs, rows)
    compute = choose_compute(setup.device)
    set_seed(cell.seed)
    pad_id = tokenizer.pad_token_id
    pure: dict[str, list[Encoded]] = {} if cell.speed else {k: v for k, v in sets.items() if k != "mixed"}
    losses = set_losses(pure, pad_id, 2 * setup.batch, compute)
    folder = Path(tempfile.mkdtemp(dir=setup.work))
    try:
        with redirect_stderr(StringIO()):
            base = load_base(setup.model, "none", compute)
            model, _ = add_lora(base, fs.targets, fs.r, fs.alpha, fs.dropout)
            outcome = train(model, rows, sets["mixed"], pad_id, plan, compute, folder, "0" * 64, [losses])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    mixed = {e["step"]: e["eval_loss"] for e in outcome.state["log_history"] if "eval_loss" in e}
    return {
        "rows": len(rows),
        "tokens": sum(len(row.input_ids) for row in rows),
        "supervised": sum(supervised(row) for row in rows),
        "steps": outcome.step,
        "expected_steps": steps,
        "validation_rows": {name: len(found) for name, found in sets.items()},
        "train_s": outcome.seconds,
        "first_step_s": outcome.first_step_seconds,
        "tokens_per_s": outcome.tokens_per_second,
        "best_step": outcome.best_step,
        "evals": [{"step": step, "mixed": loss, **losses.found.get(step, {})} for step, loss in sorted(mixed.items())],
    }
