import csv
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from ingest.command import ingest
from ingest.corpus import COLUMNS, read_corpus
from ingest.rules import EXACT_DUPLICATE, NEAR_DUPLICATE, UNREADABLE
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.settings import load_settings

FILES = {
    "pairs.parquet", "train.csv", "validation.csv", "test.csv", "dropped.csv", "report.json", "report.md", "manifest.json",
    "report.html", "phi.csv",
}  # fmt: skip
TYPES = ("information", "symptoms", "treatment")


def settings(*overrides):
    return load_settings(None, overrides)


def make_rows(topics=40):
    """Three questions per topic with answers of random words; nothing is near anything else."""
    rng = random.Random(0)
    rows = []
    for t in range(topics):
        for kind in TYPES:
            answer = " ".join(f"word{rng.randrange(3000)}" for _ in range(40))
            rows.append(
                {"question": f"The {kind} of disease{t}?", "answer": answer, "topic": f"T{t}", "question_type": kind}
            )
    return rows


def write(path: Path, rows, columns=("question", "answer", "topic", "question_type")):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "raw.csv", make_rows())


def test_corpus_folder_holds_what_the_contract_says(tmp_path, source):
    out = tmp_path / "corpus"
    summary = ingest([source], out, settings())
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
    ingest([source], out, settings())
    table = pq.read_table(out / "pairs.parquet")
    assert tuple(table.column_names) == COLUMNS
    rows = [{**r, "synonyms": tuple(r["synonyms"])} for r in table.to_pylist()]
    assert rows == [{c: getattr(p, c) for c in COLUMNS} for p in read_corpus(out).pairs]


def test_datasets_loads_the_output(tmp_path, source):
    import datasets

    out, cache = tmp_path / "corpus", str(tmp_path / "cache")
    ingest([source], out, settings())
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
    ingest([first], tmp_path / "one", settings())
    ingest([second], tmp_path / "two", settings())
    for name in ("pairs.parquet", "train.csv", "validation.csv", "test.csv", "report.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_unchanged_corpus_is_reused_and_a_changed_one_replaced(tmp_path, source):
    out = tmp_path / "corpus"
    first = ingest([source], out, settings())
    stamp = (out / "manifest.json").stat().st_mtime_ns
    again = ingest([source], out, settings())
    assert again == {**first, "reused": True}
    assert (out / "manifest.json").stat().st_mtime_ns == stamp
    assert ingest([source], out, settings("seed=1"))["reused"] is False
    assert ingest([source], out, settings("seed=1"), limit=30)["kept"] == 30
    with source.open("a") as stream:
        stream.write("Something else entirely?,with a new answer,T99,information\n")
    assert ingest([source], out, settings("seed=1"))["kept"] == 121


def test_damaged_corpus_is_made_again(tmp_path, source):
    out = tmp_path / "corpus"
    ingest([source], out, settings())
    before = (out / "train.csv").read_bytes()
    (out / "train.csv").write_text("edited")
    assert ingest([source], out, settings())["reused"] is False
    assert (out / "train.csv").read_bytes() == before


def test_failed_run_leaves_the_corpus_untouched(tmp_path, source, monkeypatch):
    out = tmp_path / "corpus"
    ingest([source], out, settings())
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.writing.write_parquet", full_disk)
    with pytest.raises(OSError):
        ingest([source], out, settings("seed=1"))
    bad = tmp_path / "bad.csv"
    bad.write_text("question,answer\nWhy?,Because.\n")
    with pytest.raises(MedqaError):
        ingest([bad], out, settings())
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"raw.csv", "bad.csv", "corpus"}


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_other_folders_are_never_replaced(tmp_path, source, name):
    out = tmp_path / "precious"
    out.mkdir()
    (out / name).write_text('{"kind": "index"}')
    with pytest.raises(MedqaError, match="wanted a corpus"):
        ingest([source], out, settings())
    assert [p.name for p in out.iterdir()] == [name]
    with pytest.raises(MedqaError, match="wanted a folder for the corpus"):
        ingest([source], source, settings())


