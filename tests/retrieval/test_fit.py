import numpy as np
import pytest
from retrieval_toys import ToyEncoder, pair

from retrieval.fit import WEIGHTS, choose_weight, fit_lexical_weight
from retrieval.lexical import LexicalIndex
from retrieval.passages import make_passages


class WideEncoder(ToyEncoder):
    dim = 1 << 16  # so wide that no two of some 200 words share a place


class BlindEncoder(WideEncoder):
    """Sees nothing of a question."""

    def encode_queries(self, texts):
        return self._vectors(["noise"] * len(texts))


def fitted(encoder, n=120, header=("topic",), backwards=False):
    pairs = [
        pair(
            f"p{i:03d}",
            f"Term{i} term{i} lies here.",
            question=f"Tell me of term{i}?",
            topic=f"t{i}",
            split="validation",
        )
        for i in range(n)
    ]
    passages = make_passages(pairs, header, encoder.count_tokens, 16, 64)
    texts = [p.embedded_text for p in passages]
    vectors, lexical = encoder.encode_passages(texts), LexicalIndex.build(texts)
    asked = pairs[::-1] if backwards else pairs
    return fit_lexical_weight(asked, passages, vectors, lexical, encoder, "question" in header, 0)


def test_where_the_encoder_is_blind_words_are_needed():
    found = fitted(BlindEncoder())
    assert found["lexical_weight"] == 0.05  # any weight above 0 puts the only word in common first
    assert (found["n"], found["reason"]) == (120, "")
    assert found["ndcg"]["0.05"] == found["ndcg"]["1.00"] == 1.0 > found["ndcg"]["0.00"]


def test_where_the_encoder_sees_all_it_stands_alone():
    found = fitted(WideEncoder())
    assert found["lexical_weight"] == 0.0 and found["ndcg"]["0.00"] == 1.0


def test_pairs_with_the_same_answer_or_question_are_right_too():
    pairs = [pair(f"p{i:03d}", f"Word{i} lies here.", question=f"Word{i}?", split="validation") for i in range(100)]
    twins = [pair(f"q{i:03d}", f"word{i} LIES here", question="Other?") for i in range(100)]
    passages = make_passages([*pairs, *twins], (), ToyEncoder().count_tokens, 16, 64)
    texts = [p.embedded_text for p in passages]
    encoder = WideEncoder()
    found = fit_lexical_weight(
        [*pairs, *twins], passages, encoder.encode_passages(texts), LexicalIndex.build(texts), encoder, False, 0
    )
    assert found["n"] == 100 and found["ndcg"]["0.00"] == 1.0  # both twins first: only then is it 1


@pytest.mark.parametrize(
    ("n", "header", "reason"),
    [(99, ("topic",), "99 validation questions"), (120, ("question", "topic"), "find itself")],
)
def test_the_default_stands_where_nothing_can_be_fitted(n, header, reason):
    found = fitted(WideEncoder(), n, header)
    assert (found["lexical_weight"], found["n"]) == (0.1, 0) and reason in found["reason"]


def test_the_lowest_weight_within_one_standard_error_is_chosen():
    gains = np.full((100, len(WEIGHTS)), 0.5)
    gains[:, 6] = 0.6
    assert choose_weight(gains) == 0.3  # the others are behind by .1 on every question: no error to hide in
    gains[:50, 4], gains[50:, 4] = 0.7, 0.49  # behind by .005 on average, +-.0105
    assert choose_weight(gains) == 0.2


def test_the_sample_does_not_depend_on_the_order_of_rows(monkeypatch):
    monkeypatch.setattr("retrieval.fit.QUESTIONS", 100)
    sampled = fitted(BlindEncoder(), n=300)
    assert sampled["n"] == 100
    assert fitted(BlindEncoder(), n=300, backwards=True) == sampled
