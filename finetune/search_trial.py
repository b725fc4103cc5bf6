"""One trial of a search: the recipe with the chosen settings, on the same rows and as many tokens as all others."""

import gc
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune.arguments import TrainPlan
from finetune.attention import plain_attention
from finetune.lora import add_lora
from finetune.masking import IGNORE, Encoded
from finetune.model import Compute
from finetune.row_scores import RowScore, score_rows
from finetune.search_space import Choice
from finetune.train import train
from medqa.manifest import recipe_key


@dataclass(frozen=True, slots=True)
class Budget:
    """What every trial trains on."""

    rows: tuple[Encoded, ...]
    epochs: float
    supervised: int
    """Tokens with loss that a trial sees; the same for all by construction, as they all see ``rows`` ``epochs`` times."""


@dataclass(frozen=True, slots=True)
class Bench:
    """All that trials have in common."""

    load_base: Callable[[], Any]
    """Loads a fresh base model: a trial may have compiled or patched the one before."""
    budget: Budget
    eval_rows: tuple[Encoded, ...]
    pad_id: int
    plan: TrainPlan
    compute: Compute
    folder: Path
    """Where checkpoints of the running trial lie."""


def make_budget(rows: Sequence[Encoded], supervised_tokens: int, seed: int) -> Budget:
    """As many of ``rows``, in an order drawn with ``seed``, as it takes to reach ``supervised_tokens``, once; or all of
    them as often as it takes (the last time in part)."""
    counts = [sum(label != IGNORE for label in row.labels) for row in rows]
    total = sum(counts)
    if supervised_tokens >= total:
        return Budget(tuple(rows), supervised_tokens / total, supervised_tokens)
    order = list(range(len(rows)))
    random.Random(f"{seed}:budget").shuffle(order)
    taken: list[int] = []
    seen = 0
    for i in order:
        if seen >= supervised_tokens:
            break
        taken.append(i)
        seen += counts[i]
    return Budget(tuple(rows[i] for i in sorted(taken)), 1.0, seen)


def run_trial(bench: Bench, choice: Choice, seed: int, callbacks: Sequence[Any]) -> tuple[list[RowScore] | None, bool]:
    """(scores of the validation rows with the best weights of a run, whether to stop after it); no scores if a signal
    interrupted it.

    An interrupted run goes on from its checkpoint when the same choice and seed come again.
    """
    from transformers import set_seed

    set_seed(seed)
    model, _ = add_lora(bench.load_base(), choice.targets, choice.r, choice.alpha, choice.dropout)
    plan = replace(
        bench.plan,
        learning_rate=choice.learning_rate,
        epochs=bench.budget.epochs,
        max_steps=-1,
        seed=seed,
        report_to="none",
        best_by="loss",
        patience=0,  # to stop early would make the budgets unequal
    )
    key = recipe_key("trial", {}, {**choice.as_dict(), "seed": seed})
    checkpoints = bench.folder / key[:12]
    outcome = train(
        model, bench.budget.rows, bench.eval_rows, bench.pad_id, plan, bench.compute, checkpoints, key, callbacks
    )
    scores = None
    if not outcome.interrupted:
        with plain_attention(model):
            scores = score_rows(model, bench.eval_rows, "validation rows")
        shutil.rmtree(checkpoints, ignore_errors=True)
    del model
    gc.collect()  # the trainer and its model refer to each other
    _release(bench.compute)
    return scores, outcome.signalled


def _release(compute: Compute) -> None:
    if compute.device == "cuda":
        import torch

        torch.cuda.empty_cache()
