from dataclasses import replace

import numpy as np
import pytest
from retrieval_toys import ToyEncoder, pair

from retrieval.calibration import calibrate, highest_refusing, youden_threshold
from retrieval.passages import make_passages


def run(pairs, parts=("topic",), seed=0):
    encoder = ToyEncoder()
    passages = make_passages(pairs, parts, encoder.count_tokens, 32, 64)
    vectors = encoder.encode_passages([p.embedded_text for p in passages])
    return calibrate(pairs, passages, vectors, encoder, "question" in parts, seed)


@pytest.mark.parametrize(
    ("present", "absent", "threshold"),
    [
        ([0.8, 0.9], [0.1, 0.2], 0.5),
        ([0.3, 0.7, 0.9], [0.1, 0.5], 0.6),  # .2 keeps 3/3 and refuses 1/2; .6 keeps 2/3 and refuses 2/2
        ([0.5], [0.5], 0.5),
    ],
)
def test_youden_by_hand(present, absent, threshold):
    assert youden_threshold(present, absent) == pytest.approx(threshold)


def test_youden_is_the_best_of_all_cuts():
    rng = np.random.default_rng(0)
    present, absent = rng.normal(0.6, 0.1, 80), rng.normal(0.5, 0.1, 60)

    def balanced(t):
        return np.mean(present >= t) + np.mean(absent < t)

    assert balanced(youden_threshold(present, absent)) == max(balanced(t) for t in np.linspace(0, 1, 20_001))


def test_scores_by_hand():
    # "alpha3 rest" against "topic3 alpha3 rest" (its own) and against the others, which share only "rest" with it
    pairs = [pair(f"p{i}", f"alpha{i} rest", question=f"alpha{i} rest", topic=f"topic{i}") for i in range(25)]
    found = run(pairs)
    own, other = 2 / np.sqrt(2 * 3), 1 / np.sqrt(2 * 3)
    assert found["n"] == 25
    assert found["present"] == pytest.approx(dict.fromkeys(("p5", "p25", "p50", "p75", "p95"), own))
    assert found["absent"] == pytest.approx(dict.fromkeys(("p5", "p25", "p50", "p75", "p95"), other))
    assert found["threshold"] == pytest.approx((own + other) / 2)
    assert (found["wrong_answers"], found["wrong_refusals"], found["reason"]) == (0, 0, "")


def strangers(number):
    """25 pairs; the first ``number`` ask with a word that their own passage does not hold."""
    return [
        pair(f"p{i}", f"alpha{i}", question=f"alpha{i}" if i >= number else f"beta{i}", topic=f"topic{i}")
        for i in range(25)
    ]


def test_expected_errors_are_shares():
    found = run(strangers(2), ())  # two are refused; none is answered wrongly
    assert (found["wrong_answers"], found["wrong_refusals"]) == (0, 2 / 25)


def test_at_most_a_tenth_of_what_is_there_is_refused():
    # Youden would refuse ten of 25. The most that may be refused are two, and all ten score alike: none is refused.
    found = run(strangers(10), ())
    assert (found["wrong_answers"], found["wrong_refusals"]) == (1, 0)


@pytest.mark.parametrize(("most", "threshold"), [(0.0, 0.1), (0.1, 0.2), (0.19, 0.2), (0.5, 0.6)])
def test_highest_threshold_that_refuses_no_more_than_asked(most, threshold):
    scores = [n / 10 for n in range(10, 0, -1)]
    assert highest_refusing(scores, most) == threshold
    assert sum(s < threshold for s in scores) <= most * len(scores)


def test_a_question_in_the_header_does_not_find_itself():
    pairs = [
        pair(f"p{i}-{kind}", f"{kind} text", question=f"{kind} of topic{i}", topic=f"topic{i}")
        for i in range(15)
        for kind in ("causes", "signs")
    ]
    twins = [replace(p, id=p.id + "-twin") for p in pairs]
    found = run(pairs + twins, ("question",))
    # "causes of topic3" against the header "signs of topic3" and "signs text": 2 shared words, lengths 3 and 6 with a repeat
    assert found["present"]["p95"] == pytest.approx(2 / np.sqrt(3 * (2**2 + 1 + 1 + 1)))
    assert "except those of pairs with the same question" in found["definition"]


def test_validation_questions_are_asked_where_there_are_enough():
    pairs = [
        pair(f"p{i}", f"alpha{i}", question=f"alpha{i}", topic=f"t{i}", split="validation" if i < 22 else "train")
        for i in range(60)
    ]
    assert run(pairs)["n"] == 22
    assert run(pairs[10:])["n"] == 50  # twelve are too few: all are asked


def test_the_sample_is_bounded_and_decided_by_the_seed():
    pairs = [pair(f"p{i}", f"alpha{i} " + "x " * (i % 9), question=f"alpha{i} x", topic=f"t{i}") for i in range(260)]
    assert run(pairs)["n"] == 200
    assert run(pairs) == run(pairs[::-1])
    assert run(pairs, seed=1) != run(pairs)


def test_too_few_questions_give_null_and_a_reason():
    found = run([pair(f"p{i}", f"alpha{i}", topic=f"t{i}") for i in range(19)])
    assert found["threshold"] is None
    assert found["reason"].startswith("19 questions have passages of their own")
    alone = run([pair(f"p{i}", f"alpha{i}") for i in range(40)], ("question",))  # no topics: own is the pair, left out
    assert (alone["threshold"], alone["n"]) == (None, 0)
