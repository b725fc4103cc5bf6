"""The certificate of a split: an exhaustive count of everything that two splits share, beside a random split's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.groups import PairKeys
from ingest.similarity import SimilarityJoin, SimilarPairs
from medqa.records import Split

CROSSINGS: tuple[tuple[Split, Split], ...] = (("test", "train"), ("validation", "train"), ("test", "validation"))
_FLOORS = (0.7, 0.5, 0.3, 0.1, 0.02)  # where the closest surviving pair is looked for, from cheap to costly


@dataclass(frozen=True, slots=True)
class Crossing:
    """What the rows of two splits share."""

    shared: dict[str, int | None]
    """``question``, ``answer``, ``topic`` -> pairs of rows, one from each split, equal in it (as words); None without data."""
    leaked_rows: int
    """Rows of the first split whose question or answer stands in the second one too."""
    leaked_share: float | None
    """The same as a share of the first split's rows; None if it has none."""
    near: SimilarPairs
    """Pairs at or above the near-duplicate threshold."""


def cross(
    keys: PairKeys, splits: Sequence[Split], between: tuple[Split, Split], join: SimilarityJoin, threshold: float
) -> Crossing:
    """Compare all rows of one split with all rows of another; ``splits[i]`` is the split of row ``i``."""
    first, second = (rows_of(splits, split) for split in between)
    shared: dict[str, int | None] = {}
    leaked: set[int] = set()
    for name in ("question", "answer", "topic"):
        values: list[str] = getattr(keys, name)
        there = Counter(values[i] for i in second if values[i])
        shared[name] = sum(there[values[i]] for i in first) if any(values) else None
        if name != "topic":
            leaked.update(int(i) for i in first if there[values[i]])
    share = len(leaked) / len(first) if len(first) else None
    return Crossing(shared, len(leaked), share, join.pairs(first, second, threshold))


def closest(
    splits: Sequence[Split], between: tuple[Split, Split], join: SimilarityJoin
) -> tuple[int, int, float] | None:
    """The most similar pair of rows across two splits, ``(row, row, Jaccard)``; None if none reaches the lowest floor."""
    first, second = (rows_of(splits, split) for split in between)
    for floor in _FLOORS:
        found = join.pairs(first, second, floor)
        if len(found):
            return int(found.left[0]), int(found.right[0]), float(found.jaccard[0])
    return None


def as_json(crossing: Crossing) -> dict[str, Any]:
    """Counts for ``report.json``."""
    return {
        "pairs_sharing_question": crossing.shared["question"],
        "pairs_sharing_answer": crossing.shared["answer"],
        "pairs_sharing_topic": crossing.shared["topic"],
        "near_duplicate_pairs": len(crossing.near),
        "rows_sharing_question_or_answer": crossing.leaked_rows,
        "share_of_rows_sharing_question_or_answer": crossing.leaked_share,
    }


def rows_of(splits: Sequence[Split], split: Split) -> np.ndarray:
    """Positions of the rows of ``split``, int64."""
    return np.array([i for i, s in enumerate(splits) if s == split], dtype=np.int64)


def lowest_floor() -> float:
    """Similarity below which ``closest`` does not look."""
    return _FLOORS[-1]
