"""Union-find, and the groups of rows that must not be separated."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.text import same_key
from medqa.records import QAPair


class UnionFind:
    """Disjoint sets of ``0 .. size-1``. A set's root is its smallest member, so the result knows no order of unions."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def __len__(self) -> int:
        return len(self._parent)

    def find(self, item: int) -> int:
        """The root of ``item``'s set."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]  # path halving
            item = parent[item]
        return item

    def roots(self, items: np.ndarray) -> np.ndarray:
        """The root of each item; int64."""
        return np.fromiter((self.find(item) for item in items.tolist()), np.int64, len(items))

    def union(self, a: int, b: int) -> None:
        """Join the sets of ``a`` and ``b``."""
        low, high = sorted((self.find(a), self.find(b)))
        self._parent[high] = low

    def union_pairs(self, a: np.ndarray, b: np.ndarray) -> None:
        """Join the sets of ``a[k]`` and ``b[k]`` for every ``k``."""
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            self.union(x, y)

    def link_equal(self, keys: np.ndarray, items: np.ndarray | None = None) -> None:
        """Join the items whose keys are equal; the empty key (0 or "") joins nothing.

        ``keys[k]`` is a key of ``items[k]``, which may have several; without ``items``, of item ``k``.
        """
        filled = np.flatnonzero(keys != keys.dtype.type())
        order = filled[np.argsort(keys[filled], kind="stable")]
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        owners = order if items is None else items[order]
        self.union_pairs(owners[same], owners[same + 1])

    def sets(self) -> list[list[int]]:
        """All sets, members ascending, by smallest member."""
        members: dict[int, list[int]] = {}
        for item in range(len(self)):
            members.setdefault(self.find(item), []).append(item)
        return list(members.values())

    def copy(self) -> "UnionFind":
        """An independent copy."""
        twin = UnionFind(0)
        twin._parent = self._parent.copy()
        return twin


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that belong into one split."""

    id: str
    """The smallest id among its rows."""
    rows: tuple[int, ...]
    """Positions in the sequence of pairs, ascending."""

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class PairKeys:
    """By what two pairs count as having the same question, answer or topic: hashes of the words, uint64, 0 for nothing.

    The first three hold one number a pair; the last two hold every name of a pair's topic, synonyms included, and
    the pair it belongs to.
    """

    question: np.ndarray
    answer: np.ndarray
    topic: np.ndarray
    names: np.ndarray
    named: np.ndarray
    """int64: whose name ``names[k]`` is."""


def key_hash(key: str) -> int:
    """64-bit hash of a key, never 0 but for the empty one; among 10 million keys two meet with a probability of 3e-6."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little") | 1 if key else 0


def pair_keys(pairs: Iterable[QAPair]) -> PairKeys:
    """Keys by words: case, punctuation and white space do not count."""
    collector = KeyCollector()
    for pair in pairs:
        collector.add(same_key(pair.question), same_key(pair.answer), pair)
    return collector.keys()


class KeyCollector:
    """Builds ``PairKeys`` pair by pair."""

    def __init__(self) -> None:
        self._questions: list[int] = []
        self._answers: list[int] = []
        self._topics: list[int] = []
        self._names: list[int] = []
        self._named: list[int] = []
        self._known: dict[str, int] = {"": 0}  # topics and synonyms repeat

    def add(self, question: str, answer: str, pair: QAPair) -> None:
        """Take up the next pair; ``question`` and ``answer`` are its keys as text."""
        row = len(self._questions)
        self._questions.append(key_hash(question))
        self._answers.append(key_hash(answer))
        self._topics.append(self._name(pair.topic))
        names = {self._name(name) for name in (pair.topic, *pair.synonyms)} - {0}
        self._names += sorted(names)
        self._named += [row] * len(names)

    def keys(self) -> PairKeys:
        """The keys of all pairs so far."""
        return PairKeys(
            question=np.array(self._questions, np.uint64),
            answer=np.array(self._answers, np.uint64),
            topic=np.array(self._topics, np.uint64),
            names=np.array(self._names, np.uint64),
            named=np.array(self._named, np.int64),
        )

    def _name(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = key_hash(same_key(name))
        return self._known[name]


def closed_groups(
    ids: Sequence[str], keys: PairKeys, near: UnionFind, with_topic: bool, with_synonyms: bool
) -> list[Group]:
    """Groups closed under near-duplication (the sets of ``near``), same question, same answer and, if asked, same topic.

    ``with_synonyms`` takes two topics for the same where they share a name, be it the topic or a synonym. Whatever
    order the pairs come in, the groups are the same.
    """
    joined = near.copy()
    joined.link_equal(keys.question)
    joined.link_equal(keys.answer)
    if with_topic:
        joined.link_equal(keys.topic)
    if with_topic and with_synonyms:
        joined.link_equal(keys.names, keys.named)
    return as_groups(ids, joined)


def as_groups(ids: Sequence[str], joined: UnionFind) -> list[Group]:
    """The sets of ``joined`` as groups, each named by the smallest id in it."""
    return [Group(min(ids[i] for i in rows), tuple(rows)) for rows in joined.sets()]
