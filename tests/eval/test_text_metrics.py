"""ROUGE-L against our own longest common subsequence, BLEU against a case worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.text_metrics import corpus_bleu, rouge_scores, strip_markers

WORDS = st.lists(
    st.sampled_from(["asma", "gut", "pan", "lung", "toe"]), max_size=12
)  # none of them changed by the stemmer


def lcs(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def f_measure(overlap, a, b):
    return 2 * overlap / (a + b) if overlap else 0.0


@given(WORDS, WORDS)
def test_rouge_equals_a_second_implementation(answer, reference):
    score = rouge_scores([" ".join(answer)], [" ".join(reference)])[0]
    unigrams = sum(min(answer.count(w), reference.count(w)) for w in set(answer))
    assert score["rouge1"] == pytest.approx(f_measure(unigrams, len(answer), len(reference)))
    assert score["rougeL"] == pytest.approx(f_measure(lcs(answer, reference), len(answer), len(reference)))


def test_bleu_of_a_case_worked_by_hand():
    # 9 of 10 unigrams, 8 of 9 bigrams, 7 of 8 trigrams, 6 of 7 4-grams match; equal lengths, no brevity penalty.
    reference = "one two three four five six seven eight nine ten"
    answer = "one two three four five six seven eight nine eleven"
    expected = math.exp(sum(map(math.log, [9 / 10, 8 / 9, 7 / 8, 6 / 7])) / 4)
    result = corpus_bleu([answer], [reference])
    assert result["bleu"] == pytest.approx(expected)
    assert "version:" in result["signature"]


def test_markers_are_not_part_of_the_text():
    assert strip_markers("Asthma narrows airways. [1] It wheezes [2][3].") == "Asthma narrows airways. It wheezes."
    assert rouge_scores(["Same words. [1]"], ["Same words."])[0]["rougeL"] == 1.0


def test_empty_answer_scores_zero():
    assert rouge_scores([""], ["something"])[0] == {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}
