"""Cells: answered once, resumed where they were cut off, with everything that a row has to say."""

import json
import subprocess
import sys

import pytest

from eval.cost import cost
from eval.pipelines import Patient
from eval.rows import ask_about, by_cell, shown_passages
from eval.run import answer_cells, prune
from eval.systems import plan, systems_of
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.records import Hit, Passage, QAPair
from medqa.settings import Settings
from rag.generators import Draft
from rag.pipeline import Pipeline
from tests.eval.scored_rows import citation, passage, row

PAIRS = [
    QAPair(
        "p1",
        "What is asthma?",
        "Asthma  narrows\nairways.",
        "NIH",
        topic="Asthma",
        question_type="information",
        split="test",
    ),
    QAPair("p2", "What is gout?", "Gout hurts toes.", "NIH", topic="Gout", split="test"),
    QAPair("p3", "Asthma means what?", "asthma narrows airways.", topic="Asthma"),
]
ASKED = ask_about(PAIRS[:2], PAIRS)


class OnePassage:
    def search(self, questions, k):
        text = "Asthma narrows airways."
        return [[Hit(Passage("a:0", "p3", text, ((0, len(text)),)), 0.9, dense=0.7)] for _ in questions]


class Model:
    def __init__(self):
        self.asked = []
        self.stop_at = None

    def variant(self, tuned):
        return self

    def draft(self, questions, hits, on_text=None):
        if any("gout" in q for q in questions):
            raise MedqaError("wanted a shorter question, found a long one")
        if self.stop_at is not None and len(self.asked) >= self.stop_at:
            raise KeyboardInterrupt
        self.asked += questions
        return [Draft("Asthma narrows airways. [1]", 10, 7) for _ in questions]


class FakePipelines:
    def __init__(self):
        self.language_model = Model()

    def pipeline(self, index, system):
        searcher = None if index == "none" else OnePassage()
        model = None if system.variant == "extractive" else self.language_model
        return Pipeline(searcher, model, passages=1, threshold=0.5, support=0.6)

    def retrieved(self, index, system):
        return [["p3", "p2"], ["p3"]]

    def held(self, index):
        return {"p3"}

    def load_seconds(self, index, system):
        return {"model": 1.5}


SYSTEMS = systems_of(Settings.model_validate({"eval": {"variants": ["plain", "plain+rag"]}}))
CELLS = plan(SYSTEMS, ("held-out",))
KEYS = {("none", "plain"): "a" * 64, ("held-out", "plain+rag"): "b" * 64}


def test_rows_say_who_was_asked_what_was_found_and_what_failed(tmp_path):
    rows, measured = answer_cells(CELLS, ASKED, FakePipelines(), tmp_path, KEYS, language=False)
    cells = by_cell(rows)
    closed, failed = cells["none", "plain"]
    assert (closed["retrieved"], closed["relevant"], closed["evidence"]) == (None, None, None)
    assert closed["reference"] == "Asthma narrows airways."
    assert closed["tokens"] == {"prompt": 10, "new": 7, "truncated": False}
    assert failed["answer"] == ""
    assert failed["error"] == "failed: wanted a shorter question, found a long one"
    assert failed["abstained"] is False
    found = cells["held-out", "plain+rag"][0]
    assert found["retrieved"] == ["p3", "p2"]
    assert found["relevant"] == ["p3"]  # the same answer under another question, and the only one held
    assert cells["held-out", "plain+rag"][1]["relevant"] == []
    assert (found["topic_rows"], found["source"], found["evidence"]) == (2, "NIH", 0.7)
    assert found["citations"][0]["pair_id"] == "p3"
    assert measured["none", "plain"]["load_seconds"] == {"model": 1.5}


