"""Further frames for people's questions: what a file may hold, and how often they are used."""

import json
import random
from dataclasses import replace

import pytest

from finetune.augment import ask_in
from finetune.examples import FURTHER, Shares, build_examples
from finetune.more_frames import read_frames
from medqa.errors import MedqaError

from .conftest import make_pair, to_passages

FRAME = "tell me, nurse, is {t} {bad}? about {t} I mean"


def written(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_file_of_frames(tmp_path):
    path = written(tmp_path / "frames.json", {"causes": ["why {t}?"], "own type": [FRAME, "{t}"]})
    assert read_frames(path) == {"causes": ("why {t}?",), "own type": (FRAME, "{t}")}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "found none that can be read"),
        ([], "found list"),
        ({}, "wanted an object"),
        ({"causes": "why {t}?"}, "wanted a list of frames for the question type 'causes'"),
        ({"causes": []}, "wanted a list of frames for the question type 'causes'"),
        ({"causes": ["why {t}?", "why {T}?"]}, r"found 'why \{T\}\?' \(number 2 of 'causes'\)"),
        ({"causes": [7]}, r"found 7 \(number 1 of 'causes'\)"),
    ],
)
def test_what_is_no_file_of_frames(tmp_path, value, message):
    with pytest.raises(MedqaError, match=message) as error:
        read_frames(written(tmp_path / "frames.json", value))
    assert str(tmp_path / "frames.json") in str(error.value) and "\n" not in str(error.value)


def test_a_frame_takes_the_name_wherever_it_has_a_place_and_nothing_else():
    assert {ask_in(FRAME, "Gout", random.Random(n)) for n in range(20)} == {
        "tell me, nurse, is Gout {bad}? about Gout I mean",
        "tell me, nurse, is gout {bad}? about gout I mean",
    }


def asked(monkeypatch, people, more, **fields):
    monkeypatch.setattr("finetune.examples.TYPOS", 0.0)
    pairs = [make_pair(n, question="Q?", **fields) for n in range(400)]
    passages = to_passages(pairs)
    return [
        e.question for e in build_examples(pairs, passages, {}, Shares(0, 1, 0), 0, 6, people=people, more_frames=more)
    ]


@pytest.mark.parametrize(("people", "further", "own"), [(0.4, 0.4 * FURTHER, 0.6), (1.0, FURTHER, 0.0)])
def test_three_in_four_of_peoples_questions_are_in_them_and_the_share_of_people_stays(
    monkeypatch, people, further, own
):
    questions = asked(monkeypatch, people, {"treatment": ["nurse, {t}?"]}, question_type="treatment")
    in_them = sum(q.startswith("nurse, ") for q in questions) / 400
    assert in_them == pytest.approx(further, abs=0.06)
    assert questions.count("Q?") / 400 == pytest.approx(own, abs=0.06)
    assert all(q.lower() == f"nurse, topic{n}?" for n, q in enumerate(questions) if q.startswith("nurse, "))


def test_a_question_type_that_is_only_theirs_is_asked_in_them_alone(monkeypatch):
    questions = asked(monkeypatch, 0.5, {"support groups": ["nurse, {t}?"]}, question_type="support groups")
    assert sum(q.startswith("nurse, ") for q in questions) / 400 == pytest.approx(0.5, abs=0.06)
    assert set(questions) - {"Q?"} == {q for q in questions if q.startswith("nurse, ")}


def test_other_types_and_pairs_without_a_topic_are_asked_as_before(monkeypatch):
    more = {"treatment": ["nurse, {t}?"]}
    for fields in ({"question_type": "causes"}, {"question_type": "treatment", "topic": ""}):
        assert asked(monkeypatch, 0.5, more, **fields) == asked(monkeypatch, 0.5, None, **fields)


def test_training_alone_is_asked_in_them(make_settings, tmp_path, monkeypatch):
    from finetune.inputs import load_corpus, load_examples, recipe_inputs

    path = written(tmp_path / "frames.json", {"treatment": ["nurse, {t}?"]})
    settings = make_settings(f"finetune.frames={path}", "finetune.people=1")
    corpus = load_corpus(settings)
    typed = replace(corpus, pairs=tuple(replace(p, question_type="treatment") for p in corpus.pairs))
    train, validation = load_examples(settings, typed, None)
    assert sum(e.question.lower().startswith("nurse, ") for e in train) > len(train) / 2
    assert not any(e.question.lower().startswith("nurse, ") for e in validation)
    before = recipe_inputs(settings, corpus, "base")
    assert set(before) == {"base", "corpus", "frames"}
    written(path, {"treatment": ["doctor, {t}?"]})
    assert recipe_inputs(settings, corpus, "base")["frames"] != before["frames"]
