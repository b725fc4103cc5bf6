import csv
import json
import random

import numpy as np
import pytest
import torch

from finetune.augment import Mix
from finetune.reranker import _lists, reordered, train_reranker
from finetune.reranker_model import TrainableReranker
from finetune.reranker_train import ListwisePlan, _draw_list, _step, train_reranker_model
from finetune.retriever import PassageMaker
from finetune.retriever_data import TrainData
from finetune.retriever_eval import Ranked, ValidationSet
from finetune.retriever_model import TrainableEncoder
from medqa.cli import main
from medqa.manifest import read_manifest
from medqa.records import QAPair
from medqa.settings import load_settings

TOPICS = ("alpha", "beta", "gamma", "delta", "omega", "fever", "rash", "pain")
PLAN = ListwisePlan(
    epochs=2, batch=8, chunk=4, negatives=6, learning_rate=1e-2, mix=Mix(0, 0, 0, 0), headed_only=False, seed=0
)  # fmt: skip


def planted(splits=("train",) * 8):
    """One question on each topic; the answer names it."""
    return [
        QAPair(t, f"What is {t}?", f"The {t} is one. And {t} is two.", topic=t, question_type="information", split=s)
        for t, s in zip(TOPICS, splits, strict=True)
    ]


@pytest.fixture
def model(folder):
    return TrainableReranker(folder, 8, "cpu", 64, seed=0)


def test_lists_hold_one_right_passage_first_and_half_of_the_wrong_on_the_topic():
    wrong = np.array([[1, 2, 3, -1], [4, 5, 6, 7]])
    drawn = _draw_list([0], wrong, 4, random.Random(0))
    assert drawn[0] == 0
    assert len(drawn) == 5
    assert len(set(drawn[1:3]) & {1, 2, 3}) == 2
    assert set(drawn[3:]) <= {4, 5, 6, 7}
    # Where the topic has too few, other topics fill up; where all has, the list is shorter.
    assert sorted(_draw_list([0], np.array([[1, -1], [2, 3]]), 9, random.Random(0))) == [0, 1, 2, 3]


