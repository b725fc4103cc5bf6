"""Listwise training of the cross-encoder: one passage of the answer among the retriever's own mistakes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune.augment import Mix
from finetune.mining import mine, own_passages
from finetune.reranker_model import TrainableReranker
from finetune.retriever_data import TrainData, draw_header
from finetune.retriever_train import POSITIVES

if TYPE_CHECKING:
    import numpy as np

DEPTH = 30
"""The retriever's best wrong passages per question and kind that lists are drawn from: as many as are reranked in use."""


@dataclass(frozen=True, slots=True)
class ListwisePlan:
    """How to train; the meanings are those of ``medqa.settings.RerankerSettings``."""

    epochs: int
    batch: int
    chunk: int
    negatives: int
    learning_rate: float
    mix: Mix
    headed_only: bool
    seed: int


def train_reranker_model(
    model: TrainableReranker,
    data: TrainData,
    embed: Callable[[Sequence[str]], Any],
    plan: ListwisePlan,
    say: Callable[[str], None],
) -> list[dict[str, float]]:
    """Train; every epoch asks in fresh forms and lets the retriever make its mistakes on those.

    Args:
        model: changed in place.
        data: train pairs and passages.
        embed: the retriever: texts -> (n, dim) unit vectors, torch.
        plan: see there.
        say: takes a line of progress.

    Returns:
        Loss by step: ``{"step", "loss"}``.
    """
    import torch
    from tqdm import tqdm

    parameters = model.parameters()
    steps = max(1, len(data.pairs) // plan.batch)
    total = plan.epochs * steps
    optimiser = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=total, pct_start=0.1, cycle_momentum=False
    )
    rng = random.Random(f"{plan.seed}:reranker")
    vectors = embed([data.shown(i, "topic") for i in range(len(data.passages))])
    history: list[dict[str, float]] = []
    bar = tqdm(total=total, desc="reranker", unit="step", disable=None)
    for _ in range(plan.epochs):
        forms = [data.form(i, rng, plan.mix) for i in range(len(data.pairs))]
        own, wrong = _candidates(data, embed(forms), vectors)
        order = list(range(len(data.pairs)))
        rng.shuffle(order)
        model.model.train()
        for start in range(0, steps * plan.batch, plan.batch):
            rows = order[start : start + plan.batch]
            header = draw_header(rng, plan.headed_only)
            lists = [_draw_list(own[r], wrong[r], plan.negatives, rng) for r in rows]
            shown = [[data.shown(p, header) for p in passages] for passages in lists]
            loss = _step(model, [forms[r] for r in rows], shown, plan.chunk)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)  # customary
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            history.append({"step": len(history) + 1, "loss": loss})
            bar.update(1)
            if len(history) % max(1, total // 20) == 0:
                say(f"step {len(history)}/{total}: loss {loss:.3f}")
    bar.close()
    return history


def _candidates(data: TrainData, queries: Any, vectors: Any) -> tuple[list[list[int]], "np.ndarray"]:
    similarity = (queries[data.owner.tolist()] * vectors).sum(1).cpu().numpy()
    own = own_passages(data.owner.tolist(), len(data.pairs), similarity, data.usable.tolist(), POSITIVES)
    return own, mine(queries, vectors, data.owner, data.labels, data.topics, data.usable, own, DEPTH)


def _draw_list(own: Sequence[int], wrong: "np.ndarray", negatives: int, rng: random.Random) -> list[int]:
    """A passage of the answer (the nearest most often), then at most ``negatives`` wrong ones, half of them on the topic."""
    positive = own[min(int(rng.expovariate(1.0)), len(own) - 1)]
    same, other = ([int(r) for r in kind if r >= 0] for kind in wrong)
    near = rng.sample(same, min(len(same), negatives // 2))
    return [positive, *near, *rng.sample(other, min(len(other), negatives - len(near)))]


def _step(model: TrainableReranker, questions: Sequence[str], lists: Sequence[Sequence[str]], chunk: int) -> float:
    """Gradients of the mean listwise loss (softmax over each list: Cao et al. 2007, ListNet, top one), ``chunk`` at a time."""
    import torch

    total = 0.0
    for start in range(0, len(questions), chunk):
        some = lists[start : start + chunk]
        asked = [q for q, texts in zip(questions[start : start + chunk], some, strict=True) for _ in texts]
        scores = model.forward(model.tokenise(asked, [t for texts in some for t in texts]))
        table = torch.nn.utils.rnn.pad_sequence(
            list(scores.split([len(texts) for texts in some])), batch_first=True, padding_value=-torch.inf
        )
        target = torch.zeros(len(some), dtype=torch.long, device=table.device)
        loss = torch.nn.functional.cross_entropy(table, target, reduction="sum") / len(questions)
        loss.backward()
        total += float(loss.detach())
    return total
