"""Our counts against sacrebleu, and against a second implementation by nested loops, on 500 generated texts."""

import math

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from eval.bleu import bleu_of, bleu_parts, bleu_statistics, tokens_13a
from eval.chrf import chrf_of, chrf_statistics
from eval.text_metrics import corpus_bleu, corpus_chrf
from tests.eval.generated_texts import pairs

ANSWERS, REFERENCES = pairs(500)


def grams(items, order):
    return [tuple(items[i : i + order]) for i in range(len(items) - order + 1)]


def clipped(ours, theirs):
    """Matches, each n-gram of the reference used once."""
    left, matches = list(theirs), 0
    for gram in ours:
        if gram in left:
            left.remove(gram)
            matches += 1
    return matches


def papineni(answers, references):
    """BLEU without smoothing, from its definition."""
    matches, totals, length, wanted = [0] * 4, [0] * 4, 0, 0
    for a, r in zip(answers, references, strict=True):
        a, r = tokens_13a(a), tokens_13a(r)
        length, wanted = length + len(a), wanted + len(r)
        for n in range(4):
            matches[n] += clipped(grams(a, n + 1), grams(r, n + 1))
            totals[n] += len(grams(a, n + 1))
    if not length or 0 in matches:
        return 0.0
    brevity = 1.0 if length > wanted else math.exp(1 - wanted / length)
    return brevity * math.exp(sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / 4)


def popovic(answers, references):
    """chrF2 from its definition, over the whole corpus."""
    precision, recall, orders = 0.0, 0.0, 0
    for n in range(1, 7):
        ours = theirs = shared = 0
        for a, r in zip(answers, references, strict=True):
            x, y = grams("".join(a.split()), n), grams("".join(r.split()), n)
            ours, theirs, shared = ours + (len(x) if y else 0), theirs + len(y), shared + clipped(x, y)
        if ours and theirs:
            precision, recall, orders = precision + shared / ours, recall + shared / theirs, orders + 1
    if not precision + recall:
        return 0.0
    p, r = precision / orders, recall / orders
    return 5 * p * r / (4 * p + r)


def test_bleu_of_500_texts_is_sacrebleus():
    sums = bleu_statistics(ANSWERS, REFERENCES).sum(axis=0)
    found = BLEU().corpus_score(ANSWERS, [REFERENCES])
    assert 0.05 < found.score / 100 < 0.95
    assert float(bleu_of(sums, "exp")) == pytest.approx(found.score / 100, abs=1e-12)
    assert sums[:4].tolist() == found.counts
    assert sums[4:8].tolist() == found.totals
    assert bleu_parts(sums)["precisions"] == pytest.approx([p / 100 for p in found.precisions])


def test_bleu_of_500_texts_is_that_of_a_second_implementation():
    sums = bleu_statistics(ANSWERS, REFERENCES).sum(axis=0)
    assert float(bleu_of(sums, "none")) == pytest.approx(papineni(ANSWERS, REFERENCES), abs=1e-12)
    for a, r in list(zip(ANSWERS, REFERENCES, strict=True))[
        :200
    ]:  # single texts: orders without a match, empty answers
        single = bleu_statistics([a], [r]).sum(axis=0)
        assert float(bleu_of(single, "none")) == pytest.approx(papineni([a], [r]), abs=1e-12)
        assert float(bleu_of(single, "exp")) == pytest.approx(BLEU().corpus_score([a], [[r]]).score / 100, abs=1e-12)


def test_chrf_of_500_texts_is_sacrebleus_and_that_of_a_second_implementation():
    sums = chrf_statistics(ANSWERS, REFERENCES).sum(axis=0)
    assert float(chrf_of(sums)) == pytest.approx(CHRF().corpus_score(ANSWERS, [REFERENCES]).score / 100, abs=1e-12)
    assert float(chrf_of(sums)) == pytest.approx(popovic(ANSWERS, REFERENCES), abs=1e-12)
    for a, r in list(zip(ANSWERS, REFERENCES, strict=True))[:100]:
        single = chrf_statistics([a], [r]).sum(axis=0)
        assert float(chrf_of(single)) == pytest.approx(CHRF().corpus_score([a], [[r]]).score / 100, abs=1e-12)


def test_many_sums_at_once_are_the_sums_one_by_one():
    bleu, chrf = bleu_statistics(ANSWERS, REFERENCES), chrf_statistics(ANSWERS, REFERENCES)
    assert bleu_of(bleu, "exp").tolist() == [float(bleu_of(row, "exp")) for row in bleu]
    assert np.allclose(chrf_of(chrf), [float(chrf_of(row)) for row in chrf], atol=0, rtol=1e-15)


def test_a_case_of_evaluates_bleu_worked_by_hand():
    # "the cat sat on the mat ." / "the cat is on the mat ." by 13a: 6 of 7 words; the cat, on the, the mat, mat . of 6 bigrams;
    # on the mat, the mat . of 5 trigrams; on the mat . of 4; equal lengths.
    sums = bleu_statistics(["the cat sat on the mat."], ["the cat is on the mat."]).sum(axis=0)
    assert float(bleu_of(sums, "none")) == pytest.approx((6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25)
    short = bleu_statistics(["the cat is on"], ["the cat is on the mat"]).sum(axis=0)
    assert float(bleu_of(short, "none")) == pytest.approx(math.exp(1 - 6 / 4))  # the brevity penalty alone
    no_trigram = bleu_statistics(["the cat on the mat"], ["the cat is on mat the"]).sum(axis=0)
    assert float(bleu_of(no_trigram, "none")) == 0.0
    assert 0 < float(bleu_of(no_trigram, "exp")) < 0.5


def test_empty_answers_are_zero():
    for empty in (
        bleu_of(bleu_statistics([""], ["gut"]).sum(axis=0), "none"),
        chrf_of(chrf_statistics([""], ["gut"])[0]),
    ):
        assert float(empty) == 0.0
    assert bleu_parts(bleu_statistics([""], ["gut"])[0])["brevity_penalty"] == 0.0


def test_signatures_say_how():
    assert "tok:13a" in corpus_bleu(["gut"], ["gut"])["signature"]
    assert "nc:6" in corpus_chrf(["gut"], ["gut"])["signature"]
    assert corpus_chrf(["gut pan [1]"], ["gut pan"])["chrf"] == 1.0