def test_loss_is_the_softmax_over_each_list_whatever_the_chunks(model):
    model.model.eval()
    model.dtype = torch.float32
    questions, lists = ["fever", "rash", "pain"], [["fever one", "rash"], ["rash", "pain", "topic"], ["pain", "rash"]]
    with torch.no_grad():
        scores = [
            model.forward(model.tokenise([q] * len(texts), texts)) for q, texts in zip(questions, lists, strict=True)
        ]
    expected = float(sum(-torch.log_softmax(s, 0)[0] for s in scores) / 3)
    assert _step(model, questions, lists, 2) == pytest.approx(expected, rel=1e-4)
    first = [p.grad.clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    assert _step(model, questions, lists, 3) == pytest.approx(expected, rel=1e-4)
    assert all(torch.allclose(a, p.grad, atol=1e-5) for a, p in zip(first, model.parameters(), strict=True))


def test_reordering_mixes_both_scores_and_leaves_the_tail():
    ranked = Ranked(np.array([7, 8, 9, 5]), np.array([1.0, 0.6, 0.0, 0.0]))
    assert reordered(ranked, [0.0, 1.0, 2.0], 1.0) == [9, 8, 7, 5]
    assert reordered(ranked, [0.0, 1.0, 2.0], 0.0) == [7, 8, 9, 5]
    assert reordered(ranked, [0.0, 1.0, 2.0], 0.5) == [8, 7, 9, 5]  # .55 for 8 against .5 for the others


def test_training_orders_the_lists_and_reloads_with_stock_peft(folder, model, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    # To match words a random transformer would need hours; that "fever" is right and "rash" wrong it learns in seconds.
    questions, lists = (
        ["what is alpha", "what is beta"],
        [["fever one", "rash two"], ["fever three", "rash four", "rash one"]],
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        losses.append(_step(model, questions, lists, 1))
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < losses[0] / 10
    asked, texts = [questions[0]] * 4, ["rash four", "fever two", "rash gamma", "fever delta"]
    scores = model.score(asked, texts)
    assert min(scores[1], scores[3]) > max(scores[0], scores[2]) + 1

    model.save(tmp_path / "adapter")
    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    loaded = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    tokens = model.tokenizer(asked, texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        assert torch.allclose(loaded(**tokens).logits[:, 0], scores, atol=0.1)  # bf16 where the CPU has it


def test_a_reranker_of_the_lower_layers_reloads_as_one(folder, tmp_path, monkeypatch):
    from retrieval import rerank

    model = TrainableReranker(folder, 8, "cpu", 64, seed=0, layers=1)
    model.dtype = torch.float32
    assert (model.layers, len(model.model.base_model.model.bert.encoder.layer)) == (1, 1)
    data = TrainData.of(planted(), PassageMaker(model.tokenizer)(planted(), ("topic",)))
    encoder = TrainableEncoder(folder, "lora", 8, "cpu", 256, seed=0)
    train_reranker_model(model, data, encoder.embed, PLAN, lambda _: None)
    model.save(tmp_path / "one")
    monkeypatch.setattr(rerank, "embedded_folder", lambda: folder)
    loaded = rerank.load_reranker(str(tmp_path / "one"))
    passages = ["The fever is one.", "And rash is two.", "pain"]
    expected = model.score(["What is fever?"] * 3, passages).numpy()
    assert loaded.scores("What is fever?", passages) == pytest.approx(expected, rel=0.05, abs=0.02)  # float16 weights
    assert loaded.weight == 1.0  # no manifest


def test_lists_are_drawn_and_learnt_from_the_retrievers_mistakes(folder, model):
    encoder = TrainableEncoder(folder, "lora", 4, "cpu", 256, seed=0)
    data = TrainData.of(planted(), PassageMaker(encoder.tokenizer)(planted(), ("topic",)))
    before = [p.detach().clone() for p in model.parameters()]
    history = train_reranker_model(model, data, encoder.embed, PLAN, lambda _: None)
    assert [h["step"] for h in history] == [1, 2]
    assert history[0]["loss"] == pytest.approx(np.log(7), abs=0.2)  # one right among seven, nothing learnt yet
    assert not all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def settings_of(tmp_path, folder, *more):
    corpus = tmp_path / "corpus.csv"
    columns = ("id", "question", "answer", "topic", "question_type", "split")
    with corpus.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for pair in planted(("train",) * 6 + ("validation", "test")):
            writer.writerow([getattr(pair, c) for c in columns])
    gate = tmp_path / "gate.jsonl"
    row = {
        "question": "fever rash",
        "answers": [{"text": "fever rash", "grade": 4}, {"text": "rash fever", "grade": 4}],
    }
    gate.write_text(json.dumps(row) + "\n")
    flags = {
        "corpus": corpus, "reranker.base": folder, "reranker.retriever": folder, "reranker.out": tmp_path / "reranker",
        "reranker.batch": 3, "reranker.epochs": 1, "reranker.negatives": 2, "reranker.r": 4, "reranker.device": "cpu",
        "reranker.gate": gate, "reranker.weights": "[0.5, 1.0]",
    }  # fmt: skip
    return [f"{k}={v}" for k, v in flags.items()] + list(more)


def test_command_publishes_and_reuses(tmp_path, folder):
    settings = load_settings(None, settings_of(tmp_path, folder))
    made = train_reranker(settings)
    assert made["reused"] is False
    manifest = read_manifest(tmp_path / "reranker", "reranker", "")
    assert set(manifest["inputs"]) == {"base", "corpus", "retriever", "gate"}
    assert manifest["weight"] in (0.5, 1.0)
    assert "CC BY 4.0" in (tmp_path / "reranker" / "README.md").read_text()
    assert train_reranker(settings)["reused"] is True


def test_one_for_headed_passages_alone_is_trained_on_these_and_does_not_touch_the_gates_lists(
    tmp_path, folder, monkeypatch
):
    headers = []
    shown = TrainData.shown
    monkeypatch.setattr(
        TrainData, "shown", lambda self, row, header: headers.append(header) or shown(self, row, header)
    )
    made = train_reranker(load_settings(None, settings_of(tmp_path, folder, "reranker.headed_only=true")))
    assert {"topic"} <= set(headers) and "" not in headers
    manifest = read_manifest(tmp_path / "reranker", "reranker", "")
    assert manifest["headed_only"] is True
    rows = manifest["weights"].values()
    assert len({row["gate nDCG@10"] for row in rows}) == len({row["gate first grade"] for row in rows}) == 1
    assert made["weight"] in (0.5, 1.0)
    assert "leaves them where they were" in (tmp_path / "reranker" / "README.md").read_text()


def test_lists_are_a_searchs_with_aspects_each_answer_by_its_best_passage(folder):
    """Against ``Index.search`` over the same passages with the same aspects."""
    from retrieval.aspects import Aspects
    from retrieval.contents import Contents
    from retrieval.index import Index
    from retrieval.lexical import LexicalIndex
    from retrieval.ranking import Ranking

    rng = np.random.default_rng(0)
    pairs = planted(("train",) * 4 + ("validation",) * 4)
    encoder = TrainableEncoder(folder, "lora", 4, "cpu", 256, seed=0)
    passages = PassageMaker(encoder.tokenizer)(pairs, ("topic",))
    aspects = Aspects(("a", "b"), rng.normal(size=(2, 33)), rng.normal(size=(2, 33)), 0.3, 0.4)
    questions = ValidationSet.of(pairs, passages, 4, 0)
    lists = _lists(questions.pool, encoder.embed, 0.1, aspects, passages)

    class Asked:
        fingerprint = "tiny"

        def encode_queries(self, texts):
            return encoder.embed(texts).cpu().numpy()

    class Flat:
        vectors = encoder.embed(questions.pool.texts).cpu().numpy()

        def search(self, asked, n, rows):
            order = np.argsort(-(asked @ self.vectors.T), axis=1, kind="stable")[:, :n]
            return np.take_along_axis(asked @ self.vectors.T, order, axis=1), order

        def reconstruct(self, rows):
            return self.vectors[rows]

    contents = Contents(tmp := folder, {}, tuple(passages), Flat(), LexicalIndex.build(questions.pool.texts))
    index = Index(tmp, Asked(), contents)
    found = index.search(questions.pool.questions, 8, "pair", ranking=Ranking(lexical_weight=0.1, aspects=aspects))
    for mine, theirs in zip(lists, found, strict=True):
        assert [passages[r].id for r in mine.rows] == [h.passage.id for h in theirs]
        assert mine.scores == pytest.approx([h.score for h in theirs], abs=1e-4)  # cosines are rounded there


def test_a_failed_gate_is_exit_1_and_publishes_nothing(tmp_path, folder, capsys, monkeypatch):
    monkeypatch.setattr("finetune.retriever.loses", lambda tuned, stock: ["all of it"])
    arguments = [a for s in settings_of(tmp_path, folder) for a in ("--set", s)]
    assert main(["finetune", "reranker", *arguments]) == 1
    assert "at scale 0.5: all of it" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "reranker").exists()
