"""Toys of the fine-tuning tests: pairs whose passages and neighbours are known, an encoder that counts words, a tiny model."""

import numpy as np
import pytest

from medqa.records import Passage, QAPair
from retrieval.sentences import split_sentences
from tests.tiny_phi3 import save_tiny_phi3, tiny_tokenizer


def make_pair(n, topic=None, split="train", **fields):
    """Pair n: its answer has four sentences that name it."""
    topic = f"Topic{n}" if topic is None else topic
    answer = " ".join(f"Sentence {w} of answer {n} on {topic}." for w in ("one", "two", "three", "four"))
    values = {
        "id": f"p{n:03}",
        "question": f"What is {topic} number {n}?",
        "answer": answer,
        "topic": topic,
        "split": split,
    }
    return QAPair(**(values | fields))


def to_passages(pairs):
    """Two sentences per passage."""
    passages = []
    for pair in pairs:
        sentences = [pair.answer[a:b] for a, b in split_sentences(pair.answer)]
        for start in range(0, len(sentences), 2):
            text = " ".join(sentences[start : start + 2])
            passages.append(
                Passage(f"{pair.id}:{start // 2}", pair.id, text, tuple(split_sentences(text)), pair.topic, pair.topic)
            )
    return passages


class WordEncoder:
    """Bag of hashed words, L2-normalised; remembers what it was asked to embed."""

    fingerprint, dim, max_tokens = "words", 64, 10_000

    def __init__(self):
        self.seen = []

    def count_tokens(self, texts):
        return [len(t.split()) for t in texts]

    def encode_passages(self, texts, progress=False):
        self.seen += texts
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace(".", " ").replace("?", " ").split():
                vectors[row, sum(word.encode()) % self.dim] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode_queries(self, texts):
        return self.encode_passages(texts)


@pytest.fixture(scope="session")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return save_tiny_phi3(tmp_path_factory.mktemp("models") / "tiny-phi3")


@pytest.fixture
def pairs():
    return [make_pair(n, topic=f"Topic{n // 3}") for n in range(24)]


@pytest.fixture
def small_4_bit_weights(monkeypatch):
    """On CPUs with bf16 bitsandbytes lays 4-bit weights out anew for evaluation, in blocks of 64 columns; the toys have 32."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
