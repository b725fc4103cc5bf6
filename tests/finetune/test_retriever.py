import json
import math
import random

import numpy as np
import pytest
import torch

from finetune.augment import Mix
from finetune.retriever import PassageMaker, choose_scale, mix_of, train_retriever
from finetune.retriever_data import TrainData, with_header
from finetune.retriever_eval import GradedSet, ValidationSet, cosines, loses
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
from ingest.corpus import write_pairs
from medqa.cli import main
from medqa.errors import GateFailed, MedqaError
from medqa.manifest import read_manifest
from medqa.records import QAPair
from medqa.settings import load_settings
from tests.tiny_bert import WORDS, save_tiny_bert

TOPICS = ("alpha", "beta", "gamma", "delta", "omega", "fever", "rash", "pain")
KINDS = {"symptoms": "What are the symptoms of {t}?", "treatment": "What are the treatments for {t}?"}
QUIET = ContrastivePlan(
    rounds=1, epochs=30, batch=8, chunk=5, recompute=True, negatives=2, learning_rate=5e-3, temperature=0.05, distill=0.0,
    mix=Mix(0, 0, 0, 0), seed=0,
)  # fmt: skip


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture
def encoder(folder):
    return TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)


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


def test_header_is_written_as_the_index_writes_it(encoder):
    [pair] = planted()[:1]
    for header in ("topic", "question+topic+synonyms", ""):
        [passage] = PassageMaker(encoder.tokenizer)([pair], tuple(p for p in header.split("+") if p))
        assert with_header(pair, header, passage.text) == passage.embedded_text


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


def test_scale_is_the_best_that_loses_nothing():
    table = {
        0.0: {"a": 0.5, "gate x": 1.0},
        0.5: {"a": 0.6, "gate x": 1.0},
        0.8: {"a": 0.7, "gate x": 1.1},
        1.0: {"a": 0.9, "gate x": 0.99},
    }
    assert choose_scale(table, ["gate x"]) == (0.8, "")
    assert choose_scale(table, []) [0] == 1.0  # fmt: skip
    assert choose_scale({s: table[s] for s in (0.0, 1.0)}, ["gate x"]) == (
        None, "at scale 1.0: gate x 0.9900 against 1.0000",
    )  # fmt: skip
    assert loses({"x": 1 - 1e-12}, {"x": 1.0}) == []


def test_shares_above_one_are_refused():
    with pytest.raises(MedqaError, match="at most 1 together"):
        mix_of(0.5, 0.4, 0.2, 0.0)


def test_validation_counts_all_pairs_with_the_question_or_the_answer(encoder):
    pairs = planted(("train",) * 6 + ("validation",) * 2)
    twin = QAPair("twin", pairs[12].question, "Something else entirely.", topic="other", split="train")
    pairs = [*pairs, twin]
    questions = ValidationSet.of(pairs, PassageMaker(encoder.tokenizer)(pairs, ("topic",)), 4, seed=0)
    assert {n: len(g) for n, g in questions.groups.items()} == {"plain": 4, "synonym": 4, "people": 4}
    asked = [q for q in questions.pool.questions if q == pairs[12].question]
    assert len(asked) == 1
    assert questions.relevant[questions.pool.questions.index(asked[0])] == {12, 16}
    # Perfect rankings give 1, rankings without any right answer 0.
    rows = {i: [r for r, o in enumerate(questions.pool.owner) if o in rel] for i, rel in enumerate(questions.relevant)}
    assert set(questions.figures([rows[i] for i in rows]).values()) == {1.0}
    assert set(questions.figures([[] for _ in rows]).values()) == {0.0}
    assert "rashoid" in " ".join(questions.pool.questions)


