import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical import K1, B, LexicalIndex, tokenise
from retrieval.terms import Terms, collect, score_matrix

words = st.lists(st.sampled_from(["fever", "cough", "rash", "gene", "the", "risk"]), max_size=8).map(" ".join)
texts = st.lists(words, min_size=1, max_size=8)


@given(texts)
def test_scores_are_those_of_bm25s_itself(documents):
    import bm25s

    terms = collect(documents, tokenise)
    ids = [terms.numbers[a:b].tolist() for a, b in zip(terms.starts[:-1], terms.starts[1:], strict=True)]
    reference = bm25s.BM25(method="lucene", k1=K1, b=B)
    with np.errstate(invalid="ignore"):
        reference.index((ids, dict(terms.vocabulary)), show_progress=False)
    data, rows, begins = score_matrix(terms, K1, B)
    assert begins.tolist() == reference.scores["indptr"].tolist()
    assert rows.tolist() == reference.scores["indices"].tolist()
    assert data == pytest.approx(reference.scores["data"], rel=1e-5)


@given(texts, texts, st.data())
def test_taking_over_earlier_documents_changes_nothing(before, new, data):
    """Whatever is kept, removed, added or moved; also a row that says -1 although the text is there."""
    documents = data.draw(st.permutations([*data.draw(st.lists(st.sampled_from(before))), *new]))
    old = collect(before, tokenise)
    rows = [before.index(t) if t in before and data.draw(st.booleans()) else -1 for t in documents]
    again, fresh = collect(documents, tokenise, old, rows), collect(documents, tokenise)
    assert again.vocabulary == fresh.vocabulary
    assert again.numbers.tolist() == fresh.numbers.tolist() and again.starts.tolist() == fresh.starts.tolist()


def test_kept_documents_are_not_read_again():
    asked = []

    def spy(text):
        asked.append(text)
        return text.split()

    old = collect(["a b", "c", "b b d"], str.split)
    terms = collect(["b b d", "e", "a b"], spy, old, [2, -1, 0])
    assert asked == ["e"]
    assert dict(terms.vocabulary) == {"": 0, "a": 1, "b": 2, "d": 3, "e": 4}  # c is gone
    assert terms.numbers.tolist() == [2, 2, 3, 4, 1, 2] and terms.starts.tolist() == [0, 3, 4, 6]


def test_what_was_saved_serves_the_next_build(tmp_path):
    documents = ["fever and cough", "a rash", "gene risk", "the of"]
    LexicalIndex.build(documents).save(tmp_path / "old")
    old = LexicalIndex.load(tmp_path / "old")
    changed = ["gene risk", "new words", "fever and cough"]
    LexicalIndex.build(changed, old, [2, -1, 0]).save(tmp_path / "updated")
    LexicalIndex.build(changed).save(tmp_path / "built")
    for file in (tmp_path / "built").iterdir():
        assert file.read_bytes() == (tmp_path / "updated" / file.name).read_bytes()
    assert isinstance(old._terms, Terms) and isinstance(old._terms.numbers, np.memmap)
