"""Questions as people write them: the condition is always named, before the question points to it."""

import itertools
import random
import re

import pytest

from finetune.augment import HELD_OUT_EVERY
from finetune.frames import ASPECT_FRAMES, GREETINGS, KEYWORDS, STORIES, THANKS
from models.recipe.grammar import Choice, Form, Grammar, Part, Slot, training_grammar
from models.recipe.messages import message
from models.recipe.phases import PHASES
from models.recipe.pseudo import Words
from models.recipe.world import KINDS, World

GRAMMAR = training_grammar()
NAME = "Voss-Tellick fever"
WHOLE, POINTING = f"What brings on {NAME}?", "What brings it on?"
HEADING = "Origin"
SECTIONS = ("salutation", "story", "aside", "farewell")
ALONE = {"about {t}"}
"""The one frame that a story is too ("About @X:"); it is key words and not held out there."""
PARTS = re.compile(
    rf"(?P<salutation><salutation> )?(?P<story><story of {NAME}> )?(?P<before><aside> )?"
    rf"(?P<ask>{re.escape(WHOLE)}|{re.escape(POINTING)})(?P<after> <aside>)?(?P<farewell> <farewell>)?"
)


def say(section):
    return f"<story of {NAME}>" if section == "story" else f"<{section}>"


def written(seed, heading=HEADING):
    return message(random.Random(seed), say, NAME, heading, (WHOLE, POINTING))


def expansions(form: Form) -> list[str]:
    """Every text of ``form``, with slots and made words left as they are."""

    def options(part: Part) -> list[str]:
        if isinstance(part, Choice):
            return [text for option in part.options for text in expansions(option)]
        return [part if isinstance(part, str) else f"@{part.name}" if isinstance(part, Slot) else f"${part.name}"]

    return ["".join(texts) for texts in itertools.product(*map(options, form))]


@pytest.fixture(scope="module")
def texts():
    return {section: [t for form in GRAMMAR.forms[section] for t in expansions(form)] for section in SECTIONS}


def test_a_message_asks_in_full_or_points_to_the_name_that_its_story_has_told(monkeypatch):
    monkeypatch.setattr("models.recipe.messages.mistype", lambda text, rng: text)
    found = [PARTS.fullmatch(written(seed, "")) for seed in range(3000)]
    assert all(found)
    for part, share in {"salutation": 0.4, "story": 0.8, "before": 0.3, "after": 0.2, "farewell": 0.4}.items():
        assert abs(sum(bool(f[part]) for f in found) / 3000 - share) < 0.03
    assert not any(f["ask"] == POINTING for f in found if not f["story"])
    told = [f["ask"] == POINTING for f in found if f["story"]]
    assert abs(sum(told) / len(told) - 0.5) < 0.03


def test_where_a_heading_is_known_some_questions_are_key_words(monkeypatch):
    monkeypatch.setattr("models.recipe.messages.mistype", lambda text, rng: text)
    texts = [written(seed) for seed in range(3000)]
    found = [text for text in texts if not PARTS.fullmatch(text)]
    ways = {f"{NAME} {HEADING}": 0.3 * 0.7, f"{HEADING} {NAME}": 0.3 * 0.3}
    ways |= {f"{NAME} {HEADING}".lower(): 0.7 * 0.7, f"{HEADING} {NAME}".lower(): 0.7 * 0.3}
    assert set(found) == set(ways)
    assert abs(len(found) / 3000 - 0.15) < 0.02
    for text, share in ways.items():
        assert abs(found.count(text) / len(found) - share) < 0.05


def test_some_messages_are_mistyped_but_no_key_words(monkeypatch):
    monkeypatch.setattr("models.recipe.messages.mistype", lambda text, rng: f"SLIP {text}")
    texts = [written(seed) for seed in range(3000)]
    slipped = [text.removeprefix("SLIP ") for text in texts if text.startswith("SLIP ")]
    assert all(PARTS.fullmatch(text) for text in slipped)
    messages = len(slipped) + sum(bool(PARTS.fullmatch(text)) for text in texts)
    assert abs(len(slipped) / messages - 0.12) < 0.02


def test_the_same_seed_writes_the_same_message(library):
    def said(seed):
        world = World(random.Random(seed), library)
        world.messages = 1.0
        return world.question(NAME, ["cause"])

    assert [said(seed) for seed in range(50)] == [said(seed) for seed in range(50)]
    assert len({said(seed) for seed in range(50)}) > 40