def graded_file(path, grades=((4, "The symptoms of fever one."), (1, "Of what and how."))):
    rows = [
        {"question": f"symptoms {t}", "answers": [{"text": text, "grade": g} for g, text in grades]}
        for t in ("fever", "rash")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_graded_questions_see_their_own_candidates_only(encoder, tmp_path):
    graded = GradedSet.read(graded_file(tmp_path / "g.jsonl"), PassageMaker(encoder.tokenizer))
    assert [a.tolist() for a in graded.pool.allowed] == [[0, 1], [2, 3]]
    assert [dict(g) for g in graded.grades] == [{0: 3.0, 1: 0.0}, {2: 3.0, 3: 0.0}]
    lexical = [r.rows.tolist() for r in graded.pool.rank(cosines(graded.pool, encoder.embed), 1.0)]
    assert lexical == [[0, 1], [2, 3]]  # only the first answers share a word with the questions
    assert graded.figures(lexical) == {"first grade": 3.0, "nDCG@10": 1.0}
    assert graded.figures([[1, 0], [2, 3]]) == {
        "first grade": 1.5, "nDCG@10": pytest.approx((1 + 1 / math.log2(3)) / 2),
    }  # fmt: skip


@pytest.mark.parametrize("content", ["{}", "x", '{"question": "a", "answers": [{"text": "b"}]}'])
def test_other_content_than_graded_questions_is_refused(encoder, tmp_path, content):
    (tmp_path / "g.jsonl").write_text(content)
    with pytest.raises(MedqaError, match="graded"):
        GradedSet.read(tmp_path / "g.jsonl", PassageMaker(encoder.tokenizer))


def settings_of(tmp_path, folder, *more):
    pairs = planted(("train",) * 6 + ("validation", "test"))
    corpus = tmp_path / "corpus.csv"
    with corpus.open("w", newline="") as stream:
        write_pairs(stream, pairs)
    flags = {
        "corpus": corpus, "retriever.base": folder, "retriever.out": tmp_path / "retriever", "retriever.batch": 6,
        "retriever.epochs": 2, "retriever.rounds": 1, "retriever.r": 4, "retriever.device": "cpu",
        "retriever.scales": "[0.5, 1.0]", "retriever.learning_rate": 1e-2,
    }  # fmt: skip
    return [f"{k}={v}" for k, v in flags.items()] + list(more)


def test_command_publishes_reuses_and_says_what_it_used(tmp_path, folder):
    gate = graded_file(tmp_path / "gate.jsonl", ((4, "fever rash"), (4, "rash fever")))  # nothing can be lost
    settings = load_settings(None, settings_of(tmp_path, folder, f"retriever.gate={gate}"))
    made = train_retriever(settings)
    assert made["reused"] is False
    assert made["scale"] in (0.5, 1.0)
    out = tmp_path / "retriever"
    manifest = read_manifest(out, "retriever", "")
    assert set(manifest["inputs"]) == {"base", "corpus", "gate"}
    assert "gate hybrid first grade" in manifest["stock"]
    assert {p.name for p in out.iterdir()} == {
        "README.md", "adapter_config.json", "adapter_model.safetensors", "history.json", "manifest.json",
    }  # fmt: skip
    card = (out / "README.md").read_text()
    assert "CC BY 4.0" in card
    assert manifest["inputs"]["corpus"] in card
    assert train_retriever(settings)["reused"] is True


def test_a_failed_gate_is_exit_1_and_publishes_nothing(tmp_path, folder, capsys, monkeypatch):
    gate = graded_file(tmp_path / "gate.jsonl")
    monkeypatch.setattr("finetune.retriever.loses", lambda tuned, stock: ["all of it"])
    arguments = [a for s in settings_of(tmp_path, folder, f"retriever.gate={gate}") for a in ("--set", s)]
    assert main(["finetune", "retriever", *arguments]) == GateFailed.exit_code == 1
    assert "at scale 0.5: all of it" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "retriever").exists()


def test_a_missing_gate_and_base_are_named_before_training(tmp_path, folder):
    with pytest.raises(MedqaError, match="nothing-here"):
        train_retriever(load_settings(None, settings_of(tmp_path, folder, "retriever.gate=nothing-here")))
    with pytest.raises(MedqaError, match=r"retriever\.base"):
        train_retriever(load_settings(None, settings_of(tmp_path, folder, "retriever.base=no-folder")))


def test_equal_seeds_give_equal_adapters(tmp_path, folder):
    from safetensors.numpy import load_file

    found = []
    for name in ("a", "b"):
        flags = settings_of(tmp_path, folder, f"retriever.out={tmp_path / name}")
        train_retriever(load_settings(None, flags))
        found.append(load_file(tmp_path / name / "adapter_model.safetensors"))
    assert found[0].keys() == found[1].keys()
    assert all(np.array_equal(found[0][k], found[1][k]) for k in found[0])
