import random
from collections import Counter

import numpy as np
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


def types_of(pairs):
    return [p.question_type for p in pairs]


def sizes_of(groups, chosen):
    counts = Counter()
    for group, split in zip(groups, chosen, strict=True):
        counts[split] += len(group)
    return counts


def test_union_find_and_equal_keys():
    union = UnionFind(6)
    union.link_equal(np.array(["x", "", "y", "x", "", "y"]))
    assert union.sets() == [[0, 3], [1], [2, 5], [4]]
    union.union(5, 3)
    assert union.sets() == [[0, 2, 3, 5], [1], [4]]


def test_items_with_several_keys_join_by_any_of_them():
    union = UnionFind(4)
    union.link_equal(np.array([7, 8, 8, 9, 0, 0]), np.array([0, 0, 1, 2, 2, 3]))
    assert union.sets() == [[0, 1], [2], [3]]


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
    by_topic = closed_groups(ids, keys, near, with_topic=True, with_synonyms=False)
    assert [(g.id, g.rows) for g in by_topic] == [("a", (0, 1, 2, 3)), ("e", (4, 5)), ("g", (6,))]
    by_cluster = closed_groups(ids, keys, near, with_topic=False, with_synonyms=True)
    assert [g.rows for g in by_cluster] == [(0, 1, 2), (3,), (4, 5), (6,)]
    assert near.sets() == [[0], [1], [2], [3], [4, 5], [6]]  # not changed by the call


def test_topics_that_share_a_name_are_one():
    pairs = [
        QAPair("a", "What is gout?", "one", topic="Gout", synonyms=("Podagra", "Arthritis urica")),
        QAPair("b", "What is podagra?", "two", topic="podagra!"),
        QAPair("c", "What is croup?", "three", topic="Croup", synonyms=("",)),
        QAPair("d", "What is that?", "four", topic="Thing", synonyms=("Arthritis Urica",)),
        QAPair("e", "What is this?", "five", synonyms=("CROUP",)),
        QAPair("f", "Where?", "six"),
    ]
    ids, keys, near = [p.id for p in pairs], pair_keys(pairs), UnionFind(6)
    groups = closed_groups(ids, keys, near, with_topic=True, with_synonyms=True)
    assert [g.rows for g in groups] == [(0, 1, 3), (2, 4), (5,)]
    groups = closed_groups(ids, keys, near, with_topic=True, with_synonyms=False)
    assert [g.rows for g in groups] == [(n,) for n in range(6)]


def test_shares_and_types_within_half_a_point():
    rng = random.Random(1)
    groups, pairs = groups_of([rng.randrange(1, 9) for _ in range(1000)], types=("a", "a", "b", "c", "c", "c", "d"))
    chosen = assign_splits(groups, types_of(pairs), SHARES, seed=0)
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
        chosen = assign_splits(groups, types_of(pairs), SHARES, seed)
        assert chosen[0] == "train"
        assert abs(sizes_of(groups, chosen)["test"] - 100) <= 5


def test_order_of_rows_does_not_matter_and_the_seed_does():
    rng = random.Random(2)
    groups, pairs = groups_of([rng.randrange(1, 6) for _ in range(200)], types=("a", "b"))
    first = {g.id: s for g, s in zip(groups, assign_splits(groups, types_of(pairs), SHARES, 0), strict=True)}
    shuffled = rng.sample(groups, len(groups))
    assert {
        g.id: s for g, s in zip(shuffled, assign_splits(shuffled, types_of(pairs), SHARES, 0), strict=True)
    } == first
    other = {g.id: s for g, s in zip(groups, assign_splits(groups, types_of(pairs), SHARES, 1), strict=True)}
    assert other != first


def test_no_split_stays_empty_while_there_are_groups():
    groups, pairs = groups_of([5, 4, 3])
    assert sorted(assign_splits(groups, types_of(pairs), SHARES, 0)) == sorted(SPLITS)
    groups, pairs = groups_of([5])
    assert assign_splits(groups, types_of(pairs), SHARES, 0) == ["train"]


def test_a_share_of_zero_is_respected():
    groups, pairs = groups_of([1] * 50)
    chosen = assign_splits(groups, types_of(pairs), {"train": 0.9, "validation": 0.0, "test": 0.1}, 0)
    assert Counter(chosen) == {"train": 45, "test": 5}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 5))
def test_any_sizes_give_whole_groups_and_a_filled_train(sizes, seed):
    groups, pairs = groups_of(sizes, types=("a", "b", "c"))
    chosen = assign_splits(groups, types_of(pairs), SHARES, seed)
    counts = sizes_of(groups, chosen)
    assert counts["train"] > 0
    for split in ("validation", "test"):
        over = counts[split] - SHARES[split] * len(pairs)
        assert over <= max(sizes) / 2 or chosen.count(split) == 1


def test_random_split_has_the_sizes_asked_for():
    _, pairs = groups_of([1] * 100)
    sizes = {"train": 70, "validation": 20, "test": 10}
    ids = [p.id for p in pairs]
    chosen = random_split(ids, sizes, 0)
    assert Counter(chosen) == sizes
    by_id = dict(zip(ids, chosen, strict=True))
    assert dict(zip(ids[::-1], random_split(ids[::-1], sizes, 0), strict=True)) == by_id


@pytest.mark.parametrize("seed", range(3))
def test_random_split_depends_on_the_seed(seed):
    _, pairs = groups_of([1] * 100)
    sizes = {"train": 80, "validation": 10, "test": 10}
    ids = [p.id for p in pairs]
    assert random_split(ids, sizes, seed) != random_split(ids, sizes, seed + 1)


def test_rows_that_have_their_place_count_towards_the_shares():
    groups, pairs = groups_of([1] * 100)
    have = {"train": Counter({"a": 100}), "validation": Counter({"a": 20}), "test": Counter()}
    chosen = Counter(assign_splits(groups, types_of(pairs), SHARES, 0, have))
    assert (chosen["validation"], chosen["test"]) == (2, 22)  # a tenth of 220 each
