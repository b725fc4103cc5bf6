"""Rows that are near nothing, corpora of them, and a report to be changed at will."""

import csv
import json
import random

import pytest

from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.page import to_html
from medqa.settings import load_settings

from .page_report import full_report

FIELDS = ("id", "question", "answer", "topic", "question_type", "synonyms")


def options(*overrides):
    return load_settings(None, overrides)


def prose(rng, words=40):
    return " ".join(f"word{rng.randrange(5000)}" for _ in range(words))


def make_rows(topics=40, seed=0):
    """Three questions per topic with answers of random words; nothing is near anything else."""
    rng = random.Random(seed)
    return [
        {"question": f"The {kind} of disease{t}?", "answer": prose(rng), "topic": f"T{t}", "question_type": kind}
        for t in range(topics)
        for kind in ("information", "symptoms", "treatment")
    ]


def rows_with_ids(topics=30, seed=0):
    """The same, each with an id of topic and type."""
    return [{"id": f"{r['topic'][1:]}-{r['question_type']}", **r} for r in make_rows(topics, seed)]


def write(path, rows, columns=FIELDS):
    """Those of ``columns`` that any row has, as CSV."""
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
def source(tmp_path):
    return write(tmp_path / "raw.csv", make_rows())


@pytest.fixture
def corpus(tmp_path):
    out = tmp_path / "corpus"
    ingest([write(tmp_path / "raw.csv", rows_with_ids())], out, options())
    return out


@pytest.fixture
def drawn():
    """Ask for it where the report's plots matter."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Drawing the plots takes longer than all the rest of ingest on these small files; one test in a hundred needs it."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("ingest.writing.to_html", lambda report: f"<p>{report['rows']['kept']}</p>")


@pytest.fixture
def report():
    """A report with every key, to be changed at will."""
    return full_report()


@pytest.fixture(scope="module")
def html():
    """The page of the report as it is."""
    return to_html(full_report())
