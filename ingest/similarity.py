"""Exact Jaccard similarities, one by one and exhaustively across two groups of texts: no signatures, no sampling.

The exhaustive search is prefix filtering (Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"): order
the shingles of every set from rare to common. If J(x, y) >= t, then x and y share at least ceil(t * |x|) shingles, so the
first |x| - ceil(t * |x|) + 1 of x and the first |y| - ceil(t * |y|) + 1 of y have one in common. Only such pairs are compared.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ingest.shingles import ShingleSets

_LEFT_ROWS = 1024  # left texts per sparse product
_COMPARED = 20_000  # pairs compared at once: about 100 MB at 300 shingles a text
_MAPPED = 1 << 22  # shingles looked up at once: 32 MB
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
    """Similarities within one collection of shingle sets.

    Shingles that stand in one text only (most of them) are counted, not stored: they are shared with nothing.
    """

    def __init__(self, sets: ShingleSets) -> None:
        from scipy.sparse import csr_matrix

        shared, counts = _repeated(sets.values)
        rank = np.empty(len(shared), np.int32)
        rank[np.lexsort((shared, counts))] = np.arange(len(shared), dtype=np.int32)  # rare shingles first
        columns, sizes = _mapped(sets, shared, rank)
        offsets = np.r_[0, np.cumsum(sizes)]
        self._sizes = sets.sizes
        self._alone = sets.sizes - sizes
        columns = _sorted_within(columns, sizes)
        ones = np.ones(len(columns), np.int8)
        self._matrix = csr_matrix((ones, columns, offsets), shape=(len(sets), max(1, len(shared))))
        place = np.arange(len(columns)) - np.repeat(offsets[:-1] - self._alone, sizes)
        self._place = place.astype(np.int32)  # within its own set, from rare to common, unshared shingles first

    def jaccard(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """|x ∩ y| / |x ∪ y| of each pair of positions; float64, shape (len(a),). Two empty sets have 0."""
        shared = np.empty(len(a), np.int64)
        for start in range(0, len(a), _COMPARED):
            part = slice(start, start + _COMPARED)
            shared[part] = np.asarray(self._matrix[a[part]].multiply(self._matrix[b[part]]).sum(axis=1)).ravel()
        return shared / np.maximum(1, self._sizes[a] + self._sizes[b] - shared)

    def pairs(self, left: np.ndarray, right: np.ndarray, threshold: float) -> SimilarPairs:
        """Every pair (one of ``left``, one of ``right``: row positions) with Jaccard >= ``threshold`` > 0."""
        prefixes = self._prefixes(threshold)
        right_columns = prefixes[right].T.tocsr()
        found = [SimilarPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
        for start in tqdm(range(0, len(left), _LEFT_ROWS), desc="certificate", unit="block", disable=None, leave=False):
            block = left[start : start + _LEFT_ROWS]
            shared = (prefixes[block] @ right_columns).tocoo()
            found.append(self._confirmed(block[shared.row], right[shared.col], threshold))
        a, b, similarity = (np.concatenate([getattr(f, n) for f in found]) for n in ("left", "right", "jaccard"))
        order = np.lexsort((b, a, -similarity))
        return SimilarPairs(a[order], b[order], similarity[order])

    def cost(self, left: np.ndarray, right: np.ndarray, threshold: float) -> int:
        """At most how many pairs ``pairs`` would compare."""
        prefixes = self._prefixes(threshold)
        here, there = (np.asarray(prefixes[rows].sum(axis=0)).ravel().astype(np.float64) for rows in (left, right))
        return int(here @ there)

    def _confirmed(self, a: np.ndarray, b: np.ndarray, threshold: float) -> SimilarPairs:
        small, large = np.minimum(self._sizes[a], self._sizes[b]), np.maximum(self._sizes[a], self._sizes[b])
        possible = small >= threshold * large - _SLACK
        a, b = a[possible], b[possible]
        similarity = self.jaccard(a, b)
        keep = similarity >= threshold
        return SimilarPairs(a[keep], b[keep], similarity[keep])

    def _prefixes(self, threshold: float) -> Any:
        """The first shingles of every set, as a sparse matrix of shape (texts, shingles)."""
        from scipy.sparse import csr_matrix

        lengths = self._sizes - np.ceil(threshold * self._sizes - _SLACK).astype(np.int64) + 1
        held = np.diff(self._matrix.indptr)
        kept = self._place < np.repeat(lengths, held)
        offsets = np.r_[0, np.cumsum(np.clip(lengths - self._alone, 0, held))]
        columns = self._matrix.indices[kept]
        return csr_matrix((np.ones(len(columns), np.int32), columns, offsets), shape=self._matrix.shape)


def _repeated(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values that occur more than once, ascending, and how often."""
    ordered = np.sort(values)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.empty(0, np.int64)
    counts = np.diff(np.r_[starts, len(ordered)])
    return ordered[starts[counts > 1]], counts[counts > 1]


def _sorted_within(columns: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """``columns`` (int32) ascending within each run of ``sizes``: sorted by run and column packed into one number."""
    packed = np.repeat(np.arange(len(sizes), dtype=np.int64) << 32, sizes) | columns
    packed.sort()
    return (packed & 0xFFFFFFFF).astype(np.int32)


def _mapped(sets: ShingleSets, shared: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of the shared shingles of all sets, one set after another, and how many each set has."""
    parts = [np.empty(0, np.int32)]
    kept = np.zeros(len(sets.values), bool)
    for start in range(0, len(sets.values) if len(shared) else 0, _MAPPED):
        part = sets.values[start : start + _MAPPED]
        place = np.minimum(np.searchsorted(shared, part), len(shared) - 1)
        known = shared[place] == part
        kept[start : start + _MAPPED] = known
        parts.append(rank[place[known]])
    before = np.r_[0, np.cumsum(kept, dtype=np.int64)]
    return np.concatenate(parts), np.diff(before[sets.offsets])