def test_finished_cells_are_not_answered_again_and_old_ones_go(tmp_path):
    pipelines = FakePipelines()
    first, _ = answer_cells(CELLS, ASKED, pipelines, tmp_path, KEYS, language=False)
    asked = list(pipelines.language_model.asked)
    again, _ = answer_cells(CELLS, ASKED, pipelines, tmp_path, KEYS, language=False)
    assert again == first
    assert pipelines.language_model.asked == asked
    other = {**KEYS, ("none", "plain"): "c" * 64}
    answer_cells(CELLS, ASKED, pipelines, tmp_path, other, language=False)
    assert len(pipelines.language_model.asked) == len(asked) + 1  # asthma, closed-book, under the new key
    prune(tmp_path, other)
    assert sorted({f.name.split(".")[-2][0] for f in tmp_path.iterdir()}) == ["b", "c"]


def test_an_interrupted_cell_keeps_what_was_finished_before_it(tmp_path):
    pipelines = FakePipelines()
    pipelines.language_model.stop_at = 1  # after the closed-book cell
    with pytest.raises(KeyboardInterrupt):
        answer_cells(CELLS, ASKED, pipelines, tmp_path, KEYS, language=False)
    pipelines.language_model.stop_at = None
    rows, _ = answer_cells(CELLS, ASKED, pipelines, tmp_path, KEYS, language=False)
    assert len(rows) == 4
    assert pipelines.language_model.asked == ["What is asthma?"] * 2


def test_other_errors_are_not_swallowed():
    pipeline = Pipeline(None, None, passages=1, threshold=None, support=0.6)
    [answer] = Patient(pipeline).answer_all(["What?"], "extractive")  # no index: a MedqaError
    assert answer.text == ""
    assert answer.reason.startswith("failed: wanted an index")
    with pytest.raises(AttributeError):
        Patient(pipeline).answer_all([None], "plain")


def test_shown_passages_are_in_the_prompts_order():
    made = row(
        1, citations=[citation(2, "second"), citation(2, "second")], uncited=[passage("first"), passage("third")]
    )
    assert [p["text"] for p in shown_passages(made)] == ["first", "second", "third"]


def test_the_cost_of_a_case_worked_by_hand():
    tokens = [{"prompt": 100, "new": 20, "truncated": True}, {"prompt": 300, "new": 40, "truncated": False}]
    timings = [{"retrieve": 10.0, "generate": 1000.0}, {"retrieve": 10.0, "generate": 2000.0}, {"retrieve": 10.0}]
    none = {"prompt": 0, "new": 0, "truncated": False}
    rows = [{"tokens": t, "timings_ms": ms} for t, ms in zip([*tokens, none], timings, strict=True)]
    found = cost(rows, {"load_seconds": {"model": 2.0}, "process_mb": 512.0, "gpu_mb": None})
    assert found["seconds_per_answer"] == pytest.approx(3.03 / 3)
    assert found["seconds_by_stage"] == {"retrieve": pytest.approx(0.01), "generate": pytest.approx(1.0)}
    assert (found["model_calls"], found["prompt_tokens_per_call"], found["new_tokens_per_call"]) == (2, 200, 30)
    assert found["new_tokens_per_second"] == pytest.approx(60 / 3)
    assert found["truncated"] == 1
    assert found["reasons"] == {"peak_gpu_mb": "no GPU"}
    quoted = cost([rows[2]], {})
    assert quoted["new_tokens_per_second"] is None
    assert quoted["reasons"].keys() == {"tokens", "peak_process_mb", "peak_gpu_mb"}


PEAKS = """
import json
from eval.cost import measure_peak

def peak(megabytes):
    with measure_peak() as found:
        held = bytearray(megabytes * 2**20)
        held[::4096] = b"x" * len(held[::4096])
        del held
    return found.process_mb

peak(0)  # what the first one loads
print(json.dumps([peak(0), peak(80), peak(0)]))
"""


def test_peak_memory_is_that_of_the_block():
    # In a process of its own: this one's other threads let go of memory when they like.
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, cwd=PROJECT, check=True)
    small, large, after = json.loads(done.stdout)
    if small is None:
        pytest.skip("this system cannot reset the peak of a process")
    assert 60 < large - small < 200
    assert after < large - 40
