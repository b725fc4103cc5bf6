"""chrF (Popović, WMT 2015): agreement of character n-grams, from what each answer adds to its counts."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ORDERS = 6
BETA = 2
"""Recall counts twice as much as precision: the default of the paper's successor (chrF2) and of sacrebleu."""


def chrf_statistics(answers: Sequence[str], references: Sequence[str]) -> "np.ndarray":
    """(n, 18) float64: n-grams of the answer, of the reference, and shared, for each order 1 to 6; white space left out.

    As in sacrebleu, an answer's n-grams of an order that its reference is too short for are not counted.
    """
    import numpy as np

    rows = [_row("".join(a.split()), "".join(r.split())) for a, r in zip(answers, references, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3 * ORDERS)


def chrf_of(sums: "np.ndarray") -> "np.ndarray":
    """chrF in [0, 1] of summed statistics (..., 18).

    Precision and recall are averaged over the orders for which both sides have n-grams (sacrebleu's effective order), then
    F = (1 + beta^2) P R / (beta^2 P + R); 0 where nothing is shared.
    """
    import numpy as np

    sums = np.asarray(sums, dtype=np.float64)
    ours, theirs, shared = (sums[..., i * ORDERS : (i + 1) * ORDERS] for i in range(3))
    both = (ours > 0) & (theirs > 0)
    orders = np.maximum(both.sum(axis=-1), 1)
    precision = np.where(both, shared / np.maximum(ours, 1), 0).sum(axis=-1) / orders
    recall = np.where(both, shared / np.maximum(theirs, 1), 0).sum(axis=-1) / orders
    bottom = BETA**2 * precision + recall
    return np.where(bottom > 0, (1 + BETA**2) * precision * recall / np.where(bottom > 0, bottom, 1), 0.0)


def _row(answer: str, reference: str) -> list[int]:
    ours = [_grams(answer, order) for order in range(1, ORDERS + 1)]
    theirs = [_grams(reference, order) for order in range(1, ORDERS + 1)]
    shared = [(a & b).total() for a, b in zip(ours, theirs, strict=True)]
    counted = [a.total() if b else 0 for a, b in zip(ours, theirs, strict=True)]
    return [*counted, *(c.total() for c in theirs), *shared]


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[i : i + order] for i in range(len(text) - order + 1))
