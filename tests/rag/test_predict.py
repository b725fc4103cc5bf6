import json

import pytest

from medqa.queries import Query
from medqa.records import Answer
from rag.predict import predict


class CountingPipeline:
    def __init__(self, fail_after=None):
        self.asked = []
        self.fail_after = fail_after

    def answer_all(self, questions, variant):
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise KeyboardInterrupt
        self.asked += questions
        return [Answer(q, q.upper(), variant) for q in questions]


QUERIES = [Query(f"q{n}", f"question {n}") for n in range(7)]


def run(pipeline, out, key="k"):
    return predict(pipeline, QUERIES, "plain", out, batch_size=2, key=key)


def test_rows_come_in_input_order_with_the_contracts_keys(tmp_path):
    run(CountingPipeline(), tmp_path / "p.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == [q.id for q in QUERIES]
    assert {"id", "question", "variant", "answer", "citations", "abstained", "safety", "timings_ms"} <= rows[0].keys()
    assert rows[3]["answer"] == "QUESTION 3"


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "p.jsonl"
    first = CountingPipeline(fail_after=4)
    with pytest.raises(KeyboardInterrupt):
        run(first, out)
    assert not out.exists()
    second = CountingPipeline()
    summary = run(second, out)
    assert second.asked == [f"question {n}" for n in (4, 5, 6)]
    assert summary["resumed"] == 4
    assert len(out.read_text().splitlines()) == 7
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl"]


def test_a_half_written_row_is_answered_again(tmp_path):
    out = tmp_path / "p.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(CountingPipeline(fail_after=4), out)
    partial = next(p for p in tmp_path.iterdir() if p.suffix == ".partial")
    partial.write_bytes(partial.read_bytes()[:-9])
    second = CountingPipeline()
    run(second, out)
    assert second.asked == [f"question {n}" for n in (3, 4, 5, 6)]
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [q.id for q in QUERIES]


def test_rows_of_other_settings_are_not_picked_up(tmp_path):
    out = tmp_path / "p.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(CountingPipeline(fail_after=4), out, key="old")
    second = CountingPipeline()
    run(second, out, key="new")
    assert len(second.asked) == 7
