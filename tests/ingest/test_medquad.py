"""Figures of the real corpus that were measured independently beforehand. Skipped where it is absent."""

import csv
import gzip
from collections import Counter

import pytest

from ingest.build import clean
from ingest.readers import read_rows
from medqa.paths import PROJECT

MEDQUAD = PROJECT.parent / "shared" / "data" / "medquad"
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


def test_forty_eight_exact_duplicates():
    cleaned = clean(iter(read_rows(MEDQUAD / "medquad.csv.gz", {})), 2, 3)
    reasons = Counter(d.reason for d in cleaned.drops)
    assert len(cleaned.rows) + len(cleaned.drops) == 16_407
    assert reasons["exact duplicate"] == 48
    assert not cleaned.own_ids  # 16,373 ids for 16,407 rows
    assert len({r.pair.id for r in cleaned.rows}) == len(cleaned.rows)
