"""What belongs together stays in one split, and the certificate counts what does not."""

from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.rules import NEAR_DUPLICATE

from .conftest import make_rows, options, report_of, write


def test_near_duplicates_stay_together_or_are_dropped(tmp_path):
    rows = make_rows()
    near = [{**r, "question": r["question"][:-1] + " now?", "topic": f"N{n}"} for n, r in enumerate(rows[::5])]
    source = write(tmp_path / "raw.csv", rows + near)
    out = tmp_path / "corpus"
    ingest([source], out, options())
    near_report = report_of(out)["near_duplicates"]
    assert (near_report["sets"], near_report["rows"], near_report["largest"]) == (24, 48, 2)
    split_of = {p.topic: p.split for p in read_corpus(out).pairs}
    topics = [(r["topic"], n["topic"]) for r, n in zip(rows[::5], near, strict=True)]
    assert all(split_of[a] == split_of[b] for a, b in topics)
    assert report_of(out)["certificate"]["random"]["test/train"]["near_duplicate_pairs"] > 0

    summary = ingest([source], out, options("ingest.drop_near_duplicates=true"))
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
    ingest([write(tmp_path / "raw.csv", rows + near)], out, options())
    certificate = report_of(out)["certificate"]
    for crossing in ("test/train", "validation/train", "test/validation"):
        assert certificate["split"][crossing]["near_duplicate_pairs"] == 0
    assert certificate["random"]["test/train"]["near_duplicate_pairs"] > 0


def test_split_by_cluster_lets_topics_straddle(tmp_path, source):
    ingest([source], tmp_path / "c", options("split.by=cluster"))
    counts = report_of(tmp_path / "c")["certificate"]["split"]["test/train"]
    assert counts["pairs_sharing_topic"] > 0
    assert counts["pairs_sharing_question"] == counts["pairs_sharing_answer"] == counts["near_duplicate_pairs"] == 0
    assert report_of(tmp_path / "c")["groups"]["count"] == 120


def test_without_topics_the_count_is_null(tmp_path):
    source = write(tmp_path / "raw.csv", make_rows(), columns=("question", "answer"))
    ingest([source], tmp_path / "c", options())
    assert report_of(tmp_path / "c")["certificate"]["split"]["test/train"]["pairs_sharing_topic"] is None


def test_one_topic_for_all_is_reported_with_the_way_out(tmp_path):
    source = write(tmp_path / "raw.csv", [{**r, "topic": "Medicine"} for r in make_rows()])
    summary = ingest([source], tmp_path / "c", options())
    assert summary["splits"] == {"train": 120, "validation": 0, "test": 0}
    assert any("split.by=cluster" in w for w in summary["warnings"])
    certificate = report_of(tmp_path / "c")["certificate"]
    assert certificate["split"]["test/train"]["share_of_rows_sharing_question_or_answer"] is None
    assert certificate["closest"]["jaccard"] is None and certificate["closest"]["reason"]


def test_topics_that_share_a_synonym_share_a_split(tmp_path):
    rows = [{**r, "synonyms": f"family{int(r['topic'][1:]) // 2}"} for r in make_rows()]
    source = write(tmp_path / "raw.csv", rows, columns=("question", "answer", "topic", "question_type", "synonyms"))
    ingest([source], tmp_path / "c", options())
    report = report_of(tmp_path / "c")
    assert report["groups"]["count"] == 20
    assert report["certificate"]["split"]["test/train"]["rows_sharing_topic_or_synonym"] == 0
    assert report["certificate"]["random"]["test/train"]["rows_sharing_topic_or_synonym"] > 0
    ingest([source], tmp_path / "d", options("split.synonyms=false"))
    assert report_of(tmp_path / "d")["groups"]["count"] == 40
    assert report_of(tmp_path / "d")["certificate"]["split"]["test/train"]["rows_sharing_topic_or_synonym"] > 0
