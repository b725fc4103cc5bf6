"""Exhaustive search for similar pairs across two sets of texts: exact, no hashing of signatures, no sampling.

Prefix filtering (Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"): order the shingles of every set
from rare to common. If J(x, y) >= t, then x and y share at least ceil(t * |x|) shingles, so the first
|x| - ceil(t * |x|) + 1 of x and the first |y| - ceil(t * |y|) + 1 of y have one in common. Only such pairs are compared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ingest.shingles import ShingleSets

_LEFT_ROWS = 256  # left texts per sparse product
_CANDIDATES = 20_000  # pairs compared at once: about 100 MB at 300 shingles a text
_SLACK = 1e-9  # t * |x| in floating point may lie a hair above the whole number it stands for


@dataclass(frozen=True, slots=True)
class SimilarPairs:
    """Pairs of ``left[k]`` and ``right[k]`` (positions in the whole collection) with their similarity, best first."""

    left: np.ndarray
    right: np.ndarray
    jaccard: np.ndarray

    def __len__(self) -> int:
        return len(self.left)


class SimilarityJoin:
    """All pairs at or above a similarity, across any two groups of rows of one collection."""

    def __init__(self, sets: ShingleSets) -> None:
        from scipy.sparse import csr_matrix

        vocabulary, columns, counts = np.unique(sets.values, return_inverse=True, return_counts=True)
        rank = np.empty(len(vocabulary), np.int64)
        rank[np.lexsort((vocabulary, counts))] = np.arange(len(vocabulary))  # rare shingles first
        row = np.repeat(np.arange(len(sets)), sets.sizes)
        columns = rank[columns]
        columns = columns[np.lexsort((columns, row))]
        ones = np.ones(len(columns), np.int32)
        self._sizes = sets.sizes
        self._matrix = csr_matrix((ones, columns, sets.offsets), shape=(len(sets), max(1, len(vocabulary))))
        self._place = np.arange(len(columns)) - np.repeat(sets.offsets[:-1], sets.sizes)  # place within its own set

    def pairs(self, left: np.ndarray, right: np.ndarray, threshold: float) -> SimilarPairs:
        """Every pair (one of ``left``, one of ``right``: row positions) with Jaccard >= ``threshold`` > 0."""
        prefixes = self._prefixes(threshold)
        right_columns = prefixes[right].T.tocsc()
        found = []
        for start in tqdm(range(0, len(left), _LEFT_ROWS), desc="certificate", unit="block", disable=None, leave=False):
            block = left[start : start + _LEFT_ROWS]
            shared = (prefixes[block] @ right_columns).tocoo()
            found.append(self._compare(block[shared.row], right[shared.col], threshold))
        if not found:
            return SimilarPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        a, b, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((b, a, -similarity))
        return SimilarPairs(a[order], b[order], similarity[order])

    def _compare(self, a: np.ndarray, b: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        small, large = np.minimum(self._sizes[a], self._sizes[b]), np.maximum(self._sizes[a], self._sizes[b])
        possible = small >= threshold * large - _SLACK
        a, b = a[possible], b[possible]
        shared = np.empty(len(a), np.int64)
        for start in range(0, len(a), _CANDIDATES):
            part = slice(start, start + _CANDIDATES)
            shared[part] = np.asarray(self._matrix[a[part]].multiply(self._matrix[b[part]]).sum(axis=1)).ravel()
        similarity = shared / (self._sizes[a] + self._sizes[b] - shared)
        keep = similarity >= threshold
        return a[keep], b[keep], similarity[keep]

    def _prefixes(self, threshold: float) -> Any:
        """The first shingles of every set, as a sparse matrix of shape (texts, shingles)."""
        from scipy.sparse import csr_matrix

        lengths = self._sizes - np.ceil(threshold * self._sizes - _SLACK).astype(np.int64) + 1
        kept = self._place < np.repeat(lengths, self._sizes)
        offsets = np.r_[0, np.cumsum(np.minimum(lengths, self._sizes))]
        columns = self._matrix.indices[kept]
        return csr_matrix((np.ones(len(columns), np.int32), columns, offsets), shape=self._matrix.shape)
