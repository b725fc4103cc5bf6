import random

import numpy as np
import pytest

from eval.bleu import bleu_of, bleu_statistics
from eval.effects import FEWEST, INTERACTION, default_contrasts, effects
from eval.groups import level_of
from eval.holm import holm
from medqa.errors import MedqaError
from tests.eval.generated_texts import pairs
from tests.eval.scored_rows import row, with_scores

VARIANTS = ("plain", "tuned", "plain+rag", "tuned+rag")


def rows_of(means, n=60, noise=0.05, name="rougeL", **more):
    """System -> rows; a question's difficulty is the same for every system."""
    rng = random.Random(0)
    hard = [rng.gauss(0, 0.3) for _ in range(n)]
    return {
        system: [with_scores(i, hard[i] + mean + rng.gauss(0, noise), name, variant=system, **more) for i in range(n)]
        for system, mean in means.items()
    }


def pick(found, **wanted):
    hits = [e for e in found if all(getattr(e, k) == v for k, v in wanted.items())]
    assert len(hits) == 1
    return hits[0]


def test_a_planted_interaction_is_found_and_its_size_is_right():
    rows = rows_of({"plain": 0.1, "tuned": 0.2, "plain+rag": 0.4, "tuned+rag": 0.65})
    found = effects(rows, {"interaction": INTERACTION, "tuned - plain": {"tuned": 1, "plain": -1}}, 2000, 0)
    interaction = pick(found, contrast="interaction", metric="rougeL")
    values = {v: [r["scores"]["rougeL"] for r in rows[v]] for v in rows}
    by_hand = (
        np.mean(values["tuned+rag"])
        - np.mean(values["plain+rag"])
        - np.mean(values["tuned"])
        + np.mean(values["plain"])
    )
    assert interaction.mean == pytest.approx(by_hand)
    assert interaction.low < 0.15 < interaction.high
    assert interaction.p_holm < 0.01
    assert pick(found, contrast="tuned - plain", metric="rougeL").low < 0.1


def test_no_interaction_where_tuning_adds_the_same_with_and_without_sources():
    rows = rows_of({"plain": 0.1, "tuned": 0.2, "plain+rag": 0.4, "tuned+rag": 0.5})
    assert pick(effects(rows, {"interaction": INTERACTION}, 2000, 0), metric="rougeL").p > 0.05


def test_only_questions_that_every_system_has_a_value_for():
    rows = rows_of({"plain+rag": 0.5, "tuned+rag": 0.6}, name="supported")
    rows["plain+rag"][3]["scores"]["supported"] = None
    rows["tuned+rag"][3]["scores"]["supported"] = 99.0
    effect = pick(effects(rows, {"d": {"tuned+rag": 1, "plain+rag": -1}}, 500, 0), metric="supported")
    assert (effect.n, effect.left_out) == (59, 1)
    assert 0.05 < effect.mean < 0.15


def test_what_cannot_be_compared_is_null_with_a_reason():
    rows = rows_of({"plain": 0.5, "tuned": 0.6}, n=FEWEST - 1)
    found = effects(rows, {"d": {"tuned": 1, "plain": -1}}, 500, 0)
    few = pick(found, metric="rougeL")
    assert (few.mean, few.n, few.reason) == (None, 9, "only 9 questions, 10 are needed")
    assert pick(found, metric="drugs").reason == "no question has a value in every system"
    assert pick(found, metric="loss").reason == "the loss of the references was not measured"
    assert pick(found, metric="bleu").reason == "only 9 questions, 10 are needed"


def test_bleu_of_two_systems_is_the_difference_of_their_bleus():
    answers, references = pairs(40)
    rows = {
        "plain": [
            with_scores(i, 0.0, answer=a, reference=r) for i, (a, r) in enumerate(zip(answers, references, strict=True))
        ],
        "tuned": [with_scores(i, 0.0, answer=r, reference=r) for i, r in enumerate(references)],
    }
    effect = pick(effects(rows, {"d": {"tuned": 1, "plain": -1}}, 300, 0), metric="bleu")
    order = sorted(range(40), key=lambda i: f"q{i}")
    sums = bleu_statistics([answers[i] for i in order], [references[i] for i in order]).sum(axis=0)
    assert effect.mean == pytest.approx(1 - float(bleu_of(sums, "exp")))
    assert 0 < effect.low < effect.mean < effect.high < 1


