"""An update adds, changes and removes rows, tells what it does, and undoes nothing by accident."""

import json
import random
from collections import Counter

import pytest

from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.rules import EXACT_DUPLICATE, REMOVED, REPLACED, SHORT_ANSWER
from ingest.updating import update
from medqa.cli import main
from medqa.errors import MedqaError

from .conftest import dropped, make_rows, options, prose, report_of, rows_with_ids, splits_of, write


def test_adds_changes_removes_and_moves_nothing(tmp_path, corpus):
    before = splits_of(corpus)
    rows = rows_with_ids()
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


def test_dry_run_tells_and_writes_nothing(tmp_path, corpus):
    before = {p.name: p.read_bytes() for p in corpus.iterdir()}
    rows = rows_with_ids()[:-1]
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
    source = write(tmp_path / "new.csv", rows_with_ids()[:60])
    with pytest.raises(MedqaError, match=r"at most a tenth of the 90 rows .* found 30 to remove"):
        update([source], corpus, options(), prune=True)
    assert len(splits_of(corpus)) == 90
    assert update([source], corpus, options(), prune=True, force=True)["removed"] == 30
    with pytest.raises(MedqaError, match="--prune or --limit"):
        update([source], corpus, options(), prune=True, limit=5)


def test_without_ids_a_row_is_known_by_its_text_or_by_its_question(tmp_path):
    out = tmp_path / "corpus"
    rows = [*make_rows(topics=30), {"question": "Asked twice?", "answer": "The first of two.", "topic": "Z"}]
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
    row = {**rows_with_ids()[7], "id": "other"}
    summary = update([write(tmp_path / "new.csv", [row])], corpus, options())
    assert (summary["added"], summary["changed"]) == (0, 0)
    assert [(d["reason"], d["detail"]) for d in dropped(corpus)] == [
        (EXACT_DUPLICATE, f"of corpus id {rows_with_ids()[7]['id']}, row 0")
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
    ingest([write(tmp_path / "raw.csv", rows_with_ids())], out, options("ingest.lowercase=true", "seed=7"))
    rows = [{"id": "n", "question": "What is NEW Here?", "answer": "It is SOMETHING else.", "topic": "N"}]
    update([write(tmp_path / "new.csv", rows)], out, options())
    assert next(p for p in read_corpus(out).pairs if p.id == "n").answer == "it is something else."


def test_no_corpus_to_update(tmp_path):
    with pytest.raises(MedqaError, match="wanted a corpus folder, found none"):
        update([write(tmp_path / "raw.csv", rows_with_ids())], tmp_path / "nothing", options())


def test_the_command_line_prints_the_difference_and_refuses_flags_without_a_corpus(tmp_path, corpus, capsys):
    rows = rows_with_ids()
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