def test_nothing_left_names_the_reasons(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("question,answer\nWhy?,Because of it.\nHow?,Like this here.\n,x\n")
    with pytest.raises(MedqaError, match=r"found none of 3: ambiguous question \(2\), missing question \(1\)"):
        ingest([bad], tmp_path / "corpus", settings())
    bad.write_text("question,answer\n")
    with pytest.raises(MedqaError, match="found a header only"):
        ingest([bad], tmp_path / "corpus", settings())
    assert not (tmp_path / "corpus").exists()


def test_missing_source_and_no_source(tmp_path):
    with pytest.raises(MedqaError, match="found nothing there"):
        ingest([tmp_path / "none.csv"], tmp_path / "corpus", settings())
    with pytest.raises(MedqaError, match="wanted at least one input"):
        ingest([], tmp_path / "corpus", settings())


def test_dropped_rows_are_listed_with_place_and_reason(tmp_path):
    rows = make_rows()
    rows.insert(2, {**rows[0], "question": "  " + rows[0]["question"].upper()})
    source = write(tmp_path / "raw.csv", rows)
    with source.open("a") as stream:
        stream.write("one,two,three,four,five\n")
    out = tmp_path / "corpus"
    summary = ingest([source], out, settings())
    assert (summary["in"], summary["kept"], summary["dropped"]) == (122, 120, 2)
    with (out / "dropped.csv").open(newline="") as stream:
        dropped = list(csv.DictReader(stream))
    assert [(d["source"], d["row"], d["reason"]) for d in dropped] == [
        ("raw.csv", "4", EXACT_DUPLICATE),
        ("raw.csv", "123", UNREADABLE),
    ]
    assert dropped[0]["detail"] == "of raw.csv row 2"


def test_near_duplicates_stay_together_or_are_dropped(tmp_path):
    rows = make_rows()
    near = [{**r, "question": r["question"][:-1] + " now?", "topic": f"N{n}"} for n, r in enumerate(rows[::5])]
    source = write(tmp_path / "raw.csv", rows + near)
    out = tmp_path / "corpus"
    ingest([source], out, settings())
    near_report = report_of(out)["near_duplicates"]
    assert (near_report["sets"], near_report["rows"], near_report["largest"]) == (24, 48, 2)
    split_of = {p.topic: p.split for p in read_corpus(out).pairs}
    topics = [(r["topic"], n["topic"]) for r, n in zip(rows[::5], near, strict=True)]
    assert all(split_of[a] == split_of[b] for a, b in topics)
    assert report_of(out)["certificate"]["random"]["test/train"]["near_duplicate_pairs"] > 0

    summary = ingest([source], out, settings("ingest.drop_near_duplicates=true"))
    assert summary["dropped_by_reason"] == {NEAR_DUPLICATE: 24}
    assert summary["kept"] == 120


def test_certificate_repairs_what_the_hashing_misses(tmp_path, monkeypatch):
    """With a blind near-duplicate search, the exhaustive comparison alone must keep pairs together."""
    from ingest.groups import UnionFind

    monkeypatch.setattr("ingest.build.near_duplicate_sets", lambda sets, join, threshold: UnionFind(len(sets)))
    rows = make_rows()
    near = [
        {**r, "question": r["question"][:-1] + " now?", "topic": f"N{n}", "answer": r["answer"] + " x"}
        for n, r in enumerate(rows[::2])
    ]
    out = tmp_path / "corpus"
    ingest([write(tmp_path / "raw.csv", rows + near)], out, settings())
    certificate = report_of(out)["certificate"]
    for crossing in ("test/train", "validation/train", "test/validation"):
        assert certificate["split"][crossing]["near_duplicate_pairs"] == 0
    assert certificate["random"]["test/train"]["near_duplicate_pairs"] > 0


def test_split_by_cluster_lets_topics_straddle(tmp_path, source):
    ingest([source], tmp_path / "c", settings("split.by=cluster"))
    counts = report_of(tmp_path / "c")["certificate"]["split"]["test/train"]
    assert counts["pairs_sharing_topic"] > 0
    assert counts["pairs_sharing_question"] == counts["pairs_sharing_answer"] == counts["near_duplicate_pairs"] == 0
    assert report_of(tmp_path / "c")["groups"]["count"] == 120


def test_without_topics_the_count_is_null(tmp_path):
    source = write(tmp_path / "raw.csv", make_rows(), columns=("question", "answer"))
    ingest([source], tmp_path / "c", settings())
    assert report_of(tmp_path / "c")["certificate"]["split"]["test/train"]["pairs_sharing_topic"] is None


def test_one_topic_for_all_is_reported_with_the_way_out(tmp_path):
    source = write(tmp_path / "raw.csv", [{**r, "topic": "Medicine"} for r in make_rows()])
    summary = ingest([source], tmp_path / "c", settings())
    assert summary["splits"] == {"train": 120, "validation": 0, "test": 0}
    assert any("split.by=cluster" in w for w in summary["warnings"])
    certificate = report_of(tmp_path / "c")["certificate"]
    assert certificate["split"]["test/train"]["share_of_rows_sharing_question_or_answer"] is None
    assert certificate["closest"]["jaccard"] is None and certificate["closest"]["reason"]


def test_several_sources_and_column_mapping(tmp_path, source):
    other = tmp_path / "other.jsonl"
    other.write_text('{"frage": "What is a new thing?", "answer": "It is an old thing.", "id": "x"}\n')
    summary = ingest([source, other], tmp_path / "c", settings("ingest.columns.question=frage"))
    assert summary["in"] == 121
    assert {p.source for p in read_corpus(tmp_path / "c").pairs} == {"raw.csv", "other.jsonl"}


def test_report_page_names_the_figures(tmp_path, source):
    ingest([source], tmp_path / "c", settings())
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
    ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", settings())
    [pair] = read_corpus(tmp_path / "c").pairs
    assert (pair.question, pair.answer) == (rows[0]["question"], rows[0]["answer"])


def test_topics_that_share_a_synonym_share_a_split(tmp_path):
    rows = [{**r, "synonyms": f"family{int(r['topic'][1:]) // 2}"} for r in make_rows()]
    source = write(tmp_path / "raw.csv", rows, columns=("question", "answer", "topic", "question_type", "synonyms"))
    ingest([source], tmp_path / "c", settings())
    report = report_of(tmp_path / "c")
    assert report["groups"]["count"] == 20
    assert report["certificate"]["split"]["test/train"]["rows_sharing_topic_or_synonym"] == 0
    assert report["certificate"]["random"]["test/train"]["rows_sharing_topic_or_synonym"] > 0
    ingest([source], tmp_path / "d", settings("split.synonyms=false"))
    assert report_of(tmp_path / "d")["groups"]["count"] == 40
    assert report_of(tmp_path / "d")["certificate"]["split"]["test/train"]["rows_sharing_topic_or_synonym"] > 0


def test_boilerplate_is_reported_and_kept(tmp_path):
    rows = make_rows() + [
        {"question": f"Where is help for X{n}?", "answer": "Ask your doctor.", "topic": f"X{n}"} for n in range(7)
    ]
    summary = ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", settings())
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
    ingest([write(tmp_path / "raw.csv", rows)], tmp_path / "c", settings("split.validation=0", "split.test=0"))
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
