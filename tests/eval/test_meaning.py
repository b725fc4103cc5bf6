"""Embedding similarity with an encoder whose vectors are counted by hand; BERTScore against loops over tokens."""

import numpy as np
import pytest

from eval.bertscore import load_bert_scorer
from eval.similarity import embed_whole, similarities
from medqa.errors import MedqaError
from retrieval.reuse import ReusingEncoder
from tests.tiny_bert import save_tiny_bert


class Counting:
    """Vectors of the counts of "fever" and "rash"."""

    fingerprint, dim, max_tokens = "x", 2, 4

    def __init__(self):
        self.seen = []

    def count_tokens(self, texts):
        return [len(t.split()) for t in texts]

    def encode_passages(self, texts, progress=False):
        self.seen += texts
        vectors = np.array([[t.lower().count("fever"), t.lower().count("rash")] for t in texts], dtype=np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def encode_queries(self, texts):
        raise NotImplementedError


def test_cosine_of_whole_texts():
    found = similarities(
        ["Fever. [1]", "Rash.", "", "Fever rash."], ["Fever.", "Fever.", "Fever.", "Fever."], Counting()
    )
    assert found == pytest.approx([1.0, 0.0, 0.0, 1 / 2**0.5])


def test_long_texts_are_read_to_the_end_sentence_by_sentence():
    encoder = Counting()
    text = "The fever came. It stayed. Then a rash came. It stayed."
    vector = embed_whole([text], encoder)[0]
    assert encoder.seen == ["It stayed.", "The fever came.", "Then a rash came."]
    assert vector == pytest.approx(np.array([3.0, 4.0]) / 5)  # each sentence weighs its words: 3 of fever, 4 of rash


def test_every_text_is_embedded_once():
    encoder = Counting()
    similarities(["Fever."] * 5 + ["Rash."], ["Rash."] * 6, encoder)
    assert sorted(encoder.seen) == ["Fever.", "Rash."]


def test_further_systems_embed_only_what_is_new():
    encoder = Counting()
    remembered = ReusingEncoder(encoder)
    first = similarities(["Fever.", "Rash."], ["Fever.", "Fever rash. Fever."], remembered)
    again = similarities(["Fever.", "No rash. Rash."], ["Fever.", "Fever rash. Fever."], remembered)
    assert encoder.seen == ["Fever rash.", "Fever.", "Rash.", "No rash."]
    assert first == similarities(["Fever.", "Rash."], ["Fever.", "Fever rash. Fever."], Counting())
    assert again[0] == 1.0
    assert (remembered.dim, remembered.max_tokens, remembered.count_tokens(["a b"])) == (2, 4, [2])
    assert remembered.encode_passages([]).shape == (0, 2)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    return load_bert_scorer(save_tiny_bert(tmp_path_factory.mktemp("bert") / "model") / "plain")


def by_loops(scorer, answer, reference):
    """The paper's formula, one token at a time; special tokens may be found but do not look."""
    import torch

    def vectors(text):
        encoded = scorer.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = scorer.model(**encoded).last_hidden_state[0].double()
        return [(s / s.norm()).tolist() for s in states]

    def mean_of_best(ours, theirs):
        best = [max(sum(a * b for a, b in zip(x, y, strict=True)) for y in theirs) for x in ours[1:-1]]
        return sum(best) / len(best)

    x, y = vectors(answer), vectors(reference)
    p, r = mean_of_best(x, y), mean_of_best(y, x)
    return 2 * p * r / (p + r)


def test_bertscore_is_the_papers_formula(scorer):
    answers = ["fever and rash", "what is the treatment of pain", "alpha", "rash rash rash fever in people"]
    references = ["rash and pain and fever", "the treatments of topic two", "omega delta", "fever"]
    found = scorer.score(answers, references, batch_size=3)  # batches are padded
    assert found == pytest.approx([by_loops(scorer, a, r) for a, r in zip(answers, references, strict=True)], abs=1e-5)
    assert len(set(found)) == 4


def test_bertscore_of_equal_and_empty_texts(scorer):
    same, marked, empty, nothing = scorer.score(["fever", "fever [1]", "", "fever"], ["fever", "fever", "fever", ""])
    assert same == marked == pytest.approx(1.0, abs=1e-6)
    assert empty == nothing == 0.0


def test_bertscore_uses_the_layer_that_was_asked_for(scorer):
    from dataclasses import replace

    last = scorer.score(["fever rash"], ["pain"])[0]
    assert replace(scorer, layer=2).score(["fever rash"], ["pain"])[0] == last  # two layers: 2 is the last
    assert replace(scorer, layer=1).score(["fever rash"], ["pain"])[0] != last


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(MedqaError, match="BERTScore"):
        load_bert_scorer(tmp_path)
