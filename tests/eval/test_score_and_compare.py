import copy

import pytest

from eval.compare import compare_rows, markdown_comparison
from eval.report import markdown_report, pick_examples, table
from eval.score import score_rows
from medqa.errors import MedqaError


def row(
    n,
    answer,
    *,
    variant="tuned+rag",
    index="open-book",
    abstained=False,
    unsupported=(),
    reference="one two three four",
):
    return {
        "id": f"q{n}", "question": f"Question {n}?", "variant": variant, "index": index, "answer": answer,
        "reference": reference, "abstained": abstained, "reason": "no passage was found" if abstained else "",
        "unsupported": list(unsupported), "invented_markers": 0, "timings_ms": {"generate": 500.0, "verify": 500.0},
        "citations": [{"marker": 1, "pair_id": "p", "text": "T", "supported": True}] if not abstained else [],
        "question_type": "information",
    }  # fmt: skip


def test_figures_of_a_case_worked_by_hand():
    rows = [
        row(1, "one two three four [1]"),
        row(2, "one two. [1] Five six. [1]", unsupported=["Five six."]),
        row(3, "The sources do not answer this question.", abstained=True),
        row(4, "", unsupported=()),
    ]
    figures = score_rows(rows, resamples=100, seed=0)
    assert figures["rouge1"]["mean"] == pytest.approx((1 + 0.5 + 0 + 0) / 4)  # the empty answer counts as zero
    assert figures["supported"] == pytest.approx((1 + 0.5) / 2)  # the refusal and the empty answer cannot be judged
    assert figures["judged"] == 2
    assert figures["refusals"] == 0.25
    assert figures["empty"] == 1
    assert figures["seconds_per_answer"] == pytest.approx(1.0)


def test_support_is_null_with_a_reason_without_sources():
    figures = score_rows([row(1, "one two", variant="plain")], resamples=100, seed=0)
    assert figures["supported"] is None
    assert figures["supported_reason"] == "this variant has no sources"


def scored(answers, **more):
    rows = [row(n, answer, **more) for n, answer in enumerate(answers)]
    score_rows(rows, resamples=100, seed=0)
    return rows


def test_a_worse_run_is_a_regression_and_an_equal_one_is_not():
    good = scored(["one two three four [1]"] * 8)
    bad = scored(["one [1]"] * 8)
    worse = compare_rows(good, bad, 200, 0)[0]
    assert "rougeL" in worse["regressions"]
    assert worse["differences"]["rouge1"]["mean"] == pytest.approx(0.4 - 1.0)  # F of 1 of 1 and 1 of 4 words is 2/5
    assert len(worse["changed_answers"]) == 8
    equal = compare_rows(good, copy.deepcopy(good), 200, 0)[0]
    assert equal["regressions"] == []
    assert equal["changed_answers"] == []


def test_new_refusals_are_listed():
    before = scored(["one two [1]", "one two [1]"])
    after = copy.deepcopy(before)
    after[1]["abstained"] = True
    assert compare_rows(before, after, 100, 0)[0]["new_refusals"] == ["q1"]


def test_different_questions_are_refused():
    with pytest.raises(MedqaError, match="same questions"):
        compare_rows(scored(["a", "b"]), scored(["a", "b", "c"]), 100, 0)
    with pytest.raises(MedqaError, match="in common"):
        compare_rows(scored(["a"]), scored(["a"], variant="plain"), 100, 0)


def test_report_shows_table_examples_and_why_it_refused():
    rows = scored(["one two three four [1]", "one [1]"]) + scored(["No."], index="held-out", abstained=True)
    metrics = {"open-book": {"tuned+rag": score_rows(rows[:2], 100, 0)}}
    text = markdown_report(metrics, rows, {"questions": "2"})
    assert "| tuned+rag | .700 |" in text
    assert "Why: no passage was found." in text
    assert "[1] (supported; p) T" in text
    assert len(table(metrics["open-book"])) == 3
    assert [r["id"] for r in pick_examples(rows)] == ["q0", "q1", "q0"]


def test_markdown_comparison_marks_what_excludes_zero(tmp_path):
    good, bad = scored(["one two three four [1]"] * 8), scored(["one [1]"] * 8)
    text = markdown_comparison(tmp_path / "a", tmp_path / "b", compare_rows(good, bad, 200, 0))
    assert "-60.0*" in text
