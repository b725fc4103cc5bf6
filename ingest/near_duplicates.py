"""Near-duplicate sets: MinHash-LSH (Broder 1997; Indyk and Motwani 1998) proposes, the true Jaccard similarity decides."""

import math
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from ingest.groups import UnionFind
from ingest.shingles import ShingleSets
from ingest.similarity import SimilarityJoin

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
_SMALL = 64  # members of a bucket up to which all its pairs are formed at once: 2,016
_PAIRS = 1 << 16  # pairs looked at in one go: their signatures take 64 MB


def near_duplicate_sets(sets: ShingleSets, join: SimilarityJoin, threshold: float) -> UnionFind:
    """Connected components of "Jaccard similarity >= ``threshold``" over all texts; ``join`` holds ``sets``.

    Equal to comparing all pairs, but for the tiny shares that ``MISSED`` and ``_DEVIATIONS`` allow to be lost.
    """
    groups = UnionFind(len(sets))
    bands, rows = banding(threshold)
    signatures = minhash(sets)
    filled = np.flatnonzero(sets.sizes)  # empty sets have no MinHash, and nothing in common
    floor = threshold - _DEVIATIONS * math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    sizes = sets.sizes
    for band in tqdm(range(bands), desc="near-duplicates", unit="band", disable=None):
        for a, b in _proposed(filled, signatures[filled, band * rows : (band + 1) * rows], groups):
            small, large = np.minimum(sizes[a], sizes[b]), np.maximum(sizes[a], sizes[b])
            likely = small >= threshold * large  # the ratio of sizes bounds the similarity from above
            a, b = a[likely], b[likely]
            equal = signatures[a] == signatures[b]
            likely = equal.mean(axis=1) >= floor
            a, b, equal = a[likely], b[likely], equal[likely]
            met_before = equal[:, : band * rows].reshape(len(a), band, rows).all(axis=2).any(axis=1)
            a, b = a[~met_before], b[~met_before]  # compared then, and found too different
            similar = join.jaccard(a, b) >= threshold
            groups.union_pairs(a[similar], b[similar])
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


def _proposed(texts: np.ndarray, band: np.ndarray, groups: UnionFind) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of ``texts`` that fall into one bucket of this band and are not joined yet, in batches.

    ``band`` has shape (texts, rows). Between two batches ``groups`` may grow: what has joined is not proposed again, so
    that a bucket of n alike texts costs n comparisons, not n².
    """
    order, starts, lengths = _buckets(band)
    for size in np.unique(lengths[lengths <= _SMALL]).tolist():
        buckets = texts[order[starts[lengths == size][:, None] + np.arange(size)]]  # (buckets, size)
        i, j = np.triu_indices(size, 1)
        step = max(1, _PAIRS // len(i))
        for start in range(0, len(buckets), step):
            part = buckets[start : start + step]
            yield from _apart(part[:, i].ravel(), part[:, j].ravel(), groups)
    for start, length in zip(starts[lengths > _SMALL].tolist(), lengths[lengths > _SMALL].tolist(), strict=True):
        yield from _within(texts[order[start : start + length]], groups)


def _within(bucket: np.ndarray, groups: UnionFind) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a large bucket, a few members against all at a time, until all are joined or compared."""
    first = 0
    while first < len(bucket) - 1 and len(np.unique(groups.roots(bucket))) > 1:
        # One member first: where the bucket is all alike, that alone joins it. Then as many as a batch holds.
        last = 1 if first == 0 else min(len(bucket), first + max(1, _PAIRS // len(bucket)))
        i, j = np.meshgrid(np.arange(first, last), np.arange(first + 1, len(bucket)), indexing="ij")
        pairs = i < j
        yield from _apart(bucket[i[pairs]], bucket[j[pairs]], groups)
        first = last


def _apart(a: np.ndarray, b: np.ndarray, groups: UnionFind) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs whose members are not joined yet, if there are any."""
    members, place = np.unique(np.r_[a, b], return_inverse=True)
    roots = groups.roots(members)[place]
    apart = roots[: len(a)] != roots[len(a) :]
    if apart.any():
        yield a[apart], b[apart]


def _buckets(band: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(order, starts, lengths)``: rows that are equal in this band are ``order[start:start + length]``, ascending;
    buckets of one are left out."""
    codes = np.zeros(len(band), np.uint64)
    for column in band.T:  # 64 bits for 160: a meeting by chance only proposes a pair in vain
        codes = (codes ^ (codes >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15) + column
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.empty(0, np.int64)
    lengths = np.diff(np.r_[starts, len(order)])
    return order, starts[lengths > 1], lengths[lengths > 1]
