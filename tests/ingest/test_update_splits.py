"""The split of an updated corpus: old rows stay where they are, new ones join what they resemble."""

import random
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.command import ingest
from ingest.corpus import COLUMNS, read_corpus
from ingest.groups import pair_keys
from ingest.rules import JOINS_TWO_SIDES
from ingest.similarity import SimilarPairs
from ingest.update import place_added, related_sides
from ingest.updating import update
from medqa.records import QAPair

from .conftest import dropped, make_rows, options, prose, report_of, rows_with_ids, splits_of, write

TRAIN, VALIDATION, TEST = 1, 2, 4


def topic_in(corpus, split):
    return next(p.topic for p in read_corpus(corpus).pairs if p.split == split)


def test_new_groups_keep_the_shares(tmp_path, corpus):
    rng = random.Random(3)
    rows = [{"id": f"n{n}", "question": f"What is n{n}?", "answer": prose(rng), "topic": f"N{n}"} for n in range(110)]
    update([write(tmp_path / "new.csv", rows)], corpus, options())
    assert Counter(splits_of(corpus).values()) == {"train": 160, "validation": 20, "test": 20}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_new_rows_follow_their_topic_their_twin_and_their_synonym(tmp_path, corpus, split):
    topic = topic_in(corpus, split)
    [old, *_] = [p for p in read_corpus(corpus).pairs if p.topic == topic]
    rng = random.Random(4)
    rows = [
        {"id": "topic", "question": "Where does it grow?", "answer": prose(rng), "topic": topic.lower()},
        {"id": "answer", "question": "Something else entirely?", "answer": old.answer.upper(), "topic": "Other"},
        {"id": "near", "question": old.question, "answer": old.answer + " more", "topic": "Third"},
        {"id": "name", "question": "Which thing now?", "answer": prose(rng), "topic": "X", "synonyms": f"Y|{topic}"},
        {"id": "chain", "question": "Which chained thing?", "answer": prose(rng), "topic": "Y"},
    ]
    summary = update([write(tmp_path / "new.csv", rows)], corpus, options())
    assert summary["joined_two_sides"] == 0
    assert {i: s for i, s in splits_of(corpus).items() if i in {r["id"] for r in rows}} == {
        r["id"]: split for r in rows
    }
    certificate = report_of(corpus)["certificate"]["split"]
    assert all(not any(counts.values()) for counts in certificate.values())
    clusters = {p.id: p.cluster for p in read_corpus(corpus).pairs}
    assert len({clusters[i] for i in (old.id, *(r["id"] for r in rows))}) == 1


def bridging(corpus):
    """A row on a test topic with the answer of a train row."""
    train = next(p for p in read_corpus(corpus).pairs if p.split == "train")
    rows = [{"id": "bridge", "question": "Of both sides?", "answer": train.answer, "topic": topic_in(corpus, "test")}]
    return [*rows, {"id": "fine", "question": "Of none?", "answer": prose(random.Random(8)), "topic": "Fresh"}]


def test_a_row_that_joins_two_sides_goes_to_train_and_is_counted(tmp_path, corpus):
    before = splits_of(corpus)
    summary = update([write(tmp_path / "new.csv", bridging(corpus))], corpus, options())
    assert summary["joined_two_sides"] == 1
    after = splits_of(corpus)
    assert after["bridge"] == "train"
    assert {i: after[i] for i in before} == before
    shared = report_of(corpus)["certificate"]["split"]["test/train"]
    assert (shared["pairs_sharing_topic"], shared["pairs_sharing_answer"]) == (3, 0)
    assert any("two splits" in w for w in report_of(corpus)["warnings"])


def test_on_demand_such_a_row_is_left_out_and_nothing_leaks(tmp_path, corpus):
    summary = update([write(tmp_path / "new.csv", bridging(corpus))], corpus, options("split.two_sided=drop"))
    assert summary["joined_two_sides"] == 1
    assert "bridge" not in splits_of(corpus) and "fine" in splits_of(corpus)
    assert [(d["reason"], d["detail"]) for d in dropped(corpus)] == [(JOINS_TWO_SIDES, "id bridge")]
    assert not any(report_of(corpus)["certificate"]["split"]["test/train"].values())
    assert report_of(corpus)["rows"]["in"] == report_of(corpus)["rows"]["kept"] + 1


