import pytest

from eval.grounding import copied_share, grounding_scores, refusal_scores
from eval.risk_coverage import risk_coverage
from rag.citations import verify
from rag.prompt import REFUSAL
from retrieval.sentences import split_sentences
from tests.eval.scored_rows import citation, passage, row

AIRWAYS = "Asthma narrows the airways of the lungs. Wheezing is common at night."
GUT = "Ulcers are sores in the lining of the stomach."
TWO = {
    "answer": "Asthma narrows the airways. [1] Ulcers are sores in the stomach. [1] Goats eat grass.",
    "citations": [citation(1, AIRWAYS), citation(1, AIRWAYS, supported=False)],
    "uncited": [passage(GUT, pair="p2", title="Ulcer")],
    "unsupported": ["Ulcers are sores in the stomach.", "Goats eat grass."],
    "invented_markers": 1,
}


def test_shares_of_a_case_worked_by_hand():
    # Three sentences. The first is borne out by [1]; the second by the passage that it does not cite; the third by none.
    scores, reasons = grounding_scores(row(1, **TWO), 0.6)
    assert scores["supported"] == pytest.approx(1 / 3)
    assert scores["grounded"] == pytest.approx(2 / 3)
    assert scores["citation_recall"] == pytest.approx(1 / 2)
    assert scores["citation_precision"] == pytest.approx(1 / 3)  # one holds, one does not, one pointed nowhere
    assert scores["invented_markers"] == 1.0
    assert reasons == {}


def test_the_counts_are_those_of_the_verifier():
    from eval.grounding import as_passage, judge

    shown = [as_passage(passage(AIRWAYS)), as_passage(passage(GUT, pair="p2"))]
    draft = "Asthma narrows the airways [1]. Ulcers are sores in the stomach [1][2]. Wheezing is common at night [7]."
    checked = verify(draft, shown, 0.6)
    cited = [citation(c.marker, c.passage.text, c.supported, pair=c.passage.pair_id) for c in checked.citations]
    verified = row(
        1,
        checked.text,
        citations=cited,
        unsupported=list(checked.unsupported),
        invented_markers=checked.invented_markers,
    )
    found = judge(verified, 0.6)
    assert (found.sentences, found.supported, found.grounded) == (3, 2, 3)
    assert (found.citations, found.holding, found.invented) == (3, 2, 1)


def test_refusals_and_systems_without_sources_are_null_with_the_reason():
    for other, why in (
        (row(1, REFUSAL, abstained=True), "it refused"),
        (row(1, variant="plain"), "this system has no sources"),
    ):
        scores, reasons = grounding_scores(other, 0.6)
        assert set(scores.values()) == {None}
        assert set(reasons.values()) == {why}


def test_an_empty_answer_with_sources_is_zero_not_null():
    scores, reasons = grounding_scores(row(1, "", uncited=[passage(GUT)]), 0.6)
    assert set(scores.values()) == {0.0}
    assert reasons == {}


def test_an_answer_that_cites_nothing_has_no_precision_and_one_beyond_the_sources_no_recall():
    scores, _ = grounding_scores(
        row(
            1,
            "Ulcers are sores in the stomach.",
            uncited=[passage(GUT)],
            unsupported=["Ulcers are sores in the stomach."],
        ),
        0.6,
    )
    assert (scores["citation_precision"], scores["grounded"], scores["citation_recall"]) == (0.0, 1.0, 0.0)
    scores, reasons = grounding_scores(
        row(1, "Goats eat grass.", uncited=[passage(GUT)], unsupported=["Goats eat grass."]), 0.6
    )
    assert scores["citation_recall"] is None
    assert reasons["citation_recall"] == "no passage shown bears any sentence out"


def test_copied_runs_of_eight_words():
    source = "one two three four five six seven eight nine ten"
    assert copied_share("zero One two, three four five six seven eight. [1] Eleven", [source]) == pytest.approx(8 / 10)
    assert copied_share("two three four five six seven eight", [source]) == 1.0  # shorter than a run: all or nothing
    assert copied_share("two three four five six seven nine", [source]) == 0.0
    assert copied_share("one two three four x five six seven eight", [source]) == 0.0
    assert (
        copied_share("one two three four five six seven eight", ["one two three four", "five six seven eight"]) == 0.0
    )
    assert copied_share("", [source]) == 0.0


@pytest.mark.parametrize(
    ("abstained", "answer", "relevant", "right"),
    [
        (True, REFUSAL, [], 1.0),
        (True, REFUSAL, ["p1"], 0.0),
        (False, "Text.", ["p1"], 1.0),
        (False, "Text.", [], 0.0),
        (False, "", ["p1"], 0.0),
        (False, "", [], 0.0),
        (False, "Text.", None, None),
    ],
)
def test_refusing_is_right_where_the_index_holds_no_answer(abstained, answer, relevant, right):
    scores, reasons = refusal_scores(row(1, answer, abstained=abstained, relevant=relevant))
    assert scores == {"refused": float(abstained), "refusal_right": right}
    assert ("refusal_right" in reasons) == (right is None)


def test_markers_in_the_answer_are_found_as_the_pipeline_wrote_them():
    assert len(split_sentences(AIRWAYS)) == 2
    scores, _ = grounding_scores(
        row(1, "Asthma narrows the airways. [1][2] Wheezing is common at night. [1]",
            citations=[citation(1, AIRWAYS), citation(2, GUT, False, pair="p2"), citation(1, AIRWAYS)]), 0.6,
    )  # fmt: skip
    assert (scores["supported"], scores["citation_precision"]) == (1.0, pytest.approx(2 / 3))


def test_risk_and_coverage_worked_by_hand():
    curve = risk_coverage([0.9, 0.5, 0.7], [0.0, 1.0, 0.3])
    assert curve.coverage == pytest.approx((1 / 3, 2 / 3, 1))
    assert curve.risk == pytest.approx((0.0, 0.15, 1.3 / 3))
    assert curve.area == curve.best_area == pytest.approx((0.0 + 0.15 + 1.3 / 3) / 3)
    backwards = risk_coverage([0.5, 0.9, 0.7], [0.0, 1.0, 0.3])
    assert backwards.area == pytest.approx((1.0 + 0.65 + 1.3 / 3) / 3)
    assert backwards.best_area == curve.area


def test_refusals_only_shorten_the_curve():
    curve = risk_coverage([0.9, 0.7], [0.0, 0.5], questions=4)
    assert curve.coverage == (0.25, 0.5)
    assert curve.risk == (0.0, 0.25)


def test_equal_confidence_is_the_mean_of_all_orders():
    from itertools import permutations

    losses = [0.1, 0.9, 0.4]
    curve = risk_coverage([0.9, 0.5, 0.5, 0.5], [0.2, *losses])
    orders = [risk_coverage([4, 3, 2, 1], [0.2, *order]).risk for order in permutations(losses)]
    assert curve.risk == pytest.approx([sum(r) / len(orders) for r in zip(*orders, strict=True)])


def test_no_answers_are_no_curve():
    with pytest.raises(ValueError, match="found 0 and 0"):
        risk_coverage([], [])
