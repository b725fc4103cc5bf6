import json

import pytest

from finetune.examples import Shares
from finetune.jsonl import read_examples, refuse_held_out, write_examples
from medqa.errors import MedqaError

from .conftest import make_pair
from .test_examples import build


def test_round_trip_and_documented_keys(tmp_path, pairs):
    examples = build(pairs)
    write_examples(tmp_path / "x.jsonl", examples)
    assert read_examples(tmp_path / "x.jsonl") == examples
    for line in (tmp_path / "x.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert list(row) == ["id", "split", "kind", "question", "sources", "answer"]
        assert row["sources"] is None or set(row["sources"][0]) == {"title", "text", "pair_id"}


GOOD = {"id": "a", "kind": "grounded", "question": "Q?", "sources": [{"text": "T"}], "answer": "T [1]"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "open"}, "a kind of closed_book, grounded, refusal"),
        ({"answer": "T [2]"}, r"markers from \[1\] to \[1\]"),
        ({"answer": " "}, "a question and an answer"),
        ({"sources": None}, "sources: null for closed_book"),
        ({"sources": []}, "at least one source"),
        ({"sources": [3]}, "found another line"),
        ({"split": "test"}, "a split of train or validation"),
    ],
)
def test_a_bad_line_is_named(tmp_path, change, message):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(GOOD | change) + "\n")
    with pytest.raises(MedqaError, match=message) as error:
        read_examples(path)
    assert "x.jsonl:3" in str(error.value)


def test_missing_empty_and_broken_files(tmp_path):
    with pytest.raises(MedqaError, match="--export"):
        read_examples(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(MedqaError, match="an empty file"):
        read_examples(tmp_path / "empty.jsonl")
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(MedqaError, match=r"broken\.jsonl:1"):
        read_examples(tmp_path / "broken.jsonl")


def test_planted_leaks_are_refused(pairs):
    examples = build(pairs, Shares(0, 1, 0))
    refuse_held_out(examples, [make_pair(900, split="test")])
    with pytest.raises(MedqaError, match="found 1 that use one"):  # as the asking pair
        refuse_held_out(examples[:1], [make_pair(0, topic="Topic0", split="test")])
    shown = next(p for e in examples for p in e.source_pairs if p != e.id)
    with pytest.raises(MedqaError, match="without held-out pairs"):  # as a distractor
        refuse_held_out(examples, [make_pair(900, id=shown, split="test")])
    with pytest.raises(MedqaError, match="without held-out pairs"):  # as the same question under another id
        refuse_held_out(examples, [make_pair(900, question=examples[0].question.lower(), split="test")])
