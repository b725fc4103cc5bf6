"""Near-duplicates by meaning: pairs of rows whose embedded texts are close, found exhaustively."""

from collections.abc import Callable, Sequence

import numpy as np
from tqdm import tqdm

from ingest.clean import Rows
from ingest.groups import UnionFind
from ingest.shingles import pair_text
from medqa.errors import MedqaError

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts -> unit vectors, float32, shape (texts, dimensions)."""

_BLOCK = 1024  # rows compared with all others at once: 64 MB of cosines for MedQuAD
_MOST = 200_000
"""Rows: all pairs of so many take about ten minutes on two cores, and four times as long for twice as many."""


def link_semantic(rows: Rows, near: UnionFind, embed: Embed, threshold: float) -> None:
    """Join in ``near`` all rows whose question-and-answer has a cosine of at least ``threshold``.

    Raises:
        MedqaError: more rows than an exhaustive comparison can do in reasonable time.
    """
    if len(rows) > _MOST:
        raise MedqaError(
            f"wanted at most {_MOST} rows for ingest.semantic, found {len(rows)}; every pair is compared: leave it off"
        )
    near.union_pairs(*close_pairs(embed([pair_text(row.pair) for row in rows]), threshold))


def close_pairs(vectors: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of rows ``a < b`` of ``vectors`` (unit length) with a cosine of at least ``threshold``."""
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in tqdm(range(0, len(vectors), _BLOCK), desc="meaning", unit="block", disable=None):
        cosines = vectors[start : start + _BLOCK] @ vectors[start:].T
        a, b = np.nonzero(np.triu(cosines >= threshold, 1))
        left.append(a + start)
        right.append(b + start)
    return np.concatenate(left), np.concatenate(right)
