"""Texts as sets of hashed word shingles: what near-duplicate search and the certificate compare."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.text import words
from medqa.records import QAPair

WIDTH = 3
"""Words per shingle: one changed word touches three of them, so that at Jaccard 0.8 about one word in 27 may differ
(a share e of isolated changes leaves (1 - 3e) / (1 + 3e))."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: the usual multiplicative hash
_CHUNK = 2048  # texts hashed at once: a few MB of words


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

    def subset(self, rows: Sequence[int]) -> "ShingleSets":
        """The sets of ``rows``, in that order."""
        values = np.concatenate([np.empty(0, np.uint64), *(self[i] for i in rows)])
        return ShingleSets(values, np.r_[0, np.cumsum(self.sizes[np.asarray(rows, np.int64)])])


class Shingler:
    """Collects the shingle sets of texts given one after another, as lists of words.

    Hashes are the same on every machine (Python's own are not even the same in two runs).
    """

    def __init__(self) -> None:
        self._known = _Places()
        self._words = array("q")  # of the texts since the last flush, one after another
        self._lengths: list[int] = []
        self._values: list[np.ndarray] = []
        self._sizes: list[np.ndarray] = []

    def add(self, found: Sequence[str]) -> None:
        """Take up the next text."""
        self._words.extend(map(self._known.__getitem__, found))
        self._lengths.append(len(found))
        if len(self._lengths) == _CHUNK:
            self._flush()

    def sets(self) -> ShingleSets:
        """The sets of all texts so far; the shingler is empty afterwards."""
        self._flush()
        sizes = np.concatenate([np.empty(0, np.int64), *self._sizes])
        values = np.empty(int(sizes.sum()), np.uint64)
        start = 0
        for n, part in enumerate(self._values):
            values[start : start + len(part)] = part
            start += len(part)
            self._values[n] = part[:0]  # frees each part as it is copied: at no time are there two copies
        self._values, self._sizes = [], []
        return ShingleSets(values, np.r_[0, np.cumsum(sizes)])

    def _flush(self) -> None:
        lengths = np.array(self._lengths, np.int64)
        if not len(lengths):
            return
        hashes = np.frombuffer(self._known.hashes, np.uint64)[np.frombuffer(self._words, np.int64)]
        text = np.repeat(np.arange(len(lengths)), lengths)
        # A window begins at every word whose text goes on for WIDTH words; a shorter text is one window of all it has.
        ends = np.cumsum(lengths)
        left = np.repeat(ends, lengths) - np.arange(len(hashes))  # words from here to the end of the text
        first = np.r_[True, text[1:] != text[:-1]] if len(text) else np.empty(0, bool)
        begins = np.flatnonzero((left >= WIDTH) | first)
        widths = np.minimum(left[begins], WIDTH)
        mixed = np.zeros(len(begins), np.uint64)
        for step in range(WIDTH):
            on = widths > step
            value = mixed[on]
            mixed[on] = (value ^ (value >> np.uint64(29))) * _MULTIPLIER + hashes[begins[on] + step]  # wraps at 2^64
        owner = text[begins]
        order = np.lexsort((mixed, owner))
        mixed, owner = mixed[order], owner[order]
        new = np.r_[True, (mixed[1:] != mixed[:-1]) | (owner[1:] != owner[:-1])] if len(mixed) else np.empty(0, bool)
        self._values.append(mixed[new])
        self._sizes.append(np.bincount(owner[new], minlength=len(lengths)))
        self._words, self._lengths = array("q"), []


class _Places(dict[str, int]):
    """Word -> place of its hash in ``hashes``; a word asked for the first time is given one."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes = array("Q")

    def __missing__(self, word: str) -> int:
        place = self[word] = len(self)
        self.hashes.append(int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little"))
        return place


def shingle_sets(texts: Iterable[str]) -> ShingleSets:
    """The set of ``WIDTH``-word shingles of each text; a shorter text is one shingle, a text without words the empty set."""
    shingler = Shingler()
    for text in texts:
        shingler.add(words(text))
    return shingler.sets()


def pair_text(pair: QAPair) -> str:
    """The text by which pairs are compared: question and answer."""
    return f"{pair.question} {pair.answer}"
