import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.groups import Group, UnionFind, closed_groups, pair_keys
from ingest.split import assign_splits, random_split
from medqa.records import SPLITS, QAPair

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def groups_of(sizes, types=("a",)):
    """Groups of the given sizes over made-up pairs, question types in turn."""
    pairs, groups = [], []
    for g, size in enumerate(sizes):
        rows = tuple(range(len(pairs), len(pairs) + size))
        pairs += [QAPair(f"{g:05}-{n:05}", "q", "a", question_type=types[(g + n) % len(types)]) for n in range(size)]
        groups.append(Group(pairs[rows[0]].id, rows))
    return groups, pairs


def sizes_of(groups, chosen):
    counts = Counter()
    for group, split in zip(groups, chosen, strict=True):
        counts[split] += len(group)
    return counts


def test_union_find_and_equal_keys():
    union = UnionFind(6)
    union.link_equal(["x", "", "y", "x", "", "y"])
    assert union.sets() == [[0, 3], [1], [2, 5], [4]]
    union.union(5, 3)
    assert union.sets() == [[0, 2, 3, 5], [1], [4]]


def test_groups_are_closed_under_question_answer_topic_and_near_duplication():
    pairs = [
        QAPair("a", "What is X?", "one", topic="X"),
        QAPair("b", "what is x", "two", topic="Y"),  # same question as a
        QAPair("c", "What is Z?", "Two!", topic="Z"),  # same answer as b
        QAPair("d", "Who?", "three", topic="z"),  # same topic as c
        QAPair("e", "Else?", "four"),
        QAPair("f", "Near e?", "five"),  # near-duplicate of e by the union below
        QAPair("g", "Alone?", "six"),
    ]
    near = UnionFind(7)
    near.union(4, 5)
    ids, keys = [p.id for p in pairs], pair_keys(pairs)
    by_topic = closed_groups(ids, keys, near, with_topic=True)
    assert [(g.id, g.rows) for g in by_topic] == [("a", (0, 1, 2, 3)), ("e", (4, 5)), ("g", (6,))]
    by_cluster = closed_groups(ids, keys, near, with_topic=False)
    assert [g.rows for g in by_cluster] == [(0, 1, 2), (3,), (4, 5), (6,)]
    assert near.sets() == [[0], [1], [2], [3], [4, 5], [6]]  # not changed by the call


def test_shares_and_types_within_half_a_point():
    rng = random.Random(1)
    groups, pairs = groups_of([rng.randrange(1, 9) for _ in range(1000)], types=("a", "a", "b", "c", "c", "c", "d"))
    chosen = assign_splits(groups, pairs, SHARES, seed=0)
    counts = sizes_of(groups, chosen)
    for split, share in SHARES.items():
        assert abs(counts[split] / len(pairs) - share) <= 0.005
    split_of = {i: s for g, s in zip(groups, chosen, strict=True) for i in g.rows}
    for kind in "abcd":
        rows = [i for i, p in enumerate(pairs) if p.question_type == kind]
        for split, share in SHARES.items():
            assert abs(sum(split_of[i] == split for i in rows) / len(rows) - share) <= 0.02


def test_a_group_too_large_for_a_small_split_goes_to_train():
    groups, pairs = groups_of([300, *[2] * 350])
    for seed in range(5):
        chosen = assign_splits(groups, pairs, SHARES, seed)
        assert chosen[0] == "train"
        assert abs(sizes_of(groups, chosen)["test"] - 100) <= 5


def test_order_of_rows_does_not_matter_and_the_seed_does():
    rng = random.Random(2)
    groups, pairs = groups_of([rng.randrange(1, 6) for _ in range(200)], types=("a", "b"))
    first = {g.id: s for g, s in zip(groups, assign_splits(groups, pairs, SHARES, 0), strict=True)}
    shuffled = rng.sample(groups, len(groups))
    assert {g.id: s for g, s in zip(shuffled, assign_splits(shuffled, pairs, SHARES, 0), strict=True)} == first
    other = {g.id: s for g, s in zip(groups, assign_splits(groups, pairs, SHARES, 1), strict=True)}
    assert other != first


def test_no_split_stays_empty_while_there_are_groups():
    groups, pairs = groups_of([5, 4, 3])
    assert sorted(assign_splits(groups, pairs, SHARES, 0)) == sorted(SPLITS)
    groups, pairs = groups_of([5])
    assert assign_splits(groups, pairs, SHARES, 0) == ["train"]


def test_a_share_of_zero_is_respected():
    groups, pairs = groups_of([1] * 50)
    chosen = assign_splits(groups, pairs, {"train": 0.9, "validation": 0.0, "test": 0.1}, 0)
    assert Counter(chosen) == {"train": 45, "test": 5}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_any_sizes_give_whole_groups_and_a_filled_train(sizes, seed):
    groups, pairs = groups_of(sizes, types=("a", "b", "c"))
    chosen = assign_splits(groups, pairs, SHARES, seed)
    counts = sizes_of(groups, chosen)
    assert counts["train"] > 0
    for split in ("validation", "test"):
        over = counts[split] - SHARES[split] * len(pairs)
        assert over <= max(sizes) / 2 or chosen.count(split) == 1


def test_random_split_has_the_sizes_asked_for():
    _, pairs = groups_of([1] * 100)
    sizes = {"train": 70, "validation": 20, "test": 10}
    chosen = random_split(pairs, sizes, 0)
    assert Counter(chosen) == sizes
    by_id = dict(zip((p.id for p in pairs), chosen, strict=True))
    again = [replace(p) for p in reversed(pairs)]
    assert dict(zip((p.id for p in again), random_split(again, sizes, 0), strict=True)) == by_id


@pytest.mark.parametrize("seed", range(3))
def test_random_split_depends_on_the_seed(seed):
    _, pairs = groups_of([1] * 100)
    sizes = {"train": 80, "validation": 10, "test": 10}
    assert random_split(pairs, sizes, seed) != random_split(pairs, sizes, seed + 1)