def test_a_changed_row_that_comes_to_touch_another_split_stays_and_is_counted(tmp_path, corpus):
    test = next(p for p in read_corpus(corpus).pairs if p.split == "test")
    train = next(p for p in read_corpus(corpus).pairs if p.split == "train")
    row = {"id": test.id, "question": test.question, "answer": train.answer, "topic": test.topic}
    summary = update([write(tmp_path / "new.csv", [row])], corpus, options())
    assert (summary["changed"], summary["joined_two_sides"]) == (1, 1)
    assert splits_of(corpus)[test.id] == "test"
    assert report_of(corpus)["certificate"]["split"]["test/train"]["pairs_sharing_answer"] == 1


def test_a_text_that_comes_back_under_another_id_stays_in_its_split(tmp_path):
    rows = rows_with_ids(topics=12)
    out = tmp_path / "corpus"
    ingest([write(tmp_path / "raw.csv", rows)], out, options())
    for old in read_corpus(out).pairs:
        row = next(r for r in rows if r["id"] == old.id)
        edited = row | {
            "question": "What is entirely new?",
            "answer": "Something that nobody asked before.",
            "topic": "N",
        }
        back = row | {"id": "back", "topic": "Of its own"}
        copy = tmp_path / f"of-{old.id}"
        shutil.copytree(out, copy)
        update([write(tmp_path / f"{old.id}.csv", [edited, back])], copy, options())
        found = {p.id: p for p in read_corpus(copy).pairs}
        assert (found["back"].question, found["back"].split) == (old.question, old.split)
        assert (found[old.id].question, found[old.id].split) == ("What is entirely new?", old.split)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
@example(255)  # a changed row whose former text comes back under another id
def test_whatever_comes_no_old_row_moves_and_every_row_is_accounted_for(tmp_path_factory, seed):
    """Random additions, edits and bridges; with two_sided=drop nothing may straddle."""
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("u")
    rows = (rows_with_ids if rng.random() < 0.5 else make_rows)(topics=12, seed=seed)
    out = folder / "corpus"
    ingest([write(folder / "raw.csv", rows)], out, options())
    before = {(p.question, p.answer): p.split for p in read_corpus(out).pairs}
    new = []
    for n in range(rng.randrange(1, 12)):
        base = dict(rng.choice(rows))
        base["id"] = rng.choice([f"x{n}", base.get("id", f"y{n}")])
        for field in rng.sample(["question", "answer", "topic"], rng.randrange(3)):
            base[field] = rng.choice([rng.choice(rows)[field], prose(rng, 12), base[field] + " more"])
        new.append(base)
    source = write(folder / "new.csv", new, columns=COLUMNS if "id" in rows[0] else COLUMNS[1:])
    update([source], out, options("split.two_sided=drop"))
    after = read_corpus(out).pairs
    for pair in after:
        assert before.get((pair.question, pair.answer), pair.split) == pair.split
    report = report_of(out)
    assert report["rows"]["in"] == report["rows"]["kept"] + report["rows"]["dropped"]
    assert report["rows"]["kept"] == len(after) == len({p.id for p in after})
    assert len(dropped(out)) == report["rows"]["dropped"]
    for counts in report["certificate"]["split"].values():
        assert not any(counts.values())


def test_related_sides_leave_the_row_itself_out():
    pairs = [
        QAPair("a", "What is X?", "one", topic="X"),
        QAPair("b", "Else?", "two", topic="x"),
        QAPair("c", "Other?", "Two!", topic="Z", synonyms=("Y",)),
        QAPair("d", "Which?", "four", topic="Y"),
        QAPair("e", "Alone?", "five"),
    ]
    splits = np.array(["train", "test", "", "validation", "test"], dtype="U10")
    near = SimilarPairs(np.array([4]), np.array([0]), np.ones(1))
    sides = related_sides(pair_keys(pairs), splits, near, by_topic=True, synonyms=True)
    # a: b by topic, e by likeness; b: a by topic; c: b by answer, d by name; d: nobody with a split; e: a.
    assert sides.tolist() == [TEST, TRAIN, TEST | VALIDATION, 0, TRAIN]
    sides = related_sides(pair_keys(pairs), splits, near, by_topic=False, synonyms=True)
    assert sides.tolist() == [TEST, 0, TEST, 0, TRAIN]


def test_placing_worked_by_hand():
    sides = [TEST, 0, 0, TRAIN, TEST, 0, TRAIN | TEST, VALIDATION]
    component = [0, 0, 1, 2, 2, 2, 3, 4]
    placed = place_added(sides, component, "train")
    assert placed.split == ["test", "test", None, "train", "test", "train", "train", "validation"]
    assert placed.two_sided == [False, False, False, False, False, True, True, False]
    placed = place_added(sides, component, "drop")
    assert placed.two_sided == [False, False, False, False, True, False, True, False]
    assert placed.split[3] == placed.split[5] == "train"
