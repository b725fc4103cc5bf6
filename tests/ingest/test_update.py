import csv
import json
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
from ingest.rules import EXACT_DUPLICATE, JOINS_TWO_SIDES, REMOVED, REPLACED, SHORT_ANSWER
from ingest.similarity import SimilarPairs
from ingest.update import place_added, related_sides
from ingest.updating import update
from medqa.cli import main
from medqa.errors import MedqaError
from medqa.records import QAPair
from medqa.settings import load_settings

FIELDS = ("id", "question", "answer", "topic", "question_type", "synonyms")
TRAIN, VALIDATION, TEST = 1, 2, 4


def options(*overrides):
    return load_settings(None, overrides)


def prose(rng, words=40):
    return " ".join(f"word{rng.randrange(5000)}" for _ in range(words))


def make_rows(topics=30, ids=True, seed=0):
    rng = random.Random(seed)
    rows = []
    for t in range(topics):
        for kind in ("information", "symptoms", "treatment"):
            row = {
                "question": f"The {kind} of disease{t}?",
                "answer": prose(rng),
                "topic": f"T{t}",
                "question_type": kind,
            }
            rows.append({"id": f"{t}-{kind}", **row} if ids else row)
    return rows


def write(path, rows, columns=FIELDS):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [c for c in columns if any(c in r for r in rows)], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def splits_of(corpus):
    return {p.id: p.split for p in read_corpus(corpus).pairs}


def report_of(corpus):
    return json.loads((corpus / "report.json").read_text())


