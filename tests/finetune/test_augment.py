import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune import frames
from finetune.augment import (
    HELD_OUT_EVERY,
    Mix,
    describe,
    in_own_words,
    mistype,
    rename,
    surface_form,
    symptom_phrases,
    symptoms_of_topics,
)
from medqa.records import QAPair

PAIR = QAPair(
    "a", "What are the symptoms of Gout ?", "It hurts.", topic="gout", question_type="symptoms", synonyms=("podagra",)
)
LISTS = {
    **{f"aspect {k}": v for k, v in frames.ASPECT_FRAMES.items()},
    **{f"key words {k}": v for k, v in frames.KEYWORDS.items()},
    "stories": frames.STORIES, "symptoms": frames.SYMPTOM_FRAMES, "greetings": frames.GREETINGS, "thanks": frames.THANKS,
}  # fmt: skip


def only(**shares):
    return Mix(**({"synonym": 0.0, "people": 0.0, "symptoms": 0.0, "typos": 0.0} | shares))


def test_the_topic_is_renamed_in_any_case_and_nowhere_else():
    assert rename("What causes Gout ?", "gout", "podagra") == "What causes podagra ?"
    assert rename("What causes pain?", "gout", "podagra") is None
    assert rename("What causes pain?", "", "podagra") is None
    assert rename("Was ist STRASSE?", "Straße", "x") is None  # same when folded, not the same letters


def test_each_share_gives_its_form():
    rng = random.Random(0)
    assert surface_form(PAIR, (), rng, only()) == PAIR.question
    assert surface_form(PAIR, (), rng, only(synonym=1.0)) == "What are the symptoms of podagra ?"
    forms = {surface_form(PAIR, (), rng, only(people=1.0)) for _ in range(300)}
    assert len(forms) > 100
    assert PAIR.question not in forms
    described = surface_form(PAIR, ("red toe", "swollen joint", "fever"), rng, only(symptoms=1.0))
    assert "gout" not in described.lower()
    assert sum(s in described.lower() for s in ("red toe", "swollen joint", "fever")) >= 2


def test_what_cannot_be_varied_stays_as_it_is():
    bare = QAPair("b", "Why?", "So.")
    rng = random.Random(0)
    for mix in (only(synonym=1.0), only(people=1.0), only(symptoms=1.0)):
        assert surface_form(bare, ("a", "b", "c"), rng, mix) == "Why?"
    # Two symptoms describe nothing: the name is said instead.
    assert "gout" in surface_form(PAIR, ("red toe", "fever"), rng, only(symptoms=1.0)).lower()


def test_equal_states_give_equal_forms_and_these_are_theirs():
    def forms():
        rng = random.Random(7)
        return [in_own_words("treatment", "gout", rng) for _ in range(3)]

    assert forms() == forms()
    assert forms() == EXACT


EXACT = ["gout treatment", "What are my options for dealing with gout?", "How is gout treated?"]


def test_own_words_always_say_the_name():
    rng = random.Random(1)
    for kind in frames.ASPECT_FRAMES:
        for _ in range(50):
            assert "gout" in in_own_words(kind, "Gout", rng).lower()


def test_acronyms_keep_their_capitals_outside_of_key_words():
    rng = random.Random(2)
    forms = [in_own_words("treatment", "COPD", rng) for _ in range(100)]
    assert any("COPD" in f for f in forms)
    assert all("COPD" in f or f == f.lower() for f in forms)


def test_held_out_frames_never_appear_in_training():
    rng = random.Random(3)
    every = {f for values in LISTS.values() for f in values}
    held_out = {f for values in LISTS.values() for f in values[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]}
    fixed = {f.replace("{t}", "xx").lower() for f in held_out if len(f.split()) > 3}
    assert len(every - held_out) >= 60
    for kind in frames.ASPECT_FRAMES:
        for _ in range(200):
            form = in_own_words(kind, "xx", rng, "train").lower()
            assert not any(f in form for f in fixed)
            known = [*LISTS["key words " + kind], *LISTS["aspect " + kind]]
            assert any(f.replace("{t}", name).lower() in form for f in known for name in ("xx", "it"))


def test_held_out_forms_use_held_out_frames_only():
    rng = random.Random(4)
    ours = [*LISTS["aspect treatment"], *LISTS["key words treatment"]]
    held_out = {
        f
        for name in ("aspect treatment", "key words treatment")
        for f in LISTS[name][HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    }
    for _ in range(100):
        form = in_own_words("treatment", "xx", rng, "held-out").lower()
        said = [f for f in ours for name in ("xx", "it") if form.find(f.replace("{t}", name).lower()) >= 0]
        assert held_out & set(said)


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_frames_of_both_kinds_and_no_frame_twice(name):
    values = LISTS[name]
    assert len(values) >= HELD_OUT_EVERY
    assert len(set(values)) == len(values)
    wanted = {"{s}"} if name == "symptoms" else set() if name in ("greetings", "thanks") else {"{t}"}
    assert all(set(re.findall(r"\{.\}", v)) == wanted for v in values)


def test_a_description_lists_symptoms_in_english():
    text = describe(["rash", "fever"], random.Random(0))
    assert re.search(r"rash and fever|fever and rash", text)


@given(st.text(string.ascii_letters + " ?", min_size=1, max_size=60), st.integers(0, 10_000))
def test_a_slip_keeps_the_number_of_words_and_almost_all_letters(text, seed):
    typed = mistype(text, random.Random(seed))
    assert abs(len(typed) - len(text)) <= 40
    assert mistype(text, random.Random(seed)) == typed
    for before, after in zip(text.split(" "), typed.split(" "), strict=False):
        if before and after and before.lower() not in frames.ABBREVIATIONS:
            assert before[0].lower() == after[0].lower()


def test_abbreviations_are_whole_words_only():
    rng = random.Random()
    seen = set()
    for seed in range(40):
        rng.seed(seed)
        seen.add(mistype("Please tell me about treatment with medicines", rng))
    assert "pls tell me abt tx w/ medicines" in seen


TABLE = (
    "Symptoms for X. Signs and Symptoms Approximate number of patients (when available) Short stature 90% Seizures - "
    "Autosomal recessive inheritance - EEG abnormality 7.5% The Human Phenotype Ontology (HPO) has collected Things 90%."
)


def test_symptoms_are_read_from_tables_bullets_and_sentences():
    assert symptom_phrases(TABLE) == ["short stature", "seizures", "EEG abnormality"]
    assert symptom_phrases("They are\n- Chest pain\n- Shortness of breath (at night)\n- a thing with far too many words") == [
        "chest pain", "shortness of breath",
    ]  # fmt: skip
    assert symptom_phrases("Symptoms may include fever, a stiff neck, and sore throat. Rest helps.") == [
        "fever", "a stiff neck", "sore throat",
    ]  # fmt: skip
    assert symptom_phrases("Nothing is listed.") == []


def test_symptoms_of_a_topic_come_from_symptom_answers_only_and_never_name_it():
    pairs = [
        QAPair("1", "q", "Symptoms include gout attacks, fever and pain.", topic="Gout", question_type="symptoms"),
        QAPair(
            "2",
            "q",
            "Symptoms include podagra and itching.",
            topic="GOUT",
            question_type="symptoms",
            synonyms=("Podagra",),
        ),
        QAPair("3", "q", "Symptoms include cough and rash.", topic="Flu", question_type="causes"),
    ]
    assert symptoms_of_topics(pairs) == {"gout": ("fever", "pain", "itching")}
