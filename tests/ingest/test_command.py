"""The verb: what the corpus folder holds, when it is made again, and what is never touched."""

import csv
import random
from collections import Counter

import pytest

from ingest.command import ingest
from ingest.corpus import COLUMNS, read_corpus
from ingest.rules import EXACT_DUPLICATE, UNREADABLE
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.settings import load_settings

from .conftest import make_rows, options, report_of, write

FILES = {
    "pairs.parquet", "train.csv", "validation.csv", "test.csv", "dropped.csv", "report.json", "report.md", "manifest.json",
    "report.html", "phi.csv",
}  # fmt: skip


def test_corpus_folder_holds_what_the_contract_says(tmp_path, source):
    out = tmp_path / "corpus"
    summary = ingest([source], out, options())
    assert {p.name for p in out.iterdir()} == FILES
    assert summary["kept"] == 120 and summary["reused"] is False
    corpus = read_corpus(out)
    assert len(corpus.pairs) == 120
    assert Counter(p.split for p in corpus.pairs) == summary["splits"] == {"train": 96, "validation": 12, "test": 12}
    by_topic = {}
    for pair in corpus.pairs:
        assert by_topic.setdefault(pair.topic, (pair.split, pair.cluster)) == (pair.split, pair.cluster)
        assert pair.source == "raw.csv"


def test_parquet_and_csv_hold_the_same_rows(tmp_path, source):
    import pyarrow.parquet as pq

    out = tmp_path / "corpus"
    ingest([source], out, options())
    table = pq.read_table(out / "pairs.parquet")
    assert tuple(table.column_names) == COLUMNS
    rows = [{**r, "synonyms": tuple(r["synonyms"])} for r in table.to_pylist()]
    assert rows == [{c: getattr(p, c) for c in COLUMNS} for p in read_corpus(out).pairs]


def test_datasets_loads_the_output(tmp_path, source):
    import datasets

    out, cache = tmp_path / "corpus", str(tmp_path / "cache")
    ingest([source], out, options())
    files = {s: str(out / f"{s}.csv") for s in ("train", "validation", "test")}
    loaded = datasets.load_dataset("csv", data_files=files, cache_dir=cache)
    assert {s: loaded[s].num_rows for s in loaded} == {"train": 96, "validation": 12, "test": 12}
    assert loaded["test"].column_names == list(COLUMNS)
    whole = datasets.load_dataset("parquet", data_files=str(out / "pairs.parquet"), split="train", cache_dir=cache)
    assert whole.num_rows == 120


def test_order_of_rows_changes_nothing(tmp_path, drawn):
    rows = make_rows()
    rows += [{**rows[0], "question": rows[0]["question"].upper()}, {**rows[5], "answer": rows[5]["answer"] + " more"}]
    first = write(tmp_path / "a" / "raw.csv", rows) if (tmp_path / "a").mkdir() is None else None
    second = (
        write(tmp_path / "b" / "raw.csv", random.Random(3).sample(rows, len(rows)))
        if (tmp_path / "b").mkdir() is None
        else None
    )
    ingest([first], tmp_path / "one", options())
    ingest([second], tmp_path / "two", options())
    for name in ("pairs.parquet", "train.csv", "validation.csv", "test.csv", "report.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_unchanged_corpus_is_reused_and_a_changed_one_replaced(tmp_path, source):
    out = tmp_path / "corpus"
    first = ingest([source], out, options())
    stamp = (out / "manifest.json").stat().st_mtime_ns
    again = ingest([source], out, options())
    assert again == {**first, "reused": True}
    assert (out / "manifest.json").stat().st_mtime_ns == stamp
    assert ingest([source], out, options("seed=1"))["reused"] is False
    assert ingest([source], out, options("seed=1"), limit=30)["kept"] == 30
    with source.open("a") as stream:
        stream.write("Something else entirely?,with a new answer,T99,information\n")
    assert ingest([source], out, options("seed=1"))["kept"] == 121


def test_damaged_corpus_is_made_again(tmp_path, source):
    out = tmp_path / "corpus"
    ingest([source], out, options())
    before = (out / "train.csv").read_bytes()
    (out / "train.csv").write_text("edited")
    assert ingest([source], out, options())["reused"] is False
    assert (out / "train.csv").read_bytes() == before


def test_failed_run_leaves_the_corpus_untouched(tmp_path, source, monkeypatch):
    out = tmp_path / "corpus"
    ingest([source], out, options())
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.writing.write_parquet", full_disk)
    with pytest.raises(OSError):
        ingest([source], out, options("seed=1"))
    bad = tmp_path / "bad.csv"
    bad.write_text("question,answer\nWhy?,Because.\n")
    with pytest.raises(MedqaError):
        ingest([bad], out, options())
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"raw.csv", "bad.csv", "corpus"}


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_other_folders_are_never_replaced(tmp_path, source, name):
    out = tmp_path / "precious"
    out.mkdir()
    (out / name).write_text('{"kind": "index"}')
    with pytest.raises(MedqaError, match="wanted a corpus"):
        ingest([source], out, options())
    assert [p.name for p in out.iterdir()] == [name]
    with pytest.raises(MedqaError, match="wanted a folder for the corpus"):
        ingest([source], source, options())


