"""New data for a corpus that is in use: what is new, changed and gone, and where new rows go without moving old ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ingest.clean import CleanRow, Rows, pair_hash
from ingest.groups import PairKeys, UnionFind
from ingest.similarity import SimilarPairs
from ingest.text import same_key
from medqa.records import SPLITS, QAPair, Split

TwoSided = Literal["train", "drop"]
_BITS: Mapping[Split, int] = {split: 1 << n for n, split in enumerate(SPLITS)}
_SMALL = _BITS["validation"] | _BITS["test"]
_SPLIT_OF = {bit: split for split, bit in _BITS.items()}


@dataclass(frozen=True, slots=True)
class Matches:
    """How the rows of new data relate to the rows of the corpus; places in either."""

    added: list[int]
    """New rows that the corpus does not have."""
    changed: list[tuple[int, int]]
    """``(place in the corpus, place in the new data)``: the same pair with another text or other particulars."""
    already: int
    """New rows that are in the corpus as they are."""
    gone: list[int]
    """Rows of the corpus that the new data does not have."""
    repeated: list[tuple[int, int]]
    """As ``changed``: new rows, under an id of their own, that say what a row of the corpus says."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where added rows go; one entry per added row."""

    split: list[Split | None]
    """None for a row related to nothing: it may go anywhere."""
    two_sided: list[bool]
    """The row is related to rows of more than one split."""


def match(old: Rows, new: Rows, by_id: bool, default_sources: set[str]) -> Matches:
    """Find each new row in the corpus: by id, else by content, else by its question.

    The question decides only without ids (``by_id``), and only where one row of the same source has it on either
    side: a second answer to a known question is a new row. ``default_sources`` are names of input files, which stand
    for rows without a source of their own.
    """
    place_of_id = {pair_id: i for i, pair_id in enumerate(old.ids)}
    place_of_hash: dict[str, int] = {}
    place_of_question: dict[tuple[str, str], int] = {}
    for i, row in enumerate(old):
        place_of_hash.setdefault(pair_hash(row.pair), i)
        _once(place_of_question, _question(row, default_sources), i)
    asked = Counter(_question(row, default_sources) for row in new)
    found: dict[int, int] = {}  # place in the corpus -> place in the new data
    left: list[int] = []
    repeated: list[tuple[int, int]] = []
    for i, row in enumerate(new):
        here = place_of_id.get(row.pair.id) if by_id else place_of_hash.get(pair_hash(row.pair))
        if here is not None and here not in found:
            found[here] = i
        else:
            left.append(i)
    added: list[int] = []
    for i in left:
        row = new[i]
        twin = place_of_hash.get(pair_hash(row.pair))
        here = place_of_question.get(key := _question(row, default_sources), -1)
        if twin is not None and twin not in found:
            repeated.append((twin, i))
        elif not by_id and here >= 0 and here not in found and asked[key] == 1:
            found[here] = i
        else:
            added.append(i)
    changed = [(o, n) for o, n in sorted(found.items()) if merged(old[o].pair, new[n]) != old[o].pair]
    kept = {o for o, _ in repeated} | found.keys()
    gone = [i for i in range(len(old)) if i not in kept]
    return Matches(added, changed, len(found) - len(changed), gone, repeated)


def merged(old: QAPair, new: CleanRow) -> QAPair:
    """``old`` with the text of ``new`` and what else it says; particulars that it leaves empty stay. So does the split."""
    pair = new.pair
    return replace(
        old,
        question=pair.question,
        answer=pair.answer,
        source=old.source if pair.source == new.file else pair.source,
        url=pair.url or old.url,
        topic=pair.topic or old.topic,
        question_type=pair.question_type or old.question_type,
        synonyms=pair.synonyms or old.synonyms,
    )


