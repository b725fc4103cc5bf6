"""Toys of the fine-tuning tests: pairs whose passages and neighbours are known, an encoder that counts words, a tiny model."""

import numpy as np
import pytest

from finetune.retriever_model import TrainableEncoder
from ingest.corpus import write_pairs
from medqa.records import Passage, QAPair
from medqa.settings import load_settings
from retrieval.sentences import split_sentences
from tests.tiny_bert import save_tiny_bert
from tests.tiny_phi3 import save_tiny_phi3, tiny_tokenizer

TOPICS = ("alpha", "beta", "gamma", "delta", "omega", "fever", "rash", "pain")
KINDS = {"symptoms": "What are the symptoms of {t}?", "treatment": "What are the treatments for {t}?"}


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


def planted(splits=("train",) * 8):
    """Two questions on each topic; the answer repeats topic and aspect."""
    return [
        QAPair(
            f"{topic}-{kind}", template.format(t=topic), f"The {kind} of {topic} one. And {topic} {kind} two.",
            topic=topic, question_type=kind, split=split, synonyms=(f"{topic}oid",),
        )
        for topic, split in zip(TOPICS, splits, strict=True)
        for kind, template in KINDS.items()
    ]  # fmt: skip


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


def folder_bytes(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


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


@pytest.fixture
def corpus(tmp_path):
    """Pairs of all splits, one of them planted in test."""
    pairs = [make_pair(n, f"Topic{n // 2}", ("train", "train", "validation")[n // 2 % 3]) for n in range(36)]
    pairs.append(make_pair(99, "Secret", "test", answer="PLANTED in test. PLANTED again."))
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as stream:
        write_pairs(stream, pairs)
    return path


@pytest.fixture
def make_settings(tmp_path, base, corpus, monkeypatch):
    """Settings of ``medqa finetune generator`` on the tiny model, to be overridden at will."""
    monkeypatch.setattr("retrieval.encoder.load_encoder", lambda name, batch_size: WordEncoder())

    def make(*overrides):
        values = {
            "corpus": corpus, "generator.model": base, "generator.device": "cpu", "finetune.out": tmp_path / "adapter",
            "finetune.batch_size": 4, "finetune.eval_steps": 3, "finetune.warmup_steps": 1, "finetune.eval_examples": 8,
            "finetune.learning_rate": 0.05, "finetune.checkpointing": False, "finetune.report_to": "none",
            "finetune.targets": "[qkv_proj, down_proj]",
        }  # fmt: skip
        return load_settings(None, [*(f"{k}={v}" for k, v in values.items()), *overrides])

    return make


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture
def encoder(folder):
    return TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)
