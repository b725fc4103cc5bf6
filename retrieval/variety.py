"""A list that does not say the same thing twice: maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEAR_IDENTICAL = 0.98
"""Cosine from which two passages say the same: one word of a hundred changed, or the same sentence about another year."""


def order_by_mmr(relevance: "np.ndarray", vectors: "np.ndarray", variety: float, k: int) -> list[int]:
    """Places of the ``k`` items chosen one by one, each the best in ``(1 - v) * relevance - v * closeness``.

    Closeness is the highest cosine to an item that was chosen before (none counts 0). Of equal items the first in order.

    Args:
        relevance: (n,) higher is better, on the scale of a cosine.
        vectors: (n, dim), L2-normalised.
        variety: v, 0 (the order of ``relevance``) to 1 (as unlike as can be).
        k: how many; all where there are fewer.
    """
    import numpy as np

    remaining = np.ones(len(relevance), dtype=bool)
    closeness = np.full(len(relevance), -np.inf)
    chosen: list[int] = []
    for _ in range(min(k, len(relevance))):
        penalty = closeness if chosen else 0.0
        value = np.where(remaining, (1 - variety) * relevance - variety * penalty, -np.inf)
        best = int(np.argmax(value))
        chosen.append(best)
        remaining[best] = False
        closeness = np.maximum(closeness, vectors @ vectors[best])
    return chosen


def near_identical(vectors: "np.ndarray", kept: list[int], candidate: int) -> bool:
    """True if ``candidate`` is as good as identical to one of ``kept`` (rows of ``vectors``, L2-normalised)."""
    return bool(kept) and float((vectors[kept] @ vectors[candidate]).max()) >= NEAR_IDENTICAL
