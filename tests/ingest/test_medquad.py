"""Figures of the real corpus that were measured independently beforehand. Skipped where it is absent."""

import csv
import gzip
import hashlib
import json
from collections import Counter

import pytest

from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.readers import read_rows
from medqa.paths import PROJECT
from medqa.settings import load_settings

MEDQUAD = PROJECT.parent / "shared" / "data" / "medquad"
SPLIT = {"validation": "4375aa575e2f74bf", "test": "957ef585764a33d3"}
"""Hashes of the sorted ids, by another program."""
pytestmark = pytest.mark.skipif(not MEDQUAD.is_dir(), reason=f"the MedQuAD corpus is not at {MEDQUAD}")


def test_xml_documents_agree_with_the_published_table():
    """Every answered pair of the sample documents stands in the table, word by word: a second reader made that."""
    with gzip.open(MEDQUAD / "medquad.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        csv.field_size_limit(2**31 - 1)
        table = {(r["id"], r["question"].split(" ?")[0]): r for r in csv.DictReader(stream)}
    rows = [r for r in read_rows(MEDQUAD / "xml-sample", {}) if r.fields.get("answer", "").strip()]
    assert len(rows) > 100
    for row in rows:
        wanted = table[row.fields["id"], row.fields["question"].split(" ?")[0]]
        for field in ("answer", "url", "topic", "question_type", "source"):
            assert row.fields[field].split() == wanted[field].split(), (row.file, field)


def test_collections_without_answers_are_counted():
    rows = list(read_rows(MEDQUAD / "xml-sample", {}))
    documents = {r.file for r in rows if r.unanswered}
    assert Counter(name.split("/")[1] for name in documents) == {
        "10_MPlus_ADAM_QA": 4,
        "11_MPlusDrugs_QA": 4,
        "12_MPlusHerbsSupplements_QA": 4,
    }
    assert not any(r.problem for r in rows)


@pytest.mark.slow
def test_the_whole_of_medquad(tmp_path):
    """The split that every shipped artefact was trained on: another one would leak test rows into them."""
    summary = ingest([MEDQUAD / "medquad.csv.gz"], tmp_path / "corpus", load_settings(None))
    assert summary["in"] == 16_407
    assert summary["dropped_by_reason"]["exact duplicate"] == 48
    report = json.loads((tmp_path / "corpus" / "report.json").read_text())
    assert report["ids"] == "hashes of question and answer"  # 16,373 ids for 16,407 rows
    for counts in report["certificate"]["split"].values():
        assert not any(counts.values()) and None not in counts.values()
    assert report["certificate"]["random"]["test/train"]["share_of_rows_sharing_question_or_answer"] > 0.2
    assert all(abs(s["share"] - s["wanted"]) <= 0.005 for s in report["splits"].values())
    ids = {s: sorted(p.id for p in read_corpus(tmp_path / "corpus").of([s])) for s in ("validation", "test")}
    digests = {s: hashlib.sha256("\n".join(found).encode()).hexdigest()[:16] for s, found in ids.items()}
    assert digests == SPLIT
