"""From raw rows to a finished corpus: clean, find near-duplicates, group, split, certify, report."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from ingest import report as figures
from ingest.certificate import CROSSINGS, Crossing, as_json, closest, cross
from ingest.clean import Deduplicator, Drop, Packed, Rows, clean_row, duplicate_of, pack, restyle_row, with_ids
from ingest.features import Features, features
from ingest.groups import Group, UnionFind, closed_groups
from ingest.near_duplicates import near_duplicate_sets
from ingest.raw import RawRow
from ingest.rules import NEAR_DUPLICATE, Rules
from ingest.screen import Action, Screened, screen
from ingest.shingles import ShingleSets
from ingest.similarity import SimilarityJoin
from ingest.split import assign_splits, random_split
from ingest.spool import Spool
from medqa.records import SPLITS, QAPair, Split

Link = Callable[[Rows, UnionFind], None]
"""Joins rows that are alike in some other way than by their words."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning made of all rows: ``rows`` and ``drops`` together are as many as were read."""

    rows: Rows
    drops: Spool[Drop]
    screened: Spool[Screened]
    """Rows that look like personal data, whatever became of them."""
    own_ids: bool
    """The ids are the data's own."""
    documents_without_answers: int


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How to group and split; the names of ``split`` and ``ingest`` in the settings."""

    shares: Mapping[Split, float]
    by: str = "topic"
    synonyms: bool = True
    threshold: float = 0.8
    drop_near: bool = False
    boilerplate: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A finished corpus, its texts still on the spool."""

    rows: Rows
    splits: np.ndarray
    """Split of each row."""
    clusters: list[str]
    drops: Spool[Drop]
    report: dict[str, Any]

    def pairs(self, split: Split) -> Iterator[QAPair]:
        """The pairs of one split, by id."""
        for i in np.flatnonzero(self.splits == split).tolist():
            yield replace(self.rows[i].pair, split=split, cluster=self.clusters[i])


def clean(
    raw_rows: Iterator[RawRow],
    rules: Rules,
    phi: Action,
    distinct: bool,
    may_own_ids: bool,
    kept: Spool[Packed],
    drops: Spool[Drop],
    screened: Spool[Screened],
) -> Cleaned:
    """Clean every row, screen it for personal data, drop exact duplicates (if ``distinct``), give ids.

    ``kept``, ``drops`` and ``screened`` are filled. ``may_own_ids`` says whether the data's own ids may count.
    """
    unanswered: set[str] = set()
    duplicates = Deduplicator(kept)
    for raw in tqdm(raw_rows, desc="reading", unit="row", disable=None):
        outcome = clean_row(raw, rules)
        if not isinstance(outcome, Drop) and phi != "none":
            outcome, found = screen(outcome, phi)
            for place in found:
                screened.append(place)
        if not isinstance(outcome, Drop):
            outcome = restyle_row(outcome, rules)
        if isinstance(outcome, Drop):
            drops.append(outcome)
        else:
            number = kept.append(pack(outcome))
            if distinct:
                duplicates.add(number, outcome)
        if raw.unanswered:
            unanswered.add(raw.file)
    if distinct:
        for drop in duplicates.drops():
            drops.append(drop)
    numbers = duplicates.kept() if distinct else np.arange(len(kept))
    rows, own_ids = with_ids(kept, numbers, may_own_ids)
    return Cleaned(rows, drops, screened, own_ids, len(unanswered))


def split_and_certify(cleaned: Cleaned, plan: SplitPlan, link: Link | None = None) -> Made:
    """Near-duplicates, groups, splits and the report with its certificate.

    The certificate's exhaustive comparison has the last word: a near-duplicate pair that the hashing missed, and that
    straddles two splits, joins their groups, and the split is made again.
    """
    rows = cleaned.rows
    known, sets = features(row.pair for row in rows)
    join = SimilarityJoin(sets)
    near = near_duplicate_sets(sets, join, plan.threshold)
    if link is not None:
        link(rows, near)
    near_sets = [members for members in near.sets() if len(members) > 1]
    if plan.drop_near:
        best = _drop_near_duplicates(rows, sets, near, cleaned.drops)
        rows = rows.subset(best)
        known, sets = features(row.pair for row in rows)
        join, near = SimilarityJoin(sets), UnionFind(len(rows))
    del sets
    while True:
        groups = closed_groups(known.ids, known.keys, near, with_topic=plan.by == "topic", with_synonyms=plan.synonyms)
        chosen = assign_splits(groups, known.types, plan.shares, plan.seed)
        splits = row_splits(groups, chosen, len(rows))
        crossings = {between: cross(known.keys, splits, between, join, plan.threshold) for between in CROSSINGS}
        if not any(len(c.near) for c in crossings.values()):
            break
        for crossing in crossings.values():
            near.union_pairs(crossing.near.left, crossing.near.right)
    return finish(cleaned, rows, known, groups, splits, crossings, join, plan, near_sets)


