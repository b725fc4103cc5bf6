"""Rows -> scores -> figures: what is counted as zero, what is null and why, and that nothing is left out."""

import json
import math

import pytest

from eval.health.terms import term_list
from eval.measures import MEASURES, PER_ANSWER
from eval.score import Tools, score_predictions, score_rows
from medqa.records import QAPair
from rag.prompt import REFUSAL
from tests.eval.scored_rows import citation, passage, row

SOURCE = "one two three four"
TERMS = term_list(
    [
        QAPair("p1", "What is asthma?", "Ibuprofen. The ABC1 gene.", topic="Asthma"),
        QAPair("p2", "What is croup?", "x", topic="Croup"),
    ]
)


def cited(n, answer, **more):
    return row(n, answer, **{"citations": [citation(1, SOURCE)], **more})


def four_rows():
    return [
        cited(1, "one two three four [1]"),
        cited(2, "one two. [1] Five six. [1]", unsupported=["Five six."],
              citations=[citation(1, SOURCE), citation(1, SOURCE, supported=False)]),
        row(3, REFUSAL, abstained=True, uncited=[passage(SOURCE)]),
        row(4, ""),
    ]  # fmt: skip


def test_figures_of_a_case_worked_by_hand():
    rows = four_rows()
    figures = score_rows(rows, resamples=200, seed=0)
    metrics = figures["metrics"]
    assert metrics["rouge1"]["mean"] == pytest.approx((1 + 0.5 + 0 + 0) / 4)  # the empty answer counts as zero
    assert metrics["supported"]["mean"] == pytest.approx(
        (1 + 0.5 + 0) / 3
    )  # so it does here; the refusal claims nothing
    assert (metrics["supported"]["n"], metrics["supported"]["null"]) == (3, 1)
    assert metrics["supported"]["reason"] == "it refused (1)"
    assert metrics["refused"]["mean"] == 0.25
    assert metrics["refusal_right"]["mean"] == 0.5  # all four can be answered; one refused, one is empty
    assert metrics["mrr@10"]["mean"] == 1.0
    assert figures["empty_ids"] == ["q4"]
    assert figures["questions"] == 4
    assert rows[2]["scores"]["supported"] is None
    assert rows[2]["score_reasons"]["supported"] == "it refused"


def test_every_measure_has_a_figure_and_every_null_a_reason():
    rows = four_rows()
    figures = score_rows(rows, resamples=100, seed=0)
    assert list(figures["metrics"]) == list(MEASURES)
    for figure in figures["metrics"].values():
        assert figure["n"] + figure["null"] == 4
        assert (figure["mean"] is None) == (figure["n"] == 0)
        assert bool(figure["reason"]) == bool(figure["null"])
    for r in rows:
        assert tuple(r["scores"]) == PER_ANSWER
        assert {name for name, value in r["scores"].items() if value is None} == set(r["score_reasons"])
    json.dumps([figures, rows], allow_nan=False)


def test_a_failed_answer_counts_as_an_empty_one():
    failed = score_predictions([cited(1, "one two three four [1]", error="out of memory")])[0]
    assert (failed.scores["rouge1"], failed.scores["token_f1"], failed.scores["supported"]) == (0.0, 0.0, 0.0)
    assert failed.scores["refusal_right"] == 0.0
    figures = score_rows([cited(1, "one two three four [1]", error="out of memory")], 100, 0)
    assert figures["empty_ids"] == ["q1"]
    assert figures["metrics"]["bleu"]["mean"] == figures["metrics"]["chrf"]["mean"] == 0.0


def test_without_tools_and_keys_scores_are_null_with_the_reason():
    closed = score_predictions([row(1, variant="plain")])[0]
    assert closed.reasons["supported"] == "this system has no sources"
    assert closed.reasons["ndcg@10"] == "no ranking was kept"
    assert closed.reasons["similarity"] == "no encoder was given"
    assert closed.reasons["bertscore"] == "no model folder for BERTScore was given"
    assert closed.reasons["drugs"] == "no term list was given"
    unanswerable = score_predictions([row(1, relevant=[])])[0]
    assert unanswerable.reasons["hit@1"] == "the index holds nothing that answers it"


def test_health_scores_of_a_case_worked_by_hand():
    reference = "Asthma in children: take 200 mg ibuprofen twice daily. Never give more than 3 doses. Call your doctor."
    answer = "Croup: take 0.2 g ibuprofen twice daily. The ZZZ9 gene causes it. Never give more than 4 doses."
    scored = score_predictions(
        [cited(1, answer, reference=reference, question="Does asthma hurt?")], Tools(terms=TERMS)
    )[0]
    assert scored.scores["quantities"] == 1.0
    assert scored.scores["numbers"] == 0.0  # {0.2, 4} and {200, 3}
    assert scored.scores["drugs"] == 1.0
    assert scored.scores["conditions"] == 0.0  # croup against nothing: asthma stands in the question
    assert scored.scores["genes"] == 0.0  # an invented gene
    assert scored.scores["contradiction"] == 0.0
    assert scored.scores["care"] == 0.0
    refusal = score_predictions([row(1, REFUSAL, abstained=True, reference=reference)], Tools(terms=TERMS))[0]
    assert (refusal.scores["quantities"], refusal.scores["drugs"], refusal.scores["care"]) == (0.0, 0.0, 0.0)
    assert refusal.reasons["grade"] == "it refused"
    plain = score_predictions([row(1)], Tools(terms=TERMS))[0]
    assert plain.reasons["drugs"] == plain.reasons["quantities"] == "neither text has any"
    assert plain.reasons["care"] == "the reference does not say when to seek care"


def test_losses_are_of_all_tokens_and_evidence_orders_the_curve():
    rows = [
        cited(
            1, "one two three four [1]", evidence=0.9, lm={"nats": 4.0, "tokens": 2, "bytes": 10, "truncated": False}
        ),
        cited(2, "nothing alike [1]", evidence=0.2, lm={"nats": 2.0, "tokens": 4, "bytes": 10, "truncated": False}),
        row(3, REFUSAL, abstained=True, lm={"nats": 0.0, "tokens": 0, "bytes": 0, "truncated": True}),
    ]
    figures = score_rows(rows, resamples=100, seed=0)
    assert figures["metrics"]["loss"]["mean"] == 1.0
    assert figures["cut_references"] == 1
    assert figures["metrics"]["perplexity"]["mean"] == pytest.approx(math.e)
    assert figures["metrics"]["bits_per_byte"]["mean"] == pytest.approx(6 / math.log(2) / 20)
    assert figures["risk_coverage"]["coverage"] == pytest.approx((1 / 3, 2 / 3))
    assert figures["risk_coverage"]["risk"] == pytest.approx((0.0, 0.5))
    assert (
        score_rows([row(1, variant="plain")], 100, 0)["risk_coverage_reason"]
        == "there is no evidence score for every answer"
    )
    refused = score_rows([row(1, REFUSAL, abstained=True)], 100, 0)
    assert refused["risk_coverage_reason"] == "it refused every question"


def test_same_rows_same_seed_same_numbers():
    first, again = four_rows(), four_rows()
    assert score_rows(first, 300, 5) == score_rows(again, 300, 5)
    assert first == again
    assert score_rows(four_rows(), 300, 6) != score_rows(four_rows(), 300, 5)
