"""Aspects fitted on a corpus whose answers name theirs."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.retrieval_pool import MatrixStore
from finetune.aspects import choose_weights, fit_aspects, fit_linear, labels_of, measure, train_aspects
from finetune.augment import Mix
from finetune.retriever_eval import Pool, ValidationSet
from ingest.corpus import write_pairs
from medqa.cli import main
from medqa.errors import GateFailed, MedqaError
from medqa.manifest import read_manifest
from medqa.records import Passage, QAPair
from medqa.settings import load_settings
from retrieval.aspects import Aspects, load_aspects
from retrieval.contents import Contents
from retrieval.index import Index
from retrieval.lexical import LexicalIndex
from retrieval.ranking import Ranking

from .conftest import WordEncoder, make_pair, to_passages

TOPICS = ("alpha", "beta", "gamma", "delta", "omega", "fever", "rash", "pain")
KINDS = {"symptoms": "What are the symptoms of {t}?", "treatment": "What are the treatments for {t}?"}


def planted():
    """Two questions on each topic; the answer repeats topic and aspect; the last two topics validate."""
    return [
        QAPair(
            f"{topic}-{kind}", template.format(t=topic), f"The {kind} of {topic} one. And {topic} {kind} two.",
            topic=topic, question_type=kind, split="validation" if topic in TOPICS[-2:] else "train",
        )
        for topic in TOPICS
        for kind, template in KINDS.items()
    ]  # fmt: skip


def test_the_fit_is_where_the_penalised_loss_is_level():
    """L = C sum(-log p) + |W|^2 / 2, intercepts free (scikit-learn's): the gradient by hand is 0 there."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    classes = (vectors[:, :3].argmax(axis=1)).tolist()
    found = fit_linear(vectors, classes, 3, 2.0).astype(np.float64)
    logits = vectors @ found[:, :-1].T + found[:, -1]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = shares - np.eye(3)[classes]
    assert np.abs(2.0 * wrong.T @ vectors + found[:, :-1]).max() < 0.02
    assert np.abs(wrong.sum(axis=0)).max() < 0.02


def test_two_classes_have_a_row_each_with_the_probability_of_the_binary_model():
    from sklearn.linear_model import LogisticRegression

    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.2, 0.8]], dtype=np.float32)
    found = fit_linear(vectors, [0, 0, 1, 1], 2, 10.0)
    assert found.shape == (2, 3)
    aspects = Aspects(("a", "b"), found, found)
    expected = LogisticRegression(C=10.0).fit(vectors, [0, 0, 1, 1]).predict_proba(vectors)
    assert aspects.of_questions(vectors) == pytest.approx(expected, abs=1e-3)


def test_aspects_are_the_question_types_with_enough_pairs_and_at_least_two():
    pairs = [make_pair(n, question_type=kind) for n, kind in enumerate("bbbaac")]
    assert labels_of(pairs, 2) == ("a", "b")
    with pytest.raises(MedqaError, match=r"at least 3 train pairs, found 1.*aspects\.least"):
        labels_of(pairs, 3)
    with pytest.raises(MedqaError, match="question_type"):
        labels_of([make_pair(1), make_pair(2)], 1)


def test_only_train_pairs_of_the_aspects_are_learned_from():
    pairs = planted()
    train = [p for p in pairs if p.split == "train"]
    odd = make_pair(99, question_type="rare")
    encoder = WordEncoder()
    passages = to_passages([*pairs, odd])
    aspects = fit_aspects([*train, odd], passages, tuple(KINDS), encoder, Mix(0, 0, 0, 0), 10.0, 0)
    seen = " ".join(encoder.seen)
    assert all(topic in seen for topic in TOPICS[:-2])
    assert not any(word in seen for word in (*TOPICS[-2:], "p099", "Topic99"))
    validation = [p for p in pairs if p.split == "validation"]
    asked = aspects.of_questions(encoder.encode_queries([p.question for p in validation])).argmax(axis=1)
    assert [aspects.labels[i] for i in asked] == [p.question_type for p in validation]


def test_a_class_without_rows_never_wins():
    found = fit_linear(np.array([[1, 0], [0, 1]], dtype=np.float32), [0, 2], 3, 10.0)
    shares = Aspects(("a", "b", "c"), found, found).of_questions(np.array([[1, 0], [0, 1], [0.5, 0.5]]))
    assert shares[:, 1].tolist() == [0, 0, 0] and shares[0, 0] > 0.5 > shares[1, 0]


def test_a_corpus_without_topics_is_told_what_it_lacks():
    train = [make_pair(n, "", question_type=kind) for n, kind in enumerate("aabb")]
    bare = [Passage(p.id, p.id, p.answer, ()) for p in train]
    with pytest.raises(MedqaError, match=r"found 0 passages under a topic; give the corpus a column topic"):
        fit_aspects(train, bare, ("a", "b"), WordEncoder(), Mix(0, 0, 0, 0), 10.0, 0)


