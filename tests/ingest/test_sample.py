"""The sample corpus is part of the product: these numbers are what its data card says."""

import csv
import json
import subprocess
import sys
from collections import Counter

import pytest

from ingest import rules
from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.text import same_key
from medqa.paths import PROJECT
from medqa.settings import load_settings

SAMPLE = PROJECT / "data" / "sample"
CARD = (SAMPLE / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "corpus"
    summary = ingest([SAMPLE / "health.csv", SAMPLE / "dirty.csv"], out, load_settings(None))
    return out, summary


@pytest.fixture(scope="module")
def health():
    with (SAMPLE / "health.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_exact_counts_per_reason(corpus):
    _, summary = corpus
    assert (summary["in"], summary["kept"], summary["dropped"]) == (552, 517, 35)
    assert summary["dropped_by_reason"] == {
        rules.UNREADABLE: 3,
        rules.MISSING_QUESTION: 4,
        rules.MISSING_ANSWER: 3,
        rules.AMBIGUOUS_QUESTION: 5,
        rules.SHORT_QUESTION: 3,
        rules.SHORT_ANSWER: 3,
        rules.QUESTION_IS_ANSWER: 2,
        rules.EXACT_DUPLICATE: 12,
    }
    assert "552 rows read, 35 dropped, 517 kept, on 105 topics" in CARD


def test_no_leak_between_splits(corpus):
    """Counted here from the files, without the code that wrote the certificate."""
    out, summary = corpus
    pairs = read_corpus(out).pairs
    for key in (lambda p: same_key(p.question), lambda p: same_key(p.answer), lambda p: p.topic.casefold()):
        splits = {}
        for p in pairs:
            assert splits.setdefault(key(p), p.split) == p.split
    report = json.loads((out / "report.json").read_text())
    assert report["near_duplicates"]["sets"] == 8  # the planted ones, and no other
    assert summary["closest_test_train"] < 0.2
    assert abs(summary["splits"]["test"] / 517 - 0.1) < 0.005
    assert abs(summary["splits"]["validation"] / 517 - 0.1) < 0.005
    assert len({p.topic for p in pairs}) == 105


def test_nothing_from_the_clean_file_is_dropped_and_ids_are_kept(corpus, health):
    pairs = {p.id: p for p in read_corpus(corpus[0]).pairs}
    for row in health:
        pair = pairs[row["id"]]
        assert (pair.question, pair.answer, pair.topic) == (row["question"], row["answer"], row["topic"])


def test_planted_dirt_comes_out_clean(corpus):
    answers = {p.question: p.answer for p in read_corpus(corpus[0]).pairs if p.id.startswith("raw-")}
    assert len(answers) == 22
    assert answers["What should I do when my nose bleeds?"].startswith("- Sit up and lean slightly forward.\n- Pinch")
    assert "38 °C can be signs of infection – and that’s a reason" in answers["What are the symptoms of Insect Bites?"]
    assert "“Growing pains” in children’s legs" in answers["Who is at risk for Muscle Cramp?"]
    assert "cupped hands. No home" in answers["What can I try against hiccups at home?"]
    assert not any(set("\x00\x07\xa0<>") & set(text) for text in answers.values())


def test_dirty_file_is_what_its_script_writes(tmp_path):
    for name in ("health.csv", "make_dirty.py"):
        (tmp_path / name).write_bytes((SAMPLE / name).read_bytes())
    subprocess.run([sys.executable, tmp_path / "make_dirty.py"], check=True)
    assert (tmp_path / "dirty.csv").read_bytes() == (SAMPLE / "dirty.csv").read_bytes()


def test_data_card_counts(health):
    types = Counter(row["question_type"] for row in health)
    assert len(health) == 495 and len({row["topic"] for row in health}) == 99
    for name, count in types.items():
        assert f"| {name} | {count} |" in CARD
    lengths = sorted(len(row["answer"].split()) for row in health)
    assert f"{lengths[0]} to {lengths[-1]} words (median {lengths[len(lengths) // 2]})" in CARD
    assert len({row["id"] for row in health}) == 495
    assert all(row["source"] == f"sample: {row['topic']}" for row in health)
    assert all(row["synonyms"] for row in health)
