import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.kappa import cohens_kappa
from eval.review import blind, evaluate_grades, markdown_review
from medqa.errors import MedqaError
from tests.eval.scored_rows import row

SCALE = [1, 2, 3, 4]
GRADES = st.lists(st.tuples(st.sampled_from(SCALE), st.sampled_from(SCALE)), min_size=1, max_size=30)


def test_kappa_of_cases_worked_by_hand():
    # Cohen's own arithmetic: 20 and 15 agreed of 50, marginals 25/25 and 30/20: o = .7, e = .5, kappa = .4.
    a = [1] * 20 + [1] * 5 + [2] * 10 + [2] * 15
    b = [1] * 20 + [2] * 5 + [1] * 10 + [2] * 15
    assert cohens_kappa(a, b, [1, 2]) == pytest.approx(0.4)
    # Weighted, four grades: (1,1) (2,3) (4,4) (3,1): costs 0 + 1/9 + 0 + 4/9, mean 5/36. By chance: the first's grades
    # 1, 2, 3, 4 against the second's 1, 1, 3, 4: (0+0+4+9 + 1+1+1+4 + 4+4+0+1 + 9+9+1+0) / 9 / 16 = 48/144 = 1/3.
    assert cohens_kappa([1, 2, 4, 3], [1, 3, 4, 1], SCALE, "quadratic") == pytest.approx(1 - (5 / 36) / (1 / 3))


def test_kappa_at_its_ends():
    assert cohens_kappa([1, 4, 2], [1, 4, 2], SCALE) == 1
    assert cohens_kappa([1, 2], [2, 1], [1, 2]) == -1
    assert cohens_kappa([3, 3], [3, 3], SCALE) is None
    for bad in (([], []), ([1], [1, 2]), ([5], [1])):
        with pytest.raises(ValueError, match="equally many grades"):
            cohens_kappa(*bad, SCALE)


@given(GRADES)
def test_kappa_equals_the_confusion_matrix(pairs):
    """Second implementation: 1 - sum(W * O) / sum(W * E) over numpy matrices."""
    import numpy as np

    observed = np.zeros((4, 4))
    for x, y in pairs:
        observed[x - 1, y - 1] += 1 / len(pairs)
    expected = np.outer(observed.sum(1), observed.sum(0))
    i, j = np.indices((4, 4))
    a, b = zip(*pairs, strict=True)
    for name, weight in (("none", (i != j).astype(float)), ("quadratic", ((i - j) / 3) ** 2)):
        found = cohens_kappa(a, b, SCALE, name)
        chance = (weight * expected).sum()
        if chance == 0:
            assert found is None
        else:
            assert found == pytest.approx(1 - (weight * observed).sum() / chance)


def rows_of(name, questions=40):
    return [row(n, f"Answer of {name} to {n}. [1]", variant=name) for n in range(questions)]


def test_a_sheet_says_nothing_about_who_answered_and_the_key_does():
    rows = {name: rows_of(name) for name in ("tuned+rag", "plain+rag", "plain")}
    sheet = blind(rows, 30, seed=3)
    assert len(sheet.items) == len(sheet.key) == 30
    for item in sheet.items:
        entry = sheet.key[item.id]
        number = entry["id"].removeprefix("q")
        assert item.question == f"Question {number}?"
        assert item.answers == tuple(f"Answer of {s} to {number}." for s in entry["systems"])  # and no marker
    firsts = {entry["systems"][0] for entry in sheet.key.values()}
    assert firsts == {"tuned+rag", "plain+rag", "plain"}
    assert blind(rows, 30, seed=3) == sheet
    assert blind(rows, 30, seed=4) != sheet


def test_what_cannot_be_put_side_by_side_is_refused():
    with pytest.raises(MedqaError, match="at least two systems"):
        blind({"plain": rows_of("plain")}, None, 0)
    with pytest.raises(MedqaError, match="the same questions"):
        blind({"a": rows_of("plain"), "b": rows_of("plain", 3)}, None, 0)


KEY = {
    "0001": {"id": "q1", "systems": ["a", "b"]},
    "0002": {"id": "q2", "systems": ["b", "a"]},
    "0003": {"id": "q3", "systems": ["a", "b"]},
}


def test_grades_are_unblinded_and_open_ones_are_in_no_mean():
    grades = {
        "ann": {"0001": (4, 1), "0002": (2, 3), "0003": (None, 1)},
        "bob": {"0001": (2, 1), "0002": (2, 4)},
    }
    found = evaluate_grades(grades, KEY, 200, 0)
    a, b = found["systems"]["a"], found["systems"]["b"]
    assert (a["n"], a["mean"]) == (2, pytest.approx((3 + 3.5) / 2))  # per question the mean of its raters
    assert (b["n"], b["mean"]) == (3, pytest.approx((1 + 2 + 1) / 3))
    assert a["grades"] == {"4": 2, "3": 1, "2": 1, "1": 0}
    [difference] = found["differences"]
    assert difference["contrast"] == "b - a"
    assert (difference["n"], difference["mean"]) == (2, pytest.approx((1 - 3 + 2 - 3.5) / 2))
    assert found["missing"] == {"ann": 1, "bob": 2}
    [agreement] = found["agreement"]
    # Both graded 4, 1, 2, 3 against 2, 1, 2, 4: two of four the same.
    assert (agreement["n"], agreement["same"]) == (4, 0.5)
    assert agreement["kappa"] == pytest.approx(cohens_kappa([4, 1, 2, 3], [2, 1, 2, 4], SCALE))
    text = markdown_review(found)
    assert "- ann left 1 grades open" in text
    assert "| b - a | 2 | -1.75 [" in text
    assert "| ann and bob | 4 | 0.50 |" in text


def test_raters_without_a_common_answer_have_no_agreement_and_a_reason():
    found = evaluate_grades({"ann": {"0001": (4, 1)}, "bob": {"0002": (2, 2)}}, KEY, 200, 0)
    [agreement] = found["agreement"]
    assert (agreement["kappa"], agreement["n"]) == (None, 0)
    assert agreement["reason"] == "no answer was graded by both"


def test_grades_of_another_sheet_are_refused():
    for grades, words in (
        ({}, "at least one rater"),
        ({"ann": {"0009": (1, 1)}}, "'0009'"),
        ({"ann": {"0001": (1, 1, 1)}}, "wanted 2 grades for item 0001 of ann, found 3"),
    ):
        with pytest.raises(MedqaError, match=words):
            evaluate_grades(grades, KEY, 200, 0)
