"""Aspects by hand: two dimensions, two labels, and an index whose encoder counts words."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, pair

from medqa.errors import MedqaError
from medqa.manifest import write_manifest
from medqa.settings import RetrievalSettings
from retrieval.aspects import AUTO, KIND, WEIGHTS, Aspects, load_aspects, write_aspects
from retrieval.build import build_index
from retrieval.command import load_ranking
from retrieval.fusion import fuse, with_aspects
from retrieval.index import Index
from retrieval.ranking import Ranking

LABELS = ("cause", "cure")


def linear(cause, cure):
    return np.array([cause, cure], dtype=np.float32)


TOY = Aspects(
    LABELS,
    questions=linear([2, 0, 0], [0, 2, 0]),
    passages=linear([1, 0, 0], [0, 1, 0]),
    weight=0.25,
    topic_weight=0.5,
)


def published(folder, aspects=TOY, encoder="of-this-encoder"):
    folder.mkdir()
    write_aspects(folder, aspects)
    facts = {"labels": list(aspects.labels), "weight": aspects.weight, "topic_weight": aspects.topic_weight}
    write_manifest(folder, KIND, {"encoder": encoder}, {}, facts)
    return folder


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_agreement_by_hand_and_a_passage_without_header_has_the_mean_of_the_others():
    question = np.array([1, 0], dtype=np.float32)
    asked = sigmoid(2)  # two classes: a softmax is a sigmoid of the difference
    assert TOY.of_questions(question[None, :])[0] == pytest.approx([asked, 1 - asked])
    passages = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    headed = np.array([True, True, False])
    told = np.array([sigmoid(1), sigmoid(-1)])
    assert TOY.of_passages(passages[:2])[:, 0] == pytest.approx(told)
    expected = told * asked + (1 - told) * (1 - asked)
    found = TOY.agreement(question, passages, headed)
    assert found == pytest.approx([*expected, expected.mean()])
    assert TOY.agreement(question, passages, np.zeros(3, dtype=bool)).tolist() == [0, 0, 0]


def test_large_logits_do_not_overflow():
    sure = Aspects(LABELS, linear([5000, 0, 0], [0, 0, 0]), TOY.passages)
    assert sure.of_questions(np.array([[1.0, 0.0]]))[0] == pytest.approx([1, 0])


def test_the_three_shares_by_hand_equal_scores_by_row():
    fused = fuse(np.array([3, 5, 8]), np.array([1.0, 0.5, 0.0]), np.zeros(3), 0.0)  # scores 1, .5, 0
    topic = np.array([1.0, 0.5, 1.0])  # rows 3 and 8 share theirs
    nearest = np.array([1.0, 0.5, 1.0])
    found = with_aspects(fused, np.array([0.0, 1.0, 0.5]), topic, nearest, 0.5, 0.25)
    # .25 x (1, .5, 0) + .25 x (1, .5, 1) + .5 x (0, 1, .5)
    assert found.rows.tolist() == [5, 3, 8]
    assert found.scores.tolist() == [0.75, 0.5, 0.5]
    assert found.dense.tolist() == [0.5, 1.0, 0.0] and found.agreement.tolist() == [1.0, 0.0, 0.5]
    assert found.nearest.tolist() == [0.5, 1.0, 1.0]
    assert with_aspects(fused, np.array([0.0, 1.0, 0.5]), topic, nearest, 0.0, 0.0).rows.tolist() == fused.rows.tolist()


def word_aspects(encoder, weight):
    """A question with ``treat`` asks for the cure; a passage with ``drug`` tells it."""
    treat, drug = (encoder._vectors([word])[0].argmax() for word in ("treat", "drug"))
    questions, passages = (np.zeros((2, encoder.dim + 1), dtype=np.float32) for _ in range(2))
    questions[1, treat] = passages[1, drug] = 100
    questions[0, -1] = passages[0, -1] = 5
    return Aspects(LABELS, questions, passages, weight)


def index_of(path, encoder):
    answers = {"why": "Gout gout gout.", "how": "Gout drug here.", "else": "Asthma airways here."}
    topics = {"why": "Gout", "how": "Gout", "else": ""}
    pairs = [pair(name, text, topic=topics[name]) for name, text in answers.items()]
    build_index(pairs, "c", path, encoder, reuse=False, **SETTINGS)
    return Index.open(path, encoder)


def test_the_passage_that_tells_what_is_asked_moves_up_and_says_why(tmp_path):
    encoder = ToyEncoder()
    index = index_of(tmp_path, encoder)
    question = ["treat gout"]
    [plain] = index.search(question, 3, ranking=Ranking(lexical_weight=0.0))
    assert [h.passage.pair_id for h in plain] == ["why", "how", "else"]
    assert all(h.aspect is None for h in plain)
    aspects = word_aspects(encoder, weight=0.4)
    [hits] = index.search(question, 3, ranking=Ranking(lexical_weight=0.0, aspects=aspects))
    assert [h.passage.pair_id for h in hits] == ["how", "why", "else"]
    before = {h.passage.pair_id: h.score for h in plain}
    for hit in hits[:2]:
        assert hit.score == pytest.approx(0.6 * before[hit.passage.pair_id] + 0.4 * hit.aspect, abs=1e-5)
    assert hits[0].aspect > 0.99 and hits[1].aspect < 0.01
    mean = (hits[0].aspect + hits[1].aspect) / 2
    assert hits[2].aspect is None and hits[2].score == pytest.approx(0.6 * before["else"] + 0.4 * mean, abs=1e-5)
    [same] = index.search(question, 3, ranking=Ranking(lexical_weight=0.0, aspects=aspects, aspect_weight=0.0))
    assert [h.passage.pair_id for h in same] == [h.passage.pair_id for h in plain]


def test_what_one_passage_proves_of_its_topic_counts_for_all_even_where_no_arm_proposed_them(tmp_path):
    encoder = ToyEncoder()
    answers = {"name": "Podagra gout.", "cure": "Drug here.", "other": "Drug podagra pain.", "far": "Drug drug."}
    topics = {"name": "Urate", "cure": "urate ", "other": "Feet", "far": "Rest"}
    pairs = [pair(name, text, topic=topics[name]) for name, text in answers.items()]
    build_index(pairs, "c", tmp_path, encoder, reuse=False, **SETTINGS)
    index = Index.open(tmp_path, encoder)
    ranking = Ranking(candidates=2, lexical_weight=0.0, aspects=word_aspects(encoder, weight=0.3), topics=1)
    question = ["treat podagra gout"]
    [plain] = index.search(question, 2, ranking=ranking)
    assert [h.passage.pair_id for h in plain] == ["name", "other"]
    [hits] = index.search(question, 3, ranking=replace(ranking, topic_weight=0.5))
    assert [h.passage.pair_id for h in hits] == ["cure", "name", "other"]
    cure, name, _ = hits
    assert cure.nearest == name.nearest == name.dense  # the evidence of the topic
    assert all(h.nearest is None for [h] in index.search(question, 1, ranking=Ranking(lexical_weight=0.0)))
    assert cure.dense_rank is None and cure.lexical_rank is None and cure.dense == 0
    # Its own fused score is the scale's lower end, its topic's the upper one.
    assert cure.score == pytest.approx(0.2 * 0 + 0.5 * 1 + 0.3 * cure.aspect, abs=1e-5)
    [without] = index.search(
        question, 3, ranking=replace(ranking, topic_weight=0.5), exclude=lambda p: p.pair_id == "cure"
    )  # fmt: skip
    assert "cure" not in [h.passage.pair_id for h in without]


def test_where_no_passage_has_a_header_the_topic_alone_does_not_fill_the_list(tmp_path):
    encoder = ToyEncoder()
    pairs = [pair(name, f"Gout {name}.", topic="Gout") for name in ("a", "b", "c")]
    pairs += [pair("other", "Gout pain.", topic="Feet")]
    build_index(pairs, "c", tmp_path, encoder, reuse=False, **(SETTINGS | {"header": "none"}))
    index = Index.open(tmp_path, encoder)
    ranking = Ranking(lexical_weight=0.0, aspects=word_aspects(encoder, weight=0.2), topic_weight=0.7)
    [plain] = index.search(["treat gout pain a"], 4, ranking=Ranking(lexical_weight=0.0))
    [hits] = index.search(["treat gout pain a"], 4, ranking=ranking)
    assert [h.passage.pair_id for h in plain][:2] == ["a", "other"]  # the same words in common: by row
    assert hits == plain


def test_without_a_share_of_the_topic_the_evidence_is_the_passages_own(tmp_path):
    encoder = ToyEncoder()
    index = index_of(tmp_path, encoder)
    [hits] = index.search(["treat gout"], 3, ranking=Ranking(aspects=word_aspects(encoder, 0.4), topic_weight=0.0))
    assert all(h.nearest is None for h in hits)


def test_a_further_row_does_not_move_the_scores_of_those_proposed():
    dense, lexical = np.array([0.9, 0.5, 0.1]), np.array([0.0, 4.0, 1.0])
    alone = fuse(np.array([2, 5, 7]), dense, lexical, 0.4)
    more = fuse(np.array([2, 3, 5, 7]), np.array([0.9, -0.5, 0.5, 0.1]), np.array([0.0, 9.0, 4.0, 1.0]), 0.4,
                np.array([True, False, True, True]))  # fmt: skip
    scores = dict(zip(more.rows.tolist(), more.scores.tolist(), strict=True))
    assert scores.pop(3) == pytest.approx(0.6 * 0 + 0.4 * 1)  # beyond both scales: their ends
    assert scores == pytest.approx(dict(zip(alone.rows.tolist(), alone.scores.tolist(), strict=True)))


def test_the_settings_load_what_was_written(tmp_path):
    folder = published(tmp_path / "aspects")
    found = load_aspects(str(folder), "of-this-encoder")
    assert found.labels == LABELS and (found.weight, found.topic_weight) == (0.25, 0.5)
    for name in ("questions", "passages"):
        assert np.array_equal(getattr(found, name), getattr(TOY, name))
    options = RetrievalSettings(aspects=str(folder), encoder="nowhere")  # no adapter there: its fingerprint counts
    assert load_ranking(options, "of-this-encoder").shares() == (0.25, 0.5)
    options = RetrievalSettings(aspects=str(folder), encoder="nowhere", aspect_weight=0.1, topic_weight=0.2)
    assert load_ranking(options, "of-this-encoder").shares() == (0.1, 0.2)
    assert load_ranking(RetrievalSettings(aspects=None), "any").shares() == (0.0, 0.0)
    options = RetrievalSettings(aspects=str(folder), encoder="nowhere", aspect_weight=0.6)
    with pytest.raises(MedqaError, match=r"at most 1 together, found 0\.6 and 0\.5"):
        load_ranking(options, "of-this-encoder")
    ranks = RetrievalSettings(aspects=str(folder), encoder="nowhere", fusion="rrf")  # fitted for scores
    assert load_ranking(ranks, "of-this-encoder").shares() == (0.0, 0.0)


def test_another_encoders_aspects_are_refused_where_named_and_left_out_where_automatic(tmp_path, monkeypatch):
    folder = published(tmp_path / "aspects")
    with pytest.raises(MedqaError, match=r"another encoder's .*retrieval\.aspects=null"):
        load_aspects(str(folder), "another")
    monkeypatch.setattr("retrieval.aspects.SHIPPED", str(folder))
    assert load_aspects(AUTO, "another") is None
    assert load_aspects(AUTO, "of-this-encoder") is not None
    monkeypatch.setattr("retrieval.aspects.SHIPPED", str(tmp_path / "none"))
    assert load_aspects(AUTO, "of-this-encoder") is None
    assert load_aspects(None, "of-this-encoder") is None


@pytest.mark.parametrize("damage", ["cut", "other", "gone", "bare"])
def test_damaged_files_are_one_line_that_says_what_to_do(tmp_path, damage):
    folder = published(tmp_path / "aspects")
    if damage == "cut":
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:50])
    elif damage == "bare":
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "weight"}))
    elif damage == "gone":
        (folder / WEIGHTS).unlink()
    else:
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(manifest | {"labels": ["a", "b", "c"]}))
    with pytest.raises(MedqaError, match="medqa finetune aspects"):
        load_aspects(str(folder), "of-this-encoder")
