import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answer_diff import change, diff_lines
from eval.compare import compare_rows, markdown_comparison
from eval.score import score_rows
from medqa.errors import MedqaError
from tests.eval.scored_rows import citation, passage, row


def scored(answers, **more):
    rows = [row(n, answer, **more) for n, answer in enumerate(answers)]
    score_rows(rows, resamples=100, seed=0)
    return rows


def test_a_worse_run_is_a_regression_and_an_equal_one_is_not():
    good = scored(["one two three four [1]"] * 12)
    bad = scored(["one [1]"] * 12)
    [worse] = compare_rows(good, bad, 200, 0)
    assert "rougeL" in worse["regressions"]
    assert worse["differences"]["rouge1"]["mean"] == pytest.approx(0.4 - 1.0)  # F of 1 of 1 and 1 of 4 words is 2/5
    assert len(worse["changed_answers"]) == 12
    [equal] = compare_rows(good, copy.deepcopy(good), 200, 0)
    assert equal["regressions"] == []
    assert equal["changes"] == []
    [better] = compare_rows(bad, good, 200, 0)
    assert better["regressions"] == []


def test_a_rise_of_what_should_fall_is_a_regression():
    before = scored(["one two three four [1]"] * 12)
    after = copy.deepcopy(before)
    for r in after:
        r["scores"]["invented_markers"] = 2.0
        r["scores"]["grade"] = 99.0  # neither way is better
    [found] = compare_rows(before, after, 200, 0)
    assert found["regressions"] == ["invented_markers"]


def test_refusals_and_citations_that_changed_are_listed():
    before = scored(["one two [1]", "one two [1]", "one two [1]"])
    after = copy.deepcopy(before)
    after[1]["abstained"] = True
    before[2]["citations"] = [citation(1, "Old.", pair="p1")]
    after[2]["citations"] = [citation(1, "Old.", pair="p7")]
    [found] = compare_rows(before, after, 100, 0)
    assert found["new_refusals"] == ["q1"]
    assert found["changed_answers"] == []
    assert found["changed_citations"] == ["q2"]
    [back] = compare_rows(after, before, 100, 0)
    assert back["lifted_refusals"] == ["q1"]


def test_different_questions_and_references_are_refused():
    with pytest.raises(MedqaError, match=r"same questions .*0 only in the first and 1 only in the second"):
        compare_rows(scored(["a", "b"]), scored(["a", "b", "c"]), 100, 0)
    with pytest.raises(MedqaError, match="in common"):
        compare_rows(scored(["a"]), scored(["a"], variant="plain"), 100, 0)
    other = scored(["a", "b"])
    other[1]["reference"] = "five"
    with pytest.raises(MedqaError, match=r"1 that differ, e\.g\. q1"):
        compare_rows(scored(["a", "b"]), other, 100, 0)


def test_the_report_marks_what_excludes_zero_and_shows_the_worst_change_first():
    good, bad = scored(["one two three four [1]"] * 12), scored(["one two three four [1]"] * 11 + ["Nothing."])
    text = markdown_comparison(Path("a"), Path("b"), compare_rows(good, bad, 200, 0))
    assert "| 1 of 12 |" in text
    assert "- one two three four [1]\n+ Nothing." in text
    worse = markdown_comparison(Path("a"), Path("b"), compare_rows(good, scored(["one [1]"] * 12), 200, 0))
    assert "-60.0*" in worse
    assert "And 7 more" in worse


def test_the_diff_is_by_sentence_with_markers():
    a = "Asthma narrows the airways. [1] It starts early. [2]"
    b = "Asthma narrows the airways. [1] It starts late. [2] See a doctor."
    assert diff_lines(a, b) == [
        "  Asthma narrows the airways. [1]",
        "- It starts early. [2]",
        "+ It starts late. [2]",
        "+ See a doctor.",
    ]


SENTENCES = st.lists(st.sampled_from(["Alpha is a word.", "Beta is one too. [1]", "Gamma follows. [2]"]), max_size=6)


@given(SENTENCES, SENTENCES)
def test_a_diff_holds_both_answers(a, b):
    lines = diff_lines(" ".join(a), " ".join(b))
    assert [x[2:] for x in lines if x[0] != "+"] == a
    assert [x[2:] for x in lines if x[0] != "-"] == b


def test_a_passage_that_moved_up_is_the_same_citation():
    before = row(1, "A. [1]", citations=[citation(1, "T", pair="p1")], uncited=[passage("U", pair="p2")])
    after = row(1, "A. [1]", citations=[citation(2, "T", pair="p1")], uncited=[passage("V", pair="p3")])
    assert change(before, after) is None
    after["citations"][0]["supported"] = False
    found = change(before, after)
    assert found["citations"] is True
    assert found["answer"] is False
    assert found["passages_lost"] == ["p2:0"]
    assert found["passages_new"] == ["p3:0"]
