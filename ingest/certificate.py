"""The certificate of a split: an exhaustive count of everything that two splits share, beside a random split's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.groups import PairKeys
from ingest.similarity import SimilarityJoin, SimilarPairs
from medqa.records import Split

CROSSINGS: tuple[tuple[Split, Split], ...] = (("test", "train"), ("validation", "train"), ("test", "validation"))
CLOSEST = 10
"""Surviving pairs listed."""
_FLOORS = (0.7, 0.5, 0.3, 0.1, 0.02)  # where the closest surviving pairs are looked for, from cheap to costly
_BUDGET = 50_000_000  # comparisons that a floor may cost, about two minutes; MedQuAD at 0.5 costs a hundredth of it


@dataclass(frozen=True, slots=True)
class Crossing:
    """What the rows of two splits share."""

    shared: dict[str, int | None]
    """``question``, ``answer``, ``topic`` -> pairs of rows, one from each split, equal in it (as words); None without data."""
    named_rows: int | None
    """Rows of the first split whose topic, or a synonym of it, names a topic of the second; None without data."""
    leaked_rows: int
    """Rows of the first split whose question or answer stands in the second one too."""
    leaked_share: float | None
    """The same as a share of the first split's rows; None if it has none."""
    near: SimilarPairs
    """Pairs at or above the near-duplicate threshold."""


@dataclass(frozen=True, slots=True)
class Closest:
    """The most similar pairs across two splits, and how far down was looked."""

    pairs: list[tuple[int, int, float]]
    """``(row, row, Jaccard)``, best first, at most ``CLOSEST``."""
    floor: float | None
    """Every pair at or above it was compared; None if even the highest floor cost too much."""


def cross(
    keys: PairKeys, splits: np.ndarray, between: tuple[Split, Split], join: SimilarityJoin, threshold: float
) -> Crossing:
    """Compare all rows of one split with all rows of another; ``splits[i]`` is the split of row ``i``."""
    first, second = (rows_of(splits, split) for split in between)
    shared: dict[str, int | None] = {}
    leaked = np.zeros(len(first), bool)
    for name in ("question", "answer", "topic"):
        values: np.ndarray = getattr(keys, name)
        counts = _occurrences(values[first], values[second])
        shared[name] = int(counts.sum()) if values.any() else None
        if name != "topic":
            leaked |= counts > 0
    names_there = keys.names[np.isin(keys.named, second)]
    named = np.unique(keys.named[np.isin(keys.names, names_there)])
    return Crossing(
        shared=shared,
        named_rows=len(np.intersect1d(named, first)) if len(keys.names) else None,
        leaked_rows=int(leaked.sum()),
        leaked_share=float(leaked.mean()) if len(first) else None,
        near=join.pairs(first, second, threshold),
    )


def closest(splits: np.ndarray, between: tuple[Split, Split], join: SimilarityJoin) -> Closest:
    """The ``CLOSEST`` most similar pairs of rows across two splits, as far down as ``_BUDGET`` comparisons reach."""
    first, second = (rows_of(splits, split) for split in between)
    best = Closest([], None)
    for floor in _FLOORS:
        if join.cost(first, second, floor) > _BUDGET:
            break
        found = join.pairs(first, second, floor)
        shown = zip(found.left[:CLOSEST], found.right[:CLOSEST], found.jaccard[:CLOSEST], strict=True)
        best = Closest([(int(a), int(b), float(s)) for a, b, s in shown], floor)
        if len(found) >= CLOSEST:
            break
    return best


def as_json(crossing: Crossing) -> dict[str, Any]:
    """Counts for ``report.json``."""
    return {
        "pairs_sharing_question": crossing.shared["question"],
        "pairs_sharing_answer": crossing.shared["answer"],
        "pairs_sharing_topic": crossing.shared["topic"],
        "rows_sharing_topic_or_synonym": crossing.named_rows,
        "near_duplicate_pairs": len(crossing.near),
        "rows_sharing_question_or_answer": crossing.leaked_rows,
        "share_of_rows_sharing_question_or_answer": crossing.leaked_share,
    }


def rows_of(splits: np.ndarray, split: Split) -> np.ndarray:
    """Positions of the rows of ``split``, int64."""
    return np.flatnonzero(splits == split)


def _occurrences(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """How often each of ``values`` occurs in ``there``; empty ones (0) count as never."""
    known, counts = np.unique(there[there != 0], return_counts=True)
    if not len(known):
        return np.zeros(len(values), np.int64)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[place] == values, counts[place], 0)
