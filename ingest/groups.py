"""Union-find, and the groups of rows that must not be separated."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

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

    def union(self, a: int, b: int) -> None:
        """Join the sets of ``a`` and ``b``."""
        low, high = sorted((self.find(a), self.find(b)))
        self._parent[high] = low

    def link_equal(self, keys: Iterable[Hashable]) -> None:
        """Join all items whose keys are equal; falsy keys (no topic) join nothing."""
        first: dict[Hashable, int] = {}
        for item, key in enumerate(keys):
            if key:
                self.union(first.setdefault(key, item), item)

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
    """By what two pairs count as having the same question, answer or topic; one entry per pair, empty for no topic."""

    question: list[str]
    answer: list[str]
    topic: list[str]


def pair_keys(pairs: Sequence[QAPair]) -> PairKeys:
    """Keys by words: case, punctuation and white space do not count."""
    return PairKeys(*([same_key(getattr(p, name)) for p in pairs] for name in ("question", "answer", "topic")))


def closed_groups(ids: Sequence[str], keys: PairKeys, near: UnionFind, with_topic: bool) -> list[Group]:
    """Groups closed under near-duplication (the sets of ``near``), same question, same answer and, if asked, same topic.

    Whatever order the pairs come in, the groups are the same.
    """
    joined = near.copy()
    joined.link_equal(keys.question)
    joined.link_equal(keys.answer)
    if with_topic:
        joined.link_equal(keys.topic)
    return [Group(min(ids[i] for i in rows), tuple(rows)) for rows in joined.sets()]
