"""How good is a ranking? Pure functions over one question's list of grades, best-ranked first."""

import math
from collections.abc import Sequence


def dcg(grades: Sequence[float], k: int) -> float:
    """Discounted cumulative gain of the first ``k``: ``2^grade - 1`` as gain, divided by ``log2(1 + rank)``.

    Exponential gain (Burges et al., ICML 2005), so a grade of 3 is worth seven of 1; for grades 0 and 1 the same as linear.
    """
    return sum((2**grade - 1) / math.log2(1 + rank) for rank, grade in enumerate(grades[:k], start=1))


def ndcg(grades: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """``dcg`` divided by that of the best order of ``ideal``, the grades of everything that could be found; in [0, 1].

    Raises:
        ValueError: nothing in ``ideal`` has a grade above 0, so there is nothing to find.
    """
    best = dcg(sorted(ideal, reverse=True), k)
    if best <= 0:
        raise ValueError("wanted at least one grade above 0 to find, found none")
    return dcg(grades, k) / best


def reciprocal_rank(grades: Sequence[float], k: int) -> float:
    """1 / rank of the first grade above 0 among the first ``k``; 0 where there is none."""
    return next((1 / rank for rank, grade in enumerate(grades[:k], start=1) if grade > 0), 0.0)


def recall(grades: Sequence[float], relevant: int, k: int) -> float:
    """Share of the ``relevant`` items (grade above 0) that stand among the first ``k``, of those that fit: at most ``k``."""
    return sum(grade > 0 for grade in grades[:k]) / min(relevant, k)