def test_effects_per_class_see_only_their_questions():
    rows = rows_of({"plain": 0.0, "tuned": 0.0}, n=40, noise=0.01)
    for i in range(40):
        kind = "symptoms" if i < 25 else "causes"
        for system in rows:
            rows[system][i]["question_type"] = kind
        rows["tuned"][i]["scores"]["rougeL"] += 0.3 if kind == "causes" else 0.0
    found = effects(rows, {"d": {"tuned": 1, "plain": -1}}, 1000, 0, groups=["question_type"])
    causes = pick(found, metric="rougeL", factor="question_type", level="causes")
    symptoms = pick(found, metric="rougeL", factor="question_type", level="symptoms")
    assert causes.mean == pytest.approx(0.3, abs=0.02)
    assert (causes.n, symptoms.n) == (15, 25)
    assert abs(symptoms.mean) < 0.02
    whole = pick(found, metric="rougeL", factor="")
    assert whole.mean == pytest.approx((25 * symptoms.mean + 15 * causes.mean) / 40)
    assert [causes.p_holm, symptoms.p_holm] == holm([causes.p, symptoms.p])


def test_correction_is_over_the_contrasts_of_one_measure():
    rows = rows_of(dict.fromkeys(VARIANTS, 0.1))
    contrasts = default_contrasts(VARIANTS)
    found = [e for e in effects(rows, contrasts, 500, 0) if e.metric == "rougeL"]
    assert len(found) == len(contrasts) == 6
    assert [e.p_holm for e in found] == holm([e.p for e in found])


def test_default_contrasts_name_what_is_there():
    assert default_contrasts(["plain", "tuned"]) == {"tuned - plain": {"tuned": 1, "plain": -1}}
    assert default_contrasts([*VARIANTS, "extractive"])["interaction"] == INTERACTION
    assert "many passages - tuned+rag" in default_contrasts(["tuned+rag", "many passages"])


def test_a_regression_is_a_fall_of_what_should_rise_or_a_rise_of_what_should_fall():
    def effect(name, change):
        rows = {
            "A": [with_scores(i, 1.0, name) for i in range(12)],
            "B": [with_scores(i, 1.0 + change, name) for i in range(12)],
        }
        return pick(effects(rows, {"B - A": {"B": 1, "A": -1}}, 200, 0), metric=name)

    assert effect("rougeL", -0.5).regression
    assert not effect("rougeL", 0.5).regression
    assert effect("invented_markers", 1.0).regression
    assert not effect("invented_markers", -1.0).regression
    assert not effect("length_ratio", -0.5).regression  # neither way is better


def test_order_of_rows_does_not_matter_and_the_seed_decides():
    rows = rows_of({"plain": 0.1, "tuned": 0.2})
    turned = {name: r[::-1] for name, r in rows.items()}
    contrast = {"d": {"tuned": 1, "plain": -1}}
    assert effects(rows, contrast, 300, 1) == effects(turned, contrast, 300, 1)
    assert effects(rows, contrast, 300, 1) != effects(rows, contrast, 300, 2)


def test_different_questions_and_unknown_systems_are_refused():
    rows = rows_of({"plain": 0.1, "tuned": 0.2})
    rows["tuned"] = rows["tuned"][1:]
    with pytest.raises(MedqaError, match="same questions"):
        effects(rows, {"d": {"tuned": 1, "plain": -1}}, 100, 0)
    with pytest.raises(MedqaError, match="wanted rows of extractive"):
        effects(rows, {"d": {"extractive": 1, "plain": -1}}, 100, 0)


def test_classes_of_a_question():
    assert level_of(row(1, question_type="causes"), "question_type") == "causes"
    assert level_of(row(1, question_type=""), "question_type") == "not given"
    assert [level_of(row(1, topic_rows=n), "topic_frequency") for n in (1, 2, 3, 4, 8, 9, 0)] == [
        "1 pair of the topic", "2 or 3", "2 or 3", "4 to 8", "4 to 8", "more than 8", "not given",
    ]  # fmt: skip
    assert [level_of(row(1, reference="w " * n), "length") for n in (70, 71, 251)] == [
        "up to 70 words", "71 to 140", "more than 250",
    ]  # fmt: skip
    with pytest.raises(MedqaError, match="found 'colour'"):
        level_of(row(1), "colour")
