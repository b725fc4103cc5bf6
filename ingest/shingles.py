"""Texts as sets of hashed word shingles, in one flat array: what near-duplicate search and the certificate compare."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ingest.text import words
from medqa.records import QAPair

WIDTH = 3
"""Words per shingle: one changed word touches three of them, so that at Jaccard 0.8 about one word in 27 may differ
(a share e of isolated changes leaves (1 - 3e) / (1 + 3e))."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: the usual multiplicative hash


@dataclass(frozen=True, slots=True)
class ShingleSets:
    """One set per text, each sorted: set ``i`` is ``values[offsets[i]:offsets[i + 1]]``."""

    values: np.ndarray
    """uint64, shape (number of shingles in all sets,)."""
    offsets: np.ndarray
    """int64, shape (number of texts + 1,)."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @property
    def sizes(self) -> np.ndarray:
        """Shingles per set, int64."""
        return np.diff(self.offsets)

    def subset(self, rows: Iterable[int]) -> "ShingleSets":
        """The sets of ``rows``, in that order."""
        return _pack([self[i] for i in rows])


def shingle_sets(texts: Iterable[str]) -> ShingleSets:
    """The set of ``WIDTH``-word shingles of each text; a shorter text is one shingle, a text without words the empty set.

    Hashes are the same on every machine (Python's own are not even the same in two runs).
    """
    known: dict[str, int] = {}
    return _pack([_shingles(text, known) for text in texts])


def pair_text(pair: QAPair) -> str:
    """The text by which pairs are compared: question and answer."""
    return f"{pair.question} {pair.answer}"


class Comparer:
    """Exact Jaccard similarity of one set with many, at about a microsecond each."""

    def __init__(self, sets: ShingleSets) -> None:
        vocabulary, columns = np.unique(sets.values, return_inverse=True)
        self._sizes = sets.sizes
        self._offsets = sets.offsets
        self._columns = columns
        self._marked = np.zeros(len(vocabulary), bool)

    def jaccard(self, one: int, others: np.ndarray) -> np.ndarray:
        """|a ∩ b| / |a ∪ b| of set ``one`` with each of ``others`` (positions); none of them may be empty.

        Returns float64, shape (len(others),).
        """
        if not len(others):
            return np.empty(0)
        mine = self._row(one)
        self._marked[mine] = True
        hits = self._marked[np.concatenate([self._row(other) for other in others.tolist()])]
        self._marked[mine] = False
        starts = np.r_[0, np.cumsum(self._sizes[others])[:-1]]
        shared = np.add.reduceat(hits, starts, dtype=np.int64)
        return shared / (len(mine) + self._sizes[others] - shared)

    def _row(self, i: int) -> np.ndarray:
        return self._columns[self._offsets[i] : self._offsets[i + 1]]


def _shingles(text: str, known: dict[str, int]) -> np.ndarray:
    found = words(text)
    if not found:
        return np.empty(0, np.uint64)
    for word in found:
        if word not in known:
            known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    hashes = np.array([known[word] for word in found], dtype=np.uint64)
    width = min(WIDTH, len(found))
    windows = np.lib.stride_tricks.sliding_window_view(hashes, width)  # (len(found) - width + 1, width)
    mixed = np.zeros(len(windows), np.uint64)
    for column in range(width):
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MULTIPLIER + windows[:, column]  # wraps at 2^64, as meant
    return np.unique(mixed)


def _pack(sets: list[np.ndarray]) -> ShingleSets:
    offsets = np.zeros(len(sets) + 1, np.int64)
    np.cumsum([len(s) for s in sets], out=offsets[1:])
    return ShingleSets(np.concatenate([np.empty(0, np.uint64), *sets]), offsets)
