"""What becomes of rows with personal data; that they are found is test_phi's matter."""

import csv
import json

import pytest

from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.rules import PERSONAL_DATA
from medqa.settings import load_settings

MAIL = "jane.q.example@gmail.com"
ROWS = (
    ("What is gout?", "A painful disease of the joints.", "Gout"),
    ("What is croup?", f"I had it as a child myself, please write to me at {MAIL} for more.", "Croup"),
    ("What is asthma?", "A disease of the airways that narrows them.", "Asthma"),
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "raw.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["question", "answer", "topic"])
        writer.writerows(ROWS)
    return path


def listed(corpus):
    with (corpus / "phi.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("action", ["report", "mask", "drop", "none"])
def test_each_action(tmp_path, source, action):
    out = tmp_path / "corpus"
    summary = ingest([source], out, load_settings(None, [f"ingest.phi={action}"]))
    answers = {p.topic: p.answer for p in read_corpus(out).pairs}
    start = ROWS[1][1].index(MAIL)
    place = {
        "source": "raw.csv", "row": "3", "field": "answer", "rule": "e-mail",
        "start": str(start), "end": str(start + len(MAIL)),
    }  # fmt: skip
    assert listed(out) == ([] if action == "none" else [place])
    assert summary["personal_data"] == (0 if action == "none" else 1)
    assert (
        answers.get("Croup")
        == {
            "report": ROWS[1][1],
            "none": ROWS[1][1],
            "mask": ROWS[1][1].replace(MAIL, "[e-mail]"),
            "drop": None,
        }[action]
    )
    assert summary["dropped_by_reason"] == ({PERSONAL_DATA: 1} if action == "drop" else {})
    report = json.loads((out / "report.json").read_text())
    assert report["phi"] == {
        "action": action,
        "rows": summary["personal_data"],
        "by_rule": {"e-mail": 1} if listed(out) else {},
    }


def test_what_is_dropped_or_masked_stands_in_no_file(tmp_path, source):
    for action in ("mask", "drop"):
        out = tmp_path / action
        ingest([source], out, load_settings(None, [f"ingest.phi={action}"]))
        for path in out.iterdir():
            assert MAIL.encode() not in path.read_bytes(), path.name


def test_names_are_looked_for_before_their_capitals_go(tmp_path, source):
    with source.open("a") as stream:
        stream.write(
            "What helps me?,Dear doctor my name is Jane Example and I have had gout for a year. I need help.,Letter\n"
        )
    out = tmp_path / "corpus"
    ingest([source], out, load_settings(None, ["ingest.phi=mask", "ingest.lowercase=true"]))
    [letter] = [p.answer for p in read_corpus(out).pairs if p.topic == "Letter"]
    assert letter == "dear doctor my name is [name] and i have had gout for a year. i need help."