def dropped(corpus):
    with (corpus / "dropped.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def corpus(tmp_path):
    out = tmp_path / "corpus"
    ingest([write(tmp_path / "raw.csv", make_rows())], out, options())
    return out


def topic_in(corpus, split):
    return next(p.topic for p in read_corpus(corpus).pairs if p.split == split)


def test_adds_changes_removes_and_moves_nothing(tmp_path, corpus):
    before = splits_of(corpus)
    rows = make_rows()
    rows[4]["answer"] = prose(random.Random(5))
    gone = rows.pop(10)
    rng = random.Random(9)
    rows += [
        {"id": f"new{n}", "question": f"What is thing{n}?", "answer": prose(rng), "topic": f"N{n}"} for n in range(20)
    ]
    rows.append({"id": "bad", "question": "What is bad?", "answer": "no"})
    source = write(tmp_path / "new.csv", rows)

    told = []
    summary = update([source], corpus, options(), announce=told.append)
    counted = {k: summary[k] for k in ("added", "changed", "removed", "already_there", "not_in_the_new_data")}
    assert counted == {"added": 20, "changed": 1, "removed": 0, "already_there": 88, "not_in_the_new_data": 1}
    assert told[0]["diff"]["changed"] == [
        {"id": rows[4]["id"], "split": before[rows[4]["id"]], "question": rows[4]["question"]}
    ]
    after = splits_of(corpus)
    assert {i: after[i] for i in before} == before
    assert len(after) == 110
    pairs = {p.id: p for p in read_corpus(corpus).pairs}
    assert pairs[rows[4]["id"]].answer == rows[4]["answer"]
    assert gone["id"] in pairs  # not pruned
    reasons = Counter(d["reason"] for d in dropped(corpus))
    assert reasons == {REPLACED: 1, SHORT_ANSWER: 1}
    report = report_of(corpus)
    assert report["rows"]["in"] == report["rows"]["kept"] + report["rows"]["dropped"] == 112
    assert report["update"]["joined_two_sides"] == 0

    again = update([source], corpus, options())
    assert (again["added"], again["changed"], again["reused"]) == (0, 0, True)

    pruned = update([source], corpus, options(), prune=True)
    assert pruned["removed"] == 1
    assert gone["id"] not in splits_of(corpus)
    assert [d["detail"] for d in dropped(corpus) if d["reason"] == REMOVED] == [
        f"id {gone['id']}, was in {before[gone['id']]}"
    ]


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


def test_dry_run_tells_and_writes_nothing(tmp_path, corpus):
    before = {p.name: p.read_bytes() for p in corpus.iterdir()}
    rows = make_rows()[:-1]
    rows[0]["answer"] = "Now it says something else."
    summary = update([write(tmp_path / "new.csv", rows)], corpus, options(), prune=True, dry_run=True)
    assert (summary["changed"], summary["removed"], summary["dry_run"]) == (1, 1, True)
    assert {p.name: p.read_bytes() for p in corpus.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_failed_update_leaves_the_corpus_as_it_was(tmp_path, corpus, monkeypatch):
    before = {p.name: p.read_bytes() for p in corpus.iterdir()}

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.writing.write_parquet", full_disk)
    rows = [{"id": "n", "question": "What is new here?", "answer": prose(random.Random(1)), "topic": "N"}]
    with pytest.raises(OSError, match="No space"):
        update([write(tmp_path / "new.csv", rows)], corpus, options())
    assert {p.name: p.read_bytes() for p in corpus.iterdir()} == before


def test_large_removals_want_force(tmp_path, corpus):
    source = write(tmp_path / "new.csv", make_rows()[:60])
    with pytest.raises(MedqaError, match=r"at most a tenth of the 90 rows .* found 30 to remove"):
        update([source], corpus, options(), prune=True)
    assert len(splits_of(corpus)) == 90
    assert update([source], corpus, options(), prune=True, force=True)["removed"] == 30
    with pytest.raises(MedqaError, match="--prune or --limit"):
        update([source], corpus, options(), prune=True, limit=5)


def test_without_ids_a_row_is_known_by_its_text_or_by_its_question(tmp_path):
    out = tmp_path / "corpus"
    rows = [*make_rows(ids=False), {"question": "Asked twice?", "answer": "The first of two.", "topic": "Z"}]
    rows.append({"question": "Asked twice?", "answer": "The second of two answers.", "topic": "Z"})
    ingest([write(tmp_path / "raw.csv", rows)], out, options())
    before = {p.question: p for p in read_corpus(out).pairs}
    new = [
        {"question": rows[0]["question"].upper(), "answer": rows[0]["answer"], "topic": "T0"},  # same text, new case
        {"question": rows[1]["question"], "answer": prose(random.Random(6))},  # another answer
        {"question": rows[2]["question"], "answer": rows[2]["answer"]},  # as it is
        {"question": "Asked twice?", "answer": "A third answer of all."},  # which of the two would it replace?
    ]
    summary = update([write(tmp_path / "other-name.csv", new)], out, options())
    assert {k: summary[k] for k in ("added", "changed", "already_there")} == {
        "added": 1,
        "changed": 2,
        "already_there": 1,
    }
    after = {p.question: p for p in read_corpus(out).pairs}
    changed = after[rows[1]["question"]]
    assert (changed.id, changed.topic) == (before[rows[1]["question"]].id, "T0")  # id and particulars stay
    assert changed.answer == new[1]["answer"]
    assert sum(p.question == "Asked twice?" for p in read_corpus(out).pairs) == 3
    assert {p.source for p in read_corpus(out).pairs} == {"raw.csv", "other-name.csv"}


def test_the_same_text_under_a_new_id_is_a_duplicate(tmp_path, corpus):
    row = {**make_rows()[7], "id": "other"}
    summary = update([write(tmp_path / "new.csv", [row])], corpus, options())
    assert (summary["added"], summary["changed"]) == (0, 0)
    assert [(d["reason"], d["detail"]) for d in dropped(corpus)] == [
        (EXACT_DUPLICATE, f"of corpus id {make_rows()[7]['id']}, row 0")
    ]
    assert len(splits_of(corpus)) == 90


def test_an_updated_corpus_is_not_made_afresh_by_accident(tmp_path, corpus):
    rows = [{"id": "n", "question": "What is new here?", "answer": prose(random.Random(1)), "topic": "N"}]
    update([write(tmp_path / "new.csv", rows)], corpus, options())
    with pytest.raises(MedqaError, match="1 updates, whose rows would change split; add new data with --update"):
        ingest([tmp_path / "raw.csv"], corpus, options())
    history = json.loads((corpus / "manifest.json").read_text())["updates"]
    assert [h["rows"]["added"] for h in history] == [1]


def test_the_settings_that_made_the_corpus_count(tmp_path):
    out = tmp_path / "corpus"
    ingest([write(tmp_path / "raw.csv", make_rows())], out, options("ingest.lowercase=true", "seed=7"))
    rows = [{"id": "n", "question": "What is NEW Here?", "answer": "It is SOMETHING else.", "topic": "N"}]
    update([write(tmp_path / "new.csv", rows)], out, options())
    assert next(p for p in read_corpus(out).pairs if p.id == "n").answer == "it is something else."


def test_no_corpus_to_update(tmp_path):
    with pytest.raises(MedqaError, match="wanted a corpus folder, found none"):
        update([write(tmp_path / "raw.csv", make_rows())], tmp_path / "nothing", options())


def test_a_text_that_comes_back_under_another_id_stays_in_its_split(tmp_path):
    rows = make_rows(topics=12)
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
    rows = make_rows(topics=12, ids=rng.random() < 0.5, seed=seed)
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


def test_the_command_line_prints_the_difference_and_refuses_flags_without_a_corpus(tmp_path, corpus, capsys):
    rows = make_rows()
    rows[0]["answer"] = "Now it says something else."
    rows[-1] = {"id": "n", "question": "What is new here?", "answer": "Something that nobody knew.", "topic": "N"}
    source = write(tmp_path / "new.csv", rows)
    assert main(["ingest", str(source), "--update", str(corpus), "--prune", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    split = splits_of(corpus)
    assert lines[0].split() == ["+", "n", "What", "is", "new", "here?"]
    assert lines[1].split()[:3] == ["~", "0-information", split["0-information"]]
    assert lines[2].split()[:3] == ["-", "29-treatment", split["29-treatment"]]
    assert main(["ingest", str(source), "--update", str(corpus), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["added"], told["changed"], told["removed"], told["kept"]) == (1, 1, 0, 91)
    assert [r["id"] for r in told["diff"]["added"]] == ["n"]
    for flag in ("--prune", "--dry-run", "--force"):
        assert main(["ingest", str(source), flag]) == 2
        assert f"wanted --update CORPUS with {flag}" in capsys.readouterr().err
    assert main(["ingest", str(source), "--update", str(corpus), "--out", "x"]) == 2
