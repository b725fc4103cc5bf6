"""From raw rows to a finished corpus in memory: clean, find near-duplicates, group, split, certify, report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from ingest.certificate import CROSSINGS, as_json, closest, cross, lowest_floor
from ingest.clean import NEAR_DUPLICATE, CleanRow, Drop, clean_row, drop_exact_duplicates, duplicate_of, with_ids
from ingest.groups import Group, UnionFind, closed_groups, pair_keys
from ingest.near_duplicates import near_duplicate_sets
from ingest.raw import RawRow
from ingest.report import count_by, count_drops, largest_groups, repeated_answers, split_sizes
from ingest.shingles import ShingleSets, pair_text, shingle_sets
from ingest.similarity import SimilarityJoin
from ingest.split import assign_splits, random_split
from medqa.records import SPLITS, QAPair, Split


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning made of all rows: ``rows`` and ``drops`` together are as many as were read."""

    rows: list[CleanRow]
    drops: list[Drop]
    own_ids: bool
    """The ids are the data's own."""
    documents_without_answers: int


@dataclass(frozen=True, slots=True)
class Made:
    """A finished corpus, not yet on disk. Pairs are in the order of splits, then ids: the order of input rows is gone."""

    pairs: list[QAPair]
    drops: list[Drop]
    report: dict[str, Any]


def clean(raw_rows: Iterator[RawRow], min_question_words: int, min_answer_words: int) -> Cleaned:
    """Clean every row, drop exact duplicates, give ids. The rows come out ordered by id."""
    kept: list[CleanRow] = []
    drops: list[Drop] = []
    unanswered: set[str] = set()
    for raw in tqdm(raw_rows, desc="reading", unit="row", disable=None):
        outcome = clean_row(raw, min_question_words, min_answer_words)
        if isinstance(outcome, CleanRow):
            kept.append(outcome)
        else:
            drops.append(outcome)
        if raw.unanswered:
            unanswered.add(raw.file)
    kept, duplicates = drop_exact_duplicates(kept)
    kept, own_ids = with_ids(kept)
    kept.sort(key=lambda row: row.pair.id)
    return Cleaned(kept, [*drops, *duplicates], own_ids, len(unanswered))


def split_and_certify(
    cleaned: Cleaned, threshold: float, drop_near: bool, by: str, shares: Mapping[Split, float], seed: int
) -> Made:
    """Near-duplicates, groups, splits and the report with its certificate.

    The certificate's exhaustive comparison has the last word: a near-duplicate pair that the hashing missed, and that
    straddles two splits, joins their groups, and the split is made again.
    """
    rows, drops = cleaned.rows, list(cleaned.drops)
    sets = shingle_sets(pair_text(row.pair) for row in rows)
    near = near_duplicate_sets(sets, threshold)
    near_sets = [members for members in near.sets() if len(members) > 1]
    if drop_near:
        rows, sets, dropped = _drop_near_duplicates(rows, sets, near)
        drops += dropped
        near = UnionFind(len(rows))
    pairs = [row.pair for row in rows]
    ids = [p.id for p in pairs]
    keys = pair_keys(pairs)
    join = SimilarityJoin(sets)
    while True:
        groups = closed_groups(ids, keys, near, with_topic=by == "topic")
        splits = _row_splits(groups, assign_splits(groups, pairs, shares, seed), len(pairs))
        crossings = {between: cross(keys, splits, between, join, threshold) for between in CROSSINGS}
        if not any(len(c.near) for c in crossings.values()):
            break
        for crossing in crossings.values():
            for a, b in zip(crossing.near.left.tolist(), crossing.near.right.tolist(), strict=True):
                near.union(a, b)

    group_of = {i: group.id for group in groups for i in group.rows}
    pairs = [replace(p, split=s, cluster=group_of[i]) for i, (p, s) in enumerate(zip(pairs, splits, strict=True))]
    sizes = split_sizes(pairs, groups, shares)
    at_random = random_split(pairs, {s: sizes[s]["rows"] for s in SPLITS}, seed)
    report = {
        "rows": {
            "in": len(pairs) + len(drops),
            "kept": len(pairs),
            "dropped": len(drops),
            "dropped_by_reason": count_drops(drops),
        },
        "documents_without_answers": cleaned.documents_without_answers,
        "ids": "the data's own" if cleaned.own_ids else "hashes of question and answer",
        "split_by": by,
        "splits": sizes,
        "certificate": {
            "threshold": threshold,
            "split": {_name(between): as_json(c) for between, c in crossings.items()},
            "random": {_name(b): as_json(cross(keys, at_random, b, join, threshold)) for b in CROSSINGS},
            "closest": _closest(pairs, splits, join),
        },
        "near_duplicates": {
            "threshold": threshold,
            "sets": len(near_sets),
            "rows": sum(map(len, near_sets)),
            "largest": max(map(len, near_sets), default=0),
        },
        "groups": {"count": len(groups), "largest": largest_groups(pairs, groups)},
        "repeated_answers": repeated_answers(pairs),
        "by_type": count_by(pairs, lambda p: p.question_type),
        "by_source": count_by(pairs, lambda p: p.source),
        "warnings": _warnings(sizes, groups, len(pairs), by),
    }
    pairs.sort(key=lambda p: (SPLITS.index(p.split), p.id))
    return Made(pairs, sorted(drops, key=lambda d: (d.file, d.row)), report)


def _row_splits(groups: Sequence[Group], chosen: Sequence[Split], rows: int) -> list[Split]:
    splits: list[Split] = ["train"] * rows
    for group, split in zip(groups, chosen, strict=True):
        for i in group.rows:
            splits[i] = split
    return splits


def _drop_near_duplicates(
    rows: Sequence[CleanRow], sets: ShingleSets, near: UnionFind
) -> tuple[list[CleanRow], ShingleSets, list[Drop]]:
    """One row per near-duplicate set: the one with most shingles, then by id."""
    best = [min(members, key=lambda i: (-sets[i].size, rows[i].pair.id)) for members in near.sets()]
    keeper = {near.find(i): i for i in best}
    drops = [
        duplicate_of(rows[k], row, NEAR_DUPLICATE) for i, row in enumerate(rows) if (k := keeper[near.find(i)]) != i
    ]
    best.sort()
    return [rows[i] for i in best], sets.subset(best), drops


def _closest(pairs: Sequence[QAPair], splits: Sequence[Split], join: SimilarityJoin) -> dict[str, Any]:
    found = closest(splits, ("test", "train"), join)
    if found is None:
        return {"jaccard": None, "reason": f"no pair across test and train reaches {lowest_floor()}"}
    test, train, similarity = found
    shown: Callable[[int], dict[str, str]] = lambda i: {"id": pairs[i].id, "question": pairs[i].question}  # noqa: E731
    return {"jaccard": similarity, "test": shown(test), "train": shown(train)}


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
