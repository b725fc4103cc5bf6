import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical import LexicalIndex, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The beta-blocker", ["betablocker", "beta", "blocker"]),
        ("IL-6 and IL6", ["il6", "il", "6", "il6"]),
        ("BRCA1 2.5 mg 1,000 12,5", ["brca1", "2.5", "mg", "1000", "12,5"]),
        ("Crohn's Sjögren", ["crohn", "sjogren"]),
        ("non-small-cell", ["nonsmallcell", "non", "small", "cell"]),
        ("no fever without the rash", ["no", "fever", "without", "rash"]),
        ("What is (are) it ?", []),
    ],
)
def test_tokens(text, tokens):
    assert tokenise(text) == tokens


@given(st.text(max_size=100))
def test_tokens_hold_no_space_and_are_never_empty(text):
    assert all(token and not any(c.isspace() for c in token) for token in tokenise(text))


DOCUMENTS = ["fever fever cough", "cough rash", "BRCA1 gene raises risk", "the of and"]


def test_scores_are_bm25_by_hand():
    scores = LexicalIndex.build(DOCUMENTS).scores("fever? cough cough")
    lengths = [3, 2, 4, 0]
    average = sum(lengths) / 4

    def part(tf, df, length):  # Lucene: idf = ln(1 + (N - df + .5) / (df + .5)), no (k1 + 1) in the numerator
        return math.log(1 + (4 - df + 0.5) / (df + 0.5)) * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * length / average))

    expected = [part(2, 1, 3) + part(1, 2, 3), part(1, 2, 2), 0, 0]
    assert scores == pytest.approx(expected, rel=1e-5)


def test_unknown_words_and_wordless_corpora_score_zero():
    index = LexicalIndex.build(DOCUMENTS)
    assert index.scores("zebra").tolist() == [0, 0, 0, 0]
    assert index.scores("").tolist() == [0, 0, 0, 0]
    assert LexicalIndex.build(["the", "of"]).scores("fever").tolist() == [0, 0]


def test_saving_is_exact_and_repeatable(tmp_path):
    index = LexicalIndex.build(DOCUMENTS)
    index.save(tmp_path / "a")
    LexicalIndex.build(DOCUMENTS).save(tmp_path / "b")
    loaded = LexicalIndex.load(tmp_path / "a")
    assert len(loaded) == 4
    assert np.array_equal(loaded.scores("fever cough gene"), index.scores("fever cough gene"))
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