def test_nothing_left_names_the_reasons(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("question,answer\nWhy?,Because of it.\nHow?,Like this here.\n,x\n")
    with pytest.raises(MedqaError, match=r"found none of 3: ambiguous question \(2\), missing question \(1\)"):
        ingest([bad], tmp_path / "corpus", options())
    bad.write_text("question,answer\n")
    with pytest.raises(MedqaError, match="found a header only"):
        ingest([bad], tmp_path / "corpus", options())
    assert not (tmp_path / "corpus").exists()


def test_missing_source_and_no_source(tmp_path):
    with pytest.raises(MedqaError, match="found nothing there"):
        ingest([tmp_path / "none.csv"], tmp_path / "corpus", options())
    with pytest.raises(MedqaError, match="wanted at least one input"):
        ingest([], tmp_path / "corpus", options())


def test_dropped_rows_are_listed_with_place_and_reason(tmp_path):
    rows = make_rows()
    rows.insert(2, {**rows[0], "question": "  " + rows[0]["question"].upper()})
    source = write(tmp_path / "raw.csv", rows)
    with source.open("a") as stream:
        stream.write("one,two,three,four,five\n")
    out = tmp_path / "corpus"
    summary = ingest([source], out, options())
    assert (summary["in"], summary["kept"], summary["dropped"]) == (122, 120, 2)
    with (out / "dropped.csv").open(newline="") as stream:
        dropped = list(csv.DictReader(stream))
    assert [(d["source"], d["row"], d["reason"]) for d in dropped] == [
        ("raw.csv", "4", EXACT_DUPLICATE),
        ("raw.csv", "123", UNREADABLE),
    ]
    assert dropped[0]["detail"] == "of raw.csv row 2"


def test_several_sources_and_column_mapping(tmp_path, source):
    other = tmp_path / "other.jsonl"
    other.write_text('{"frage": "What is a new thing?", "answer": "It is an old thing.", "id": "x"}\n')
    summary = ingest([source, other], tmp_path / "c", options("ingest.columns.question=frage"))
    assert summary["in"] == 121
    assert {p.source for p in read_corpus(tmp_path / "c").pairs} == {"raw.csv", "other.jsonl"}


def test_report_page_names_the_figures(tmp_path, source):
    ingest([source], tmp_path / "c", options())
    page = (tmp_path / "c" / "report.md").read_text()
    assert "120 rows read, 120 kept, 0 dropped." in page
    assert "| test/train | pairs sharing topic | 0 |" in page
    for heading in ("## Splits", "## Certificate", "## Question types", "## Sources", "## Near-duplicates and groups"):
        assert heading in page


def test_the_seed_recipe_lower_cases_drops_odd_characters_and_lets_topics_straddle(tmp_path):
    rows = [
        *make_rows(),
        {"question": "What is ☺ FEVER?", "answer": "A Temperature ≈ 38.5 °C (“high”).", "topic": "T0"},
    ]
    settings = load_settings(PROJECT / "configs" / "ingest-seed.yaml")
    ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", settings)
    pairs = read_corpus(tmp_path / "c").pairs
    fever = next(p for p in pairs if "fever" in p.question)
    assert (fever.question, fever.answer) == ("what is fever?", "a temperature 38.5 °c (high).")
    assert all(p.question == p.question.lower() and p.answer == p.answer.lower() for p in pairs)
    assert report_of(tmp_path / "c")["certificate"]["split"]["test/train"]["pairs_sharing_topic"] > 0


def test_default_keeps_the_case_and_the_signs(tmp_path):
    rows = [{"question": "What is FEVER?", "answer": "A Temperature ≈ 38.5 °C (“high”).", "topic": "T0"}]
    ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", options())
    [pair] = read_corpus(tmp_path / "c").pairs
    assert (pair.question, pair.answer) == (rows[0]["question"], rows[0]["answer"])


def test_boilerplate_is_reported_and_kept(tmp_path):
    rows = make_rows() + [
        {"question": f"Where is help for X{n}?", "answer": "Ask your doctor.", "topic": f"X{n}"} for n in range(7)
    ]
    summary = ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", options())
    assert summary["kept"] == 127
    report = report_of(tmp_path / "c")
    assert report["boilerplate"] == {"least": 5, "answers": 1, "rows": 7}
    assert report["repeated_answers"] == [{"rows": 7, "topics": 7, "answer": "Ask your doctor."}]


def test_figures_of_the_report_worked_by_hand(tmp_path):
    rows = [
        {"question": "What is gout?", "answer": "A painful disease.", "topic": "Gout", "question_type": "information"},
        {"question": "What causes gout?", "answer": "Uric acid in joints.", "topic": "gout", "question_type": "causes"},
        {"question": "What is croup?", "answer": "A barking cough.", "topic": "Croup", "question_type": "information"},
        {"question": "Is it raining today?", "answer": "Not here anyway.", "topic": "", "question_type": ""},
    ]
    ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", options("split.validation=0", "split.test=0"))
    report = report_of(tmp_path / "c")
    assert report["cluster_sizes"] == {"1": 2, "2": 1}
    frequent = [(name.lower(), rows) for name, rows in report["topics"].pop("most_frequent")]
    assert frequent == [("gout", 2), ("croup", 1)]
    assert report["topics"] == {"topics": 2, "rows_with_topic": 3, "sizes": {"1": 1, "2": 1}}
    questions = report["lengths"]["question"]
    assert dict(zip(questions["edges"], questions["train"], strict=False))[2] == 3  # three words: bin 2-3
    assert dict(zip(questions["edges"], questions["train"], strict=False))[4] == 1
    assert sum(report["lengths"]["answer"]["train"]) == 4
    assert report["by_type"]["information"] == {"train": 2, "validation": 0, "test": 0}
