"""The retriever's training: loss and tether by hand, chunks without effect, encoders that reload."""

import math
import random

import pytest
import torch

from finetune.augment import Mix
from finetune.retriever import PassageMaker
from finetune.retriever_data import TrainData
from finetune.retriever_model import TrainableEncoder, interpolate
from finetune.retriever_train import (
    SIBLINGS,
    ContrastivePlan,
    _crowds,
    _Tether,
    contrastive_loss,
    kept_order,
    train_encoder,
)
from medqa.records import QAPair
from tests.tiny_bert import WORDS

from .conftest import planted

QUIET = ContrastivePlan(
    rounds=1, epochs=30, batch=8, chunk=5, recompute=True, negatives=2, learning_rate=5e-3, temperature=0.05, distill=0.0,
    mix=Mix(0, 0, 0, 0), seed=0,
)  # fmt: skip


def test_loss_by_hand_with_and_without_the_false_negative():
    queries = torch.tensor([[1.0, 0.0]])
    passages = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]])
    logits = [0.6 / 0.5, 1.0 / 0.5, 0.0]
    expected = -logits[0] + math.log(sum(map(math.exp, logits)))
    open_ = torch.zeros(1, 3, dtype=torch.bool)
    assert float(contrastive_loss(queries, passages, open_, 0.5)) == pytest.approx(expected, rel=1e-5)
    blocked = torch.tensor([[False, True, False]])
    expected = -logits[0] + math.log(math.exp(logits[0]) + 1)
    assert float(contrastive_loss(queries, passages, blocked, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_tether_is_zero_where_nothing_drifted_and_the_kl_by_hand_elsewhere():
    assert float(kept_order(torch.eye(2), torch.eye(2), 0.5)) == pytest.approx(0, abs=1e-6)
    now = torch.softmax(torch.tensor([2.0, 0.0]), 0)  # cosines 1 and 0 over temperature .5
    expected = sum(0.5 * math.log(0.5 / float(p)) for p in now)  # stock: both alike
    assert float(kept_order(torch.eye(2), torch.zeros(2, 2), 0.5)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("distill", [0.0, 1.0])
def test_chunks_do_not_change_the_gradient(folder, encoder, distill):
    # Without recomputing it is plain back-propagation; both encoders start from the same seed.
    data = TrainData.of(planted(), PassageMaker(encoder.tokenizer)(planted(), ("topic",)))
    other = TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)
    encoder.dtype = other.dtype = torch.float32
    plans = [
        ContrastivePlan(1, 1, 8, 3, recompute, 2, 1e-2, 0.05, distill, Mix(), 0) for recompute in (True, False)
    ]  # fmt: skip
    losses = [train_encoder(e, data, p, lambda _: None) for e, p in zip((encoder, other), plans, strict=True)]
    assert [x["loss"] for x in losses[0]] == pytest.approx([x["loss"] for x in losses[1]], rel=1e-4)
    assert len(losses[0]) == 2


def test_training_finds_the_answers_and_reloads_with_stock_peft(folder, encoder, tmp_path):
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    data = TrainData.of(planted(), PassageMaker(encoder.tokenizer)(planted(), ("topic",)))
    stock = encoder.embed(["fever and rash"])
    history = train_encoder(encoder, data, QUIET, lambda _: None)
    assert history[-1]["loss"] < history[0]["loss"] / 4

    cosines = (
        encoder.embed([p.question for p in data.pairs]) @ encoder.embed([p.embedded_text for p in data.passages]).T
    )
    assert [int(data.owner[i]) for i in cosines.argmax(1)] == list(range(16))
    with encoder.at_scale(0.0):
        assert torch.allclose(encoder.embed(["fever and rash"]), stock, atol=1e-6)
    assert not torch.allclose(encoder.embed(["fever and rash"]), stock, atol=1e-2)

    encoder.save(tmp_path / "half", 0.5)
    with encoder.at_scale(0.5):
        expected = encoder.embed(["fever and rash"])
    fresh = SentenceTransformer(str(folder), device="cpu")
    PeftModel.from_pretrained(fresh[0].auto_model, str(tmp_path / "half"))
    found = fresh.encode(["fever and rash"], convert_to_tensor=True)
    assert torch.allclose(found, expected, atol=5e-3)  # bf16 where the CPU has it, and float16 weights
    assert not torch.allclose(found, stock, atol=5e-2)


def test_the_tether_holds_the_encoder_back(folder):
    drift = []
    for distill in (0.0, 20.0):
        encoder = TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)
        passages = PassageMaker(encoder.tokenizer)(planted(), ("topic",))
        texts = [p.text for p in passages]
        before = encoder.embed(texts)
        plan = ContrastivePlan(1, 10, 8, 64, False, 2, 5e-3, 0.05, distill, Mix(0, 0, 0, 0), 0)
        train_encoder(encoder, TrainData.of(planted(), passages), plan, lambda _: None)
        after = encoder.embed(texts)
        drift.append(float((before @ before.T - after @ after.T).abs().mean()))
    assert drift[1] < drift[0] / 2


def test_the_tether_holds_the_order_of_a_topics_passages(folder):
    """A long answer gives one topic enough passages for the tether to compare a question with."""
    words = random.Random(0).choices(WORDS, k=8 * 120)
    long = " ".join(f"The {' '.join(words[i : i + 8])}." for i in range(0, len(words), 8))
    pairs = [QAPair("a", "What is fever?", long, topic="fever"), *planted()]
    encoder = TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)
    encoder.dtype = torch.float32
    data = TrainData.of(pairs, PassageMaker(encoder.tokenizer)(pairs, ("topic",)))
    assert [len(c) >= SIBLINGS for c in _crowds(data)] == [True]
    plan = ContrastivePlan(1, 10, 16, 64, False, 2, 5e-3, 0.05, 1.0, Mix(0, 0, 0, 0), 0)
    held = _Tether(encoder, data, plan).draw(random.Random(0))
    n = len(held.plain)
    assert held.siblings.shape == (1, SIBLINGS)
    assert len(held.texts) == 2 * n + 1 + SIBLINGS
    assert held.texts[2 * n] in {"What is fever?", *(p.question for p in planted()[10:12])}
    assert len(set(held.texts[2 * n + 1 :])) == SIBLINGS
    vectors = encoder.embed(held.texts)
    assert torch.allclose(held.siblings[0], vectors[2 * n + 1 :] @ vectors[2 * n], atol=1e-5)
    assert float(held.loss(vectors, 0.05)) == pytest.approx(0, abs=1e-5)
    moved = vectors.clone()
    moved[2 * n + 1 :] = vectors[2 * n + 1 :].roll(1, 0)
    assert float(held.loss(moved, 0.05)) == pytest.approx(
        float(kept_order(held.siblings.roll(1, 1), held.siblings, 0.05)) / 2, rel=1e-3
    )


def test_full_fine_tuning_scales_and_saves_a_whole_encoder(folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    encoder = TrainableEncoder(folder, "full", 8, "cpu", 256, seed=0)
    data = TrainData.of(planted(), PassageMaker(encoder.tokenizer)(planted(), ("topic",)))
    stock = encoder.embed(["fever"])
    train_encoder(encoder, data, ContrastivePlan(1, 3, 8, 64, False, 2, 1e-3, 0.05, 0.0, Mix(), 0), lambda _: None)
    with encoder.at_scale(0.0):
        assert torch.allclose(encoder.embed(["fever"]), stock, atol=1e-5)
    encoder.save(tmp_path / "whole", 1.0)
    found = SentenceTransformer(str(tmp_path / "whole"), device="cpu").encode(["fever"], convert_to_tensor=True)
    assert torch.allclose(found, encoder.embed(["fever"]), atol=5e-3)
    assert not torch.allclose(found, stock, atol=1e-2)


def test_interpolation_is_linear():
    stock, trained = {"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, 2.0])}
    assert interpolate(stock, trained, 0.25)["w"].tolist() == [1.5, 2.0]