def finish(
    cleaned: Cleaned,
    rows: Rows,
    known: Features,
    groups: Sequence[Group],
    splits: np.ndarray,
    crossings: Mapping[tuple[Split, Split], Crossing],
    join: SimilarityJoin,
    plan: SplitPlan,
    near_sets: Sequence[Sequence[int]],
) -> Made:
    """The corpus of ``rows`` in the given groups and splits, with its certificate and report."""
    clusters = [""] * len(rows)
    for group in groups:
        for i in group.rows:
            clusters[i] = group.id
    of_rows: list[str] = splits.tolist()
    sizes = figures.split_sizes(groups, of_rows, plan.shares)
    at_random = np.array(random_split(known.ids, {s: sizes[s]["rows"] for s in SPLITS}, plan.seed))
    certificate = {
        "threshold": plan.threshold,
        "split": {_name(b): as_json(c) for b, c in crossings.items()},
        "random": {_name(b): as_json(cross(known.keys, at_random, b, join, plan.threshold)) for b in CROSSINGS},
        "closest": _closest(rows, splits, join),
    }
    dropped = Counter(drop.reason for drop in cleaned.drops)
    report = {
        "rows": {
            "in": len(rows) + len(cleaned.drops),
            "kept": len(rows),
            "dropped": len(cleaned.drops),
            "dropped_by_reason": figures.ordered_reasons(dropped),
        },
        "documents_without_answers": cleaned.documents_without_answers,
        "ids": "the data's own" if cleaned.own_ids else "hashes of question and answer",
        "split_by": plan.by,
        "synonyms_join": plan.synonyms,
        "splits": sizes,
        "certificate": certificate,
        "near_duplicates": {
            "threshold": plan.threshold,
            "sets": len(near_sets),
            "rows": sum(map(len, near_sets)),
            "largest": max(map(len, near_sets), default=0),
        },
        "groups": {"count": len(groups), "largest": figures.largest_groups(known, groups, of_rows)},
        "cluster_sizes": figures.group_sizes(groups),
        "repeated_answers": figures.repeated_answers(known, rows),
        "boilerplate": figures.boilerplate(known, plan.boilerplate),
        "lengths": figures.lengths(known, splits),
        "topics": figures.topics(known),
        "by_type": figures.count_by(known.types, of_rows),
        "by_source": figures.count_by(known.sources, of_rows),
        "warnings": _warnings(sizes, groups, len(rows), plan.by),
    }
    return Made(rows, splits, clusters, cleaned.drops, report)


def row_splits(groups: Sequence[Group], chosen: Sequence[Split], rows: int) -> np.ndarray:
    """The split of each row, from that of its group."""
    splits = np.full(rows, "train", dtype="U10")
    for group, split in zip(groups, chosen, strict=True):
        if split != "train":
            splits[list(group.rows)] = split
    return splits


def _drop_near_duplicates(rows: Rows, sets: ShingleSets, near: UnionFind, drops: Spool[Drop]) -> list[int]:
    """Places of one row per near-duplicate set, the one with most shingles, then by id; the others go to ``drops``."""
    sizes = sets.sizes
    best = []
    for members in near.sets():
        keeper = min(members, key=lambda i: (-sizes[i], rows.ids[i]))
        best.append(keeper)
        for i in members:
            if i != keeper:
                drops.append(duplicate_of(rows[keeper], rows[i], NEAR_DUPLICATE))
    return sorted(best)


def _closest(rows: Rows, splits: np.ndarray, join: SimilarityJoin) -> dict[str, Any]:
    found = closest(splits, ("test", "train"), join)
    listed = [
        {"jaccard": similarity, "test": _shown(rows[test].pair), "train": _shown(rows[train].pair)}
        for test, train, similarity in found.pairs
    ]
    if listed:
        return {**listed[0], "others": listed[1:], "searched_down_to": found.floor}
    reason = (
        f"no pair reaches {found.floor}" if found.floor is not None else "not looked for: too many pairs to compare"
    )
    return {"jaccard": None, "reason": reason, "searched_down_to": found.floor}


def _shown(pair: QAPair) -> dict[str, str]:
    return {"id": pair.id, "question": pair.question}


def _warnings(sizes: Mapping[str, Any], groups: Sequence[Group], rows: int, by: str) -> list[str]:
    """What a person should know before using the splits."""
    found = []
    for split in SPLITS:
        counts = sizes[split]
        if counts["wanted"] and not counts["rows"]:
            found.append(f"{split} is empty: {len(groups)} groups cannot be spread over the splits.")
        elif abs(counts["share"] - counts["wanted"]) > 0.005:
            found.append(f"{split} has {counts['share']:.1%} of the rows where {counts['wanted']:.1%} were wanted.")
    largest = max(map(len, groups))
    if found and by == "topic" and largest > 0.5 * rows:
        found.append(f"One group holds {largest} of {rows} rows; --set split.by=cluster does not join rows by topic.")
    return found


def _name(between: tuple[Split, Split]) -> str:
    return "/".join(between)
