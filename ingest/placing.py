"""Splits for the rows that an update adds, and the updated corpus: rows that have a split keep it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingest.build import Cleaned, Made, SplitPlan, finish
from ingest.certificate import CROSSINGS, cross
from ingest.clean import Drop, Rows, shown
from ingest.features import Features, features
from ingest.groups import UnionFind, as_groups
from ingest.near_duplicates import near_duplicate_sets
from ingest.rules import JOINS_TWO_SIDES
from ingest.similarity import SimilarityJoin, SimilarPairs
from ingest.split import assign_splits
from ingest.update import TwoSided, groups_within, other_side, place_added, related_sides
from medqa.records import SPLITS, Split


@dataclass(frozen=True, slots=True)
class Next:
    """The rows that the corpus will have, before the new ones have a split."""

    rows: Rows
    splits: np.ndarray
    """Of each row; ``""`` for an added one."""
    clusters: list[str]
    """As they were; ``""`` for an added row."""
    changed: np.ndarray
    """Which rows have another text than before."""


def place_rows(
    start: Next,
    state: Cleaned,
    plan: SplitPlan,
    two_sided: TwoSided,
    link: Callable[[UnionFind], None] | None,
) -> tuple[Made, int]:
    """The updated corpus, and how many of its new or changed rows are related to two splits."""
    known, sets = features(row.pair for row in start.rows)
    join = SimilarityJoin(sets)
    near = near_duplicate_sets(sets, join, plan.threshold)
    if link is not None:
        link(near)
    del sets
    added = np.flatnonzero(start.splits == "")
    similar = _similar(join, near, np.flatnonzero((start.splits == "") | start.changed), len(known), plan.threshold)
    by_topic = plan.by == "topic"
    sides = related_sides(known.keys, start.splits, similar, by_topic, plan.synonyms)
    component = _components(known, similar, added, by_topic, plan.synonyms)
    placed = place_added(sides[added].tolist(), [component.find(i) for i in added.tolist()], two_sided)

    splits = start.splits.copy()
    free = [i for i, split in zip(added.tolist(), placed.split, strict=True) if split is None]
    for i, split in zip(added.tolist(), placed.split, strict=True):
        splits[i] = split or ""
    _spread(splits, free, component, known, plan)
    moved = [i for i in np.flatnonzero(start.changed).tolist() if other_side(int(sides[i]), _split_at(splits, i))]
    both = [*(i for i, b in zip(added.tolist(), placed.two_sided, strict=True) if b), *moved]
    if two_sided == "drop" and both:
        for i in both:
            row = start.rows[i]
            state.drops.append(
                Drop(
                    row.file, row.row, JOINS_TWO_SIDES, f"id {row.pair.id}", *shown(row.pair.question, row.pair.answer)
                )
            )
        keep = np.setdiff1d(np.arange(len(splits)), both)
        smaller = Next(
            start.rows.subset(keep.tolist()),
            splits[keep],
            [start.clusters[i] for i in keep.tolist()],
            np.zeros(len(keep), bool),
        )
        made, _ = place_rows(smaller, replace(state, rows=smaller.rows), plan, two_sided, link)
        return made, len(both)

    within = groups_within(known.keys, _within_splits(near, splits), splits, by_topic, plan.synonyms)
    groups = as_groups(known.ids, within)
    crossings = {between: cross(known.keys, splits, between, join, plan.threshold) for between in CROSSINGS}
    near_sets = [members for members in near.sets() if len(members) > 1]
    return finish(state, start.rows, known, groups, splits, crossings, join, plan, near_sets), len(both)


def _similar(join: SimilarityJoin, near: UnionFind, touched: np.ndarray, rows: int, threshold: float) -> SimilarPairs:
    """Near-duplicate pairs of a touched row and any other, found exhaustively; those that share a set of ``near`` count
    as well (alike by meaning, or through a third row)."""
    found = join.pairs(touched, np.arange(rows), threshold)
    a, b = [found.left], [found.right]
    for members in near.sets():
        if len(members) > 1 and (here := np.intersect1d(members, touched)).size:
            left, right = np.meshgrid(here, members)
            a.append(left.ravel())
            b.append(right.ravel())
    left, right = np.concatenate(a), np.concatenate(b)
    other = left != right
    return SimilarPairs(left[other], right[other], np.ones(int(other.sum())))


def _components(known: Features, similar: SimilarPairs, added: np.ndarray, by_topic: bool, synonyms: bool) -> UnionFind:
    """Which added rows are related to each other, old rows left aside."""
    is_added = np.zeros(len(known), bool)
    is_added[added] = True
    joined = UnionFind(len(known))
    both = is_added[similar.left] & is_added[similar.right]
    joined.union_pairs(similar.left[both], similar.right[both])
    keys = known.keys
    for values in (keys.question, keys.answer, *([keys.topic] if by_topic else [])):
        joined.link_equal(np.where(is_added, values, np.uint64(0)))
    if by_topic and synonyms:
        joined.link_equal(np.where(is_added[keys.named], keys.names, np.uint64(0)), keys.named)
    return joined


def _spread(splits: np.ndarray, free: Sequence[int], component: UnionFind, known: Features, plan: SplitPlan) -> None:
    """Give new groups that are related to nothing old the splits that need them most."""
    if not free:
        return
    mask = np.zeros(len(splits), bool)
    mask[list(free)] = True
    groups = [g for g in as_groups(known.ids, component) if mask[g.rows[0]]]
    have: dict[Split, Counter[str]] = {
        s: Counter(known.types[i] for i in np.flatnonzero(splits == s).tolist()) for s in SPLITS
    }
    for group, split in zip(groups, assign_splits(groups, known.types, plan.shares, plan.seed, have), strict=True):
        splits[list(group.rows)] = split


def _within_splits(near: UnionFind, splits: np.ndarray) -> UnionFind:
    """The sets of ``near``, cut where they cross splits."""
    cut = UnionFind(len(near))
    for members in near.sets():
        first: dict[str, int] = {}
        for i in members:
            cut.union(first.setdefault(str(splits[i]), i), i)
    return cut


def _split_at(splits: np.ndarray, i: int) -> Split:
    return next(s for s in SPLITS if s == splits[i])