def related_sides(keys: PairKeys, splits: np.ndarray, near: SimilarPairs, by_topic: bool, synonyms: bool) -> np.ndarray:
    """For every row, which splits hold rows related to it: an OR of bits, one per split; int64.

    ``splits[i]`` is ``""`` for rows that have none yet; they count for nobody. A row does not count for itself.
    ``near`` lists the similar pairs, in either order.
    """
    sides = np.zeros(len(splits), np.int64)
    bits = np.zeros(len(splits), np.int64)
    for split, bit in _BITS.items():
        bits[splits == split] = bit
    everyone = np.arange(len(splits))
    relations = [(keys.question, everyone), (keys.answer, everyone)]
    if by_topic:
        relations += [(keys.topic, everyone)]
    if by_topic and synonyms:
        relations += [(keys.names, keys.named)]
    for values, rows in relations:
        _or_of_others(values, rows, bits, sides)
    np.bitwise_or.at(sides, near.left, bits[near.right])
    np.bitwise_or.at(sides, near.right, bits[near.left])
    return sides


def place_added(sides: Sequence[int], component: Sequence[int], two_sided: TwoSided) -> Placed:
    """Splits for added rows: each joins the rows that it is related to.

    Args:
        sides: as ``related_sides`` gives them.
        component: equal for added rows that are related to each other.
        two_sided: what becomes of rows related to two splits, themselves or through other added rows. ``train`` sends
            them to train (what leaks by that is counted in the certificate); ``drop`` leaves out those of them that touch
            validation or test, so that nothing leaks.
    """
    together: Counter[int] = Counter()
    for side, own in zip(sides, component, strict=True):
        together[own] |= side
    split: list[Split | None] = []
    both: list[bool] = []
    for side, own in zip(sides, component, strict=True):
        whole = together[own]
        if whole & (whole - 1) == 0:  # at most one bit
            split.append(_SPLIT_OF.get(whole))
            both.append(False)
        elif two_sided == "train":
            split.append(_SPLIT_OF.get(side, "train"))
            both.append(side not in _SPLIT_OF)
        else:
            split.append("train")
            both.append(bool(side & _SMALL))
    return Placed(split, both)


def other_side(sides: int, split: Split) -> bool:
    """True if ``sides`` names a split other than ``split``."""
    return bool(sides & ~_BITS[split])


def groups_within(keys: PairKeys, near: UnionFind, splits: np.ndarray, by_topic: bool, synonyms: bool) -> UnionFind:
    """As ``closed_groups``, but never across splits: the sets of rows that are related within their split."""
    joined = near.copy()
    codes = np.zeros(len(splits), np.uint64)
    for split, bit in _BITS.items():
        codes[splits == split] = bit
    mixed: list[tuple[np.ndarray, np.ndarray]] = [(keys.question, codes), (keys.answer, codes)]
    if by_topic:
        mixed += [(keys.topic, codes)]
    for values, code in mixed:
        joined.link_equal(np.where(values == 0, 0, values ^ (code << np.uint64(60))))
    if by_topic and synonyms:
        joined.link_equal(keys.names ^ (codes[keys.named] << np.uint64(60)), keys.named)
    return joined


def _once(places: dict[tuple[str, str], int], key: tuple[str, str], place: int) -> None:
    """``place`` under ``key``, or -1 where the key comes a second time."""
    places[key] = place if key not in places else -1


def _question(row: CleanRow, default_sources: set[str]) -> tuple[str, str]:
    source = row.pair.source
    own = source != row.file and source not in default_sources
    return (source if own else "", same_key(row.pair.question))


def _or_of_others(values: np.ndarray, rows: np.ndarray, bits: np.ndarray, sides: np.ndarray) -> None:
    """Add to each row's ``sides`` the bits of all other rows that have one of its ``values``; 0 is no value."""
    filled = values != 0
    unique, inverse = np.unique(values[filled], return_inverse=True)
    owner = rows[filled]
    # Rows per value and split: a row's own bit counts only if another row of the value has it too.
    counts = np.stack([np.bincount(inverse, bits[owner] == bit, len(unique)) for bit in _SPLIT_OF])
    for n, bit in enumerate(_SPLIT_OF):
        others = counts[n][inverse] - (bits[owner] == bit)
        np.bitwise_or.at(sides, owner[others > 0], bit)
