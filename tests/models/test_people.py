"""Questions in people's own words: one name in each, and none that another test keeps to itself."""

import random
import re

import pytest

from finetune.augment import usable
from finetune.frames import ASPECT_FRAMES, KEYWORDS
from models.recipe.articles import ASPECTS
from models.recipe.grammar import HELD_OUT_FILES, TRAINING_FILES, read_forms
from models.recipe.pseudo import Words
from tests.models.test_messages import GRAMMAR, expansions, letters

FILES = ("people_1.txt", "people_2.txt")


@pytest.fixture(scope="module")
def texts():
    """(section, every text) of the forms."""
    return [
        (section, text)
        for section, forms in read_forms(FILES).items() for form in forms for text in expansions(form)
    ]  # fmt: skip


def test_every_aspect_of_the_articles_is_asked_by_people_and_training_sees_it():
    forms = read_forms(FILES)
    assert set(forms) == {f"{aspect}.question" for aspect in (*ASPECTS, "broad")}
    assert all(len(own) >= 29 for own in forms.values())
    assert set(FILES) < set(TRAINING_FILES)
    for section, own in forms.items():
        assert all(form in GRAMMAR.forms[section] for form in own)


def test_every_expansion_names_the_condition_once(texts):
    assert len(texts) > 10_000
    for section, text in texts:
        assert re.findall("@.?", text) == ["@X"], (section, text)
        assert not re.search(r"[{}|\[\]]", text), (section, text)


def test_no_form_stands_twice():
    for file in FILES:
        for section, own in read_forms([file]).items():
            assert len(set(own)) == len(own), section


def test_no_expansion_is_a_held_out_frame_of_the_retriever(texts):
    lists = (*ASPECT_FRAMES.values(), *KEYWORDS.values())
    held_out = {letters(frame.format(t="@X")) for frames in lists for frame in usable(frames, "held-out")}
    assert letters("How would I notice @X?") in held_out and letters("@X: signs") not in held_out
    assert len(held_out) > 40
    assert [(section, text) for section, text in texts if letters(text) in held_out] == []


@pytest.mark.parametrize("file", HELD_OUT_FILES)
def test_no_expansion_is_a_question_of_a_held_out_file(texts, file):
    own = {section: forms for section, forms in read_forms([file]).items() if section.endswith(".question")}
    held_out = {letters(text) for forms in own.values() for form in forms for text in expansions(form)}
    assert len(held_out) >= 25
    assert [(section, text) for section, text in texts if letters(text) in held_out] == []


def test_every_form_is_said_in_full():
    for section, forms in read_forms(FILES).items():
        for form in forms:
            said = GRAMMAR.say(random.Random(0), form, {"X": "gout"}, Words(random.Random(0)).make)
            assert said.count("gout") == 1 and not re.search(r"[@${}|]", said), (section, said)
