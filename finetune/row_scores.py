"""How well a model predicts each row: the loss over its supervised tokens and the token it would have chosen at each.

Row by row, without padding, so that a row's score depends on that row alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.masking import IGNORE, Encoded


@dataclass(frozen=True, slots=True)
class RowScore:
    """One row under one model."""

    loss: float
    """Sum over the supervised tokens, in nats."""
    tokens: int
    """Supervised tokens."""
    greedy: tuple[int, ...]
    """The most likely token at each supervised position, given the true tokens before it."""


def score_rows(model: Any, rows: Sequence[Encoded], what: str) -> list[RowScore]:
    """Scores of ``rows`` under ``model``, in their order; ``what`` names the bar that people see."""
    import torch
    from tqdm import tqdm

    device = model.get_input_embeddings().weight.device
    was_training = model.training
    model.eval()
    scores = []
    for row in tqdm(rows, desc=what, unit="row", disable=None, leave=False):
        places = [i for i, label in enumerate(row.labels) if label != IGNORE]
        targets = torch.tensor([row.labels[i] for i in places], device=device)
        with torch.inference_mode():
            logits = model(
                input_ids=torch.tensor([row.input_ids], device=device),
                use_cache=False,
                logits_to_keep=torch.tensor(places, device=device) - 1,  # the token before predicts the one here
            ).logits[0]  # (supervised, vocabulary)
            loss = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
        scores.append(RowScore(float(loss), len(places), tuple(logits.argmax(-1).tolist())))
    model.train(was_training)
    return scores


def mean_loss(scores: Sequence[RowScore]) -> float:
    """Nats per supervised token over all rows: longer answers count for more."""
    return sum(s.loss for s in scores) / sum(s.tokens for s in scores)