def test_measure_orders_by_the_three_shares():
    class Plain:
        def encode_queries(self, texts):
            return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)

        def encode_passages(self, texts, progress=False):
            return np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]], dtype=np.float32)

    # The question asks for the second aspect, which the third passage tells alone.
    second = np.array([[0, 0, 0], [0, 0, 9]], dtype=np.float32)
    told = np.array([[0, 0, 9], [0, 18, 0]], dtype=np.float32)
    passages = [Passage(n, n, n, (), header="T", title=t) for n, t in zip("xyz", ("T", "", "T"), strict=True)]
    pool = Pool([p.embedded_text for p in passages], [0, 1, 2], ["q"], None)
    questions = ValidationSet(pool, {"plain": range(1)}, [frozenset({2})])
    weights = ((0.0, 0.0), (0.4, 0.0), (0.8, 0.0), (0.4, 0.3))
    found = measure(Aspects(("a", "b"), second, told), Plain(), questions, passages, 0.0, weights)
    # The third is the last of three: 1 / log2(4). Its topic is the first's, so that half of the aspects' share is enough.
    values = {pair: row["plain nDCG@10"] for pair, row in found.items()}
    assert values == {(0.0, 0.0): 0.5, (0.4, 0.0): 0.5, (0.8, 0.0): 1.0, (0.4, 0.3): 1.0}
    assert choose_weights(found) == (0.4, 0.3)


class Kept:
    """In place of a validation set: keeps the rankings that it is given."""

    def __init__(self, pool):
        self.pool, self.rankings = pool, []

    def figures(self, rankings):
        self.rankings.append(rankings)
        return {}


@pytest.mark.parametrize(
    ("lexical_weight", "weights"), [(0.0, (0.0, 0.0)), (0.0, (0.3, 0.0)), (0.3, (0.2, 0.5)), (0.1, (0.1, 0.8))]
)
def test_measure_ranks_as_the_search_that_the_weights_are_for(lexical_weight, weights):
    rng, encoder, kinds = random.Random(0), WordEncoder(), list(KINDS)
    words = [f"{a}{b}" for a in "bdfgk" for b in ("an", "el", "or", "um")]

    def some(n):
        return " ".join(rng.choices(words, k=n))

    pairs = [
        QAPair(f"p{n}", f"{some(4)}?", f"{some(6)}.", topic=TOPICS[n % len(TOPICS)], question_type=kinds[n % 3 % 2])
        for n in range(40)
    ]
    passages = to_passages(pairs)
    texts = [p.embedded_text for p in passages]
    fitted = fit_aspects(pairs, passages, tuple(KINDS), encoder, Mix(0, 0, 0, 0), 10.0, 0)
    questions = [p.question for p in pairs]
    kept = Kept(Pool(texts, list(range(len(passages))), questions, None))
    measure(fitted, encoder, kept, passages, lexical_weight, [weights])

    store = MatrixStore(encoder.encode_passages(texts))
    index = Index(Path(), encoder, Contents(Path(), {}, tuple(passages), store, LexicalIndex.build(texts)))
    ranking = Ranking(
        lexical_weight=lexical_weight, variety=0.0,
        aspects=replace(fitted, weight=weights[0], topic_weight=weights[1]),
    )  # fmt: skip
    hits = index.search(questions, 10, ranking=ranking)
    assert [[texts[row] for row in rows[:10]] for rows in kept.rankings[0]] == [
        [h.passage.embedded_text for h in found] for found in hits
    ]


def test_of_equal_weights_the_lowest_are_chosen():
    rows = {(0.0, 0.0): {"a": 0.5, "b": 0.5}, (0.2, 0.0): {"a": 0.4, "b": 0.7}, (0.1, 0.0): {"a": 0.7, "b": 0.4}}
    assert choose_weights(rows) == (0.1, 0.0)
    assert choose_weights({(0.0, 0.0): {"a": 0.5}, (0.1, 0.2): {"a": 0.5}}) == (0.0, 0.0)


def settings_of(tmp_path, folder, *more):
    corpus = tmp_path / "corpus.csv"
    with corpus.open("w", newline="") as stream:
        write_pairs(stream, planted())
    flags = {
        "corpus": corpus, "index": tmp_path / "none", "retrieval.encoder": folder, "aspects.out": tmp_path / "aspects",
        "aspects.least": 2, "aspects.weights": "[0.3]", "aspects.topic_weights": "[0.2]", "aspects.eval_questions": 4,
    }  # fmt: skip
    return [f"{k}={v}" for k, v in flags.items()] + list(more)


def test_command_publishes_reuses_and_says_what_it_used(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("finetune.aspects.choose_weights", lambda table: (0.3, 0.2))  # a random encoder gains nothing
    settings = load_settings(None, settings_of(tmp_path, folder))
    made = train_aspects(settings)
    assert made["reused"] is False and (made["weight"], made["topic_weight"]) == (0.3, 0.2)
    out = tmp_path / "aspects"
    manifest = read_manifest(out, "aspects", "")
    assert set(manifest["inputs"]) == {"encoder", "corpus"}
    assert manifest["labels"] == ["symptoms", "treatment"]
    assert {p.name for p in out.iterdir()} == {"README.md", "aspects.safetensors", "manifest.json"}
    assert "CC BY 4.0" in (out / "README.md").read_text()
    assert load_aspects(str(out), manifest["inputs"]["encoder"]).topic_weight == 0.2
    assert train_aspects(settings)["reused"] is True
    train_aspects(load_settings(None, settings_of(tmp_path, folder, f"aspects.out={tmp_path / 'b'}")))
    assert (tmp_path / "b" / "aspects.safetensors").read_bytes() == (out / "aspects.safetensors").read_bytes()


def test_where_no_weight_helps_it_is_exit_1_and_nothing_is_published(tmp_path, folder, capsys, monkeypatch):
    monkeypatch.setattr("finetune.aspects.choose_weights", lambda table: (0.0, 0.0))
    arguments = [a for s in settings_of(tmp_path, folder) for a in ("--set", s)]
    assert main(["finetune", "aspects", *arguments]) == GateFailed.exit_code == 1
    assert "retrieval.aspects=null" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "aspects").exists()
