"""Near-duplicate sets: MinHash-LSH (Broder 1997; Indyk and Motwani 1998) proposes, the true Jaccard similarity decides."""

import math
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from ingest.groups import UnionFind
from ingest.shingles import Comparer, ShingleSets

PERMUTATIONS = 128
"""Hash functions per text. They only decide how many candidates are looked at: candidates are confirmed exactly."""
MISSED = 1e-4
"""Largest probability that a pair right at the threshold is never proposed. At 0.8 that makes 25 bands of 5 rows: a pair
at 0.8 is missed once in 20,000, one at 0.5 is looked at in vain with probability 0.55, one at 0.3 with 0.06. A pair that
is missed cannot leak: the certificate of the split compares exhaustively, and joins what it finds."""

_DEVIATIONS = 4
"""A proposed pair is compared exactly unless its signatures agree by this many standard deviations less than a pair at
the threshold would on average: at 0.8 below 0.66. Of the pairs right at the threshold 3 in 100,000 are lost by that,
of those at 0.85 none in 10 million."""

_SEED = 1  # fixed: the split's seed must not change what counts as a duplicate
_CHUNK = 8192  # texts per MinHash call; its result comes as Python numbers, 128 a text


def near_duplicate_sets(sets: ShingleSets, threshold: float) -> UnionFind:
    """Connected components of "Jaccard similarity >= ``threshold``" over all texts.

    Equal to comparing all pairs, but for the tiny shares that ``MISSED`` and ``_DEVIATIONS`` allow to be lost.
    """
    groups = UnionFind(len(sets))
    bands, rows = banding(threshold)
    signatures = minhash(sets)
    filled = np.flatnonzero(sets.sizes)  # empty sets have no MinHash, and nothing in common
    comparer = Comparer(sets)
    for band in tqdm(range(bands), desc="near-duplicates", unit="band", disable=None):
        for bucket in _buckets(signatures[filled, band * rows : (band + 1) * rows]):
            _join_similar(filled[bucket], comparer, sets.sizes, signatures, threshold, groups)
    return groups


def banding(threshold: float) -> tuple[int, int]:
    """``(bands, rows per band)``: the most rows that keep the miss probability ``(1 - t^rows)^bands`` within ``MISSED``."""
    for rows in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // rows
        if (1 - threshold**rows) ** bands <= MISSED:
            return bands, rows
    return PERMUTATIONS, 1


def minhash(sets: ShingleSets) -> np.ndarray:
    """MinHash signatures, uint32, shape (number of texts, ``PERMUTATIONS``); the same on every machine."""
    from rensa import RMinHash

    signatures = np.empty((len(sets), PERMUTATIONS), np.uint32)
    for start in range(0, len(sets), _CHUNK):
        stop = min(start + _CHUNK, len(sets))
        offsets = sets.offsets[start : stop + 1]
        values = sets.values[offsets[0] : offsets[-1]]
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(
            values, (offsets - offsets[0]).astype(np.uint64), PERMUTATIONS, _SEED
        )
        signatures[start:stop] = matrix.to_rows()
    return signatures


def _buckets(band: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of rows that are equal in this band, where there are at least two; ``band`` has shape (texts, rows)."""
    if not len(band):
        return
    order = np.lexsort(band.T)
    ordered = band[order]
    starts = np.flatnonzero(np.r_[True, np.any(ordered[1:] != ordered[:-1], axis=1)])
    for bucket in np.split(order, starts[1:]):
        if len(bucket) > 1:
            yield np.sort(bucket)


def _join_similar(
    bucket: np.ndarray,
    comparer: Comparer,
    sizes: np.ndarray,
    signatures: np.ndarray,
    threshold: float,
    groups: UnionFind,
) -> None:
    """Join the components that meet in ``bucket`` wherever a pair of their members there is similar enough.

    A component is grown until no text outside it is similar to any in it. What has joined is not compared again, so a
    bucket of n alike texts costs n comparisons, not n².
    """
    floor = threshold - _DEVIATIONS * math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    outside = bucket
    while len(outside) > 1:
        queue, outside = _component(outside, int(outside[0]), groups)
        while queue and len(outside):
            member = queue.pop()
            small, large = np.minimum(sizes[outside], sizes[member]), np.maximum(sizes[outside], sizes[member])
            likely = outside[small >= threshold * large]  # the ratio of sizes bounds the similarity from above
            likely = likely[(signatures[likely] == signatures[member]).mean(axis=1) >= floor]
            similar = likely[comparer.jaccard(member, likely) >= threshold]
            for other in similar.tolist():
                groups.union(member, other)
            if len(similar):
                joined, outside = _component(outside, member, groups)
                queue += joined


def _component(items: np.ndarray, member: int, groups: UnionFind) -> tuple[list[int], np.ndarray]:
    """``items`` in the component of ``member``, and the others."""
    root = groups.find(member)
    inside = np.array([groups.find(item) == root for item in items.tolist()], dtype=bool)
    return items[inside].tolist(), items[~inside]