def test_forms_around_a_question_use_the_name_alone_and_every_story_tells_it(texts):
    for section in SECTIONS:
        assert len(texts[section]) > 190
        assert {slot for text in texts[section] for slot in re.findall("@.", text)} <= {"@X"}
        for form in GRAMMAR.forms[section]:
            said = GRAMMAR.say(random.Random(0), form, {"X": NAME}, Words(random.Random(0)).make)
            assert not re.search(r"[@${}|]", said), said
    assert all("@X" in text for text in texts["story"])
    assert not any("@X" in text for section in ("salutation", "aside", "farewell") for text in texts[section])


def letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.casefold())


def test_no_form_around_a_question_gives_a_frame_of_the_retriever(texts):
    known = [text.casefold() for section in SECTIONS for text in texts[section]]
    spelled = {letters(text) for text in known}
    assert letters("We learned by letter THAT she has... @X") in spelled  # the comparison finds what is there
    for frame in (*STORIES, *GREETINGS, *THANKS):
        assert not any(frame.format(t="@X").casefold() in text for text in known), frame
    framed = (STORIES, GREETINGS, THANKS, *ASPECT_FRAMES.values(), *KEYWORDS.values())
    shared = {
        frame: i % HELD_OUT_EVERY
        for frames in framed for i, frame in enumerate(frames) if letters(frame.format(t="@X")) in spelled
    }  # fmt: skip
    assert set(shared) == ALONE
    assert HELD_OUT_EVERY - 1 not in shared.values()


@pytest.mark.parametrize(("phase", "share"), [("talk", 0.4), ("read", 0.0)])
def test_a_share_of_questions_is_messages(library, monkeypatch, phase, share):
    monkeypatch.setattr("models.recipe.world.message", lambda rng, say, name, heading, ask: f"message: {ask[1]}")
    questions = [World(random.Random(i), library, PHASES[phase]).question(NAME, ["cause"]) for i in range(800)]
    assert abs(sum(q.startswith("Message: ") for q in questions) / 800 - share) <= (0.05 if share else 0)
    assert not any("fever" in q.lower() for q in questions if q.startswith("Message: "))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_questions_on_diseases_are_messages(library, monkeypatch, kind):
    monkeypatch.setattr("models.recipe.world.message", lambda rng, say, name, heading, ask: "message")
    for aspect in KINDS[kind]:
        world = World(random.Random(0), library)
        world.messages = 1.0
        assert (world.question(NAME, [aspect]) == "Message") == (kind == "disease")
        assert world.question(NAME, ["broad"]) != "Message"


@pytest.mark.parametrize(
    ("aspects", "heading", "asks"),
    [
        (["cause"], "why, then", ("What brings {} about?",)),
        (["course"], "", ("How does {} go on?",)),
        (["cause", "course"], "", ("What brings {} about", "how does it go on?")),
        (["course", "cause"], "", ("How does {} go on", "what brings it about?")),
    ],
)
def test_a_message_is_given_the_same_question_with_the_name_and_with_it(library, monkeypatch, aspects, heading, asks):
    given = []
    monkeypatch.setattr("models.recipe.world.message", lambda *args: given.append(args) or "a message")
    monkeypatch.setattr(World, "written", lambda self, name: name.upper())
    forms = {
        "cause.question": [("What brings ", Slot("X"), " about?")], "course.question": [("How does ", Slot("X"), " go on?")],
        "cause.heading": [("why , then",)], "story": [("I have  ", Slot("X"), " .")],
    }  # fmt: skip
    world = World(random.Random(0), library)
    world.grammar, world.messages = Grammar(forms), 1.0
    assert world.question(NAME, aspects) == "A message"
    ((rng, say, name, called, pair),) = given
    assert (rng, name, called) == (world.rng, NAME.upper(), heading)
    whole = " and ".join(asks)
    assert pair == (whole.format(NAME.upper()), whole.format("it"))
    assert say("story") == f"I have {NAME.upper()}."  # spaced, with the name as it was typed


def test_a_typed_name_now_and_then_lacks_its_genitive_and_hyphens(library):
    name = "Parkinson's pre-Voss disease"
    typed = [World(random.Random(seed), library).written(name) for seed in range(2000)]
    assert set(typed) == {
        name, "parkinson's pre-voss disease", "Parkinson's Pre-Voss Disease", "Parkinson pre Voss disease",
    }  # fmt: skip
    assert 0.035 < typed.count("Parkinson pre Voss disease") / 2000 < 0.065
