"""Questions as people ask them: surface forms of a corpus question that leave its answer the same.

A corpus like MedQuAD asks in a dozen templates. A retriever tuned on those alone gets worse on everything else, so that
training draws a fresh form every time it sees a pair: another name of the topic, someone's own words, symptoms without the
name, key words, a long message, typing errors. Every fourth sentence frame is held out: it is never trained on, and measures
whether what was learned carries over to wording that training never saw.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from finetune.frames import (
    ABBREVIATIONS,
    ASPECT_FRAMES,
    GREETINGS,
    KEYWORDS,
    STORIES,
    SYMPTOM_FRAMES,
    THANKS,
)
from medqa.records import QAPair

Frames = Literal["train", "held-out"]

HELD_OUT_EVERY = 4
"""Every fourth frame is held out: enough of both kinds even for the shortest list."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the forms; what is left of 1 keeps the corpus' own question."""

    synonym: float = 0.25
    """Its topic replaced by one of the topic's synonyms."""
    people: float = 0.35
    """A sentence frame, sometimes with a story around it, sometimes key words only."""
    symptoms: float = 0.08
    """Symptoms of the topic without its name; only where the corpus lists three and the answer could be meant,
    else as ``people``."""
    typos: float = 0.15
    """Share of all forms that get a typing error or texting abbreviations."""


_ANSWERS_A_DESCRIPTION = frozenset({"information", "symptoms", "causes", "exams and tests", "treatment"})
"""Question types whose answer somebody could want who only describes symptoms."""


def surface_form(
    pair: QAPair, symptoms: Sequence[str], rng: random.Random, mix: Mix | None = None, frames: Frames = "train"
) -> str:
    """One way to ask for ``pair``'s answer; all randomness comes from ``rng``.

    Args:
        pair: the question; its topic, synonyms and question type say what can be varied.
        symptoms: see ``symptoms_of_topics``; empty where none are known.
        rng: equal states give equal forms.
        mix: shares of the forms; None for the default.
        frames: which sentence frames may be used.
    """
    mix = mix or Mix()
    draw = rng.random()
    if draw < mix.symptoms and len(symptoms) >= 3 and pair.question_type in _ANSWERS_A_DESCRIPTION:
        text = describe(symptoms, rng, frames)
    elif draw < mix.symptoms + mix.people and pair.topic and pair.question_type in ASPECT_FRAMES:
        text = in_own_words(pair.question_type, rng.choice([pair.topic, pair.topic, *pair.synonyms]), rng, frames)
    elif draw < mix.symptoms + mix.people + mix.synonym and pair.synonyms:
        text = rename(pair.question, pair.topic, rng.choice(pair.synonyms)) or pair.question
    else:
        text = pair.question
    return mistype(text, rng) if rng.random() < mix.typos else text


def rename(question: str, topic: str, name: str) -> str | None:
    """``question`` with ``topic`` (in any case) replaced by ``name``; None where it does not name the topic.

    >>> rename("What causes Asthma ?", "asthma", "bronchial asthma")
    'What causes bronchial asthma ?'
    """
    at = question.casefold().find(topic.casefold()) if topic else -1
    # Case folding can change lengths ("ß"); such a hit is not at the same place in the question itself.
    if at < 0 or question[at : at + len(topic)].casefold() != topic.casefold():
        return None
    return question[:at] + name + question[at + len(topic) :]


def in_own_words(question_type: str, name: str, rng: random.Random, frames: Frames = "train") -> str:
    """A question of ``question_type`` about ``name``: key words, a plain sentence, or a message with a story."""
    name = _spoken(name, rng)
    style = rng.random()
    if style < 0.2:  # what is typed into a search box
        return rng.choice(usable(KEYWORDS[question_type], frames)).format(t=name).lower()
    question = rng.choice(usable(ASPECT_FRAMES[question_type], frames))
    if style < 0.6:
        return _casual(question.format(t=name), rng)
    story = rng.choice(usable(STORIES, frames)).format(t=name)
    # The name was said already: half of the time the question itself only points to it.
    asked = question.format(t="it" if rng.random() < 0.5 else name)
    return _letter(f"{story} {asked}", rng, frames)


def ask_in(frame: str, name: str, rng: random.Random) -> str:
    """``frame`` with ``{t}`` replaced by ``name`` as somebody would write it."""
    return frame.replace("{t}", _spoken(name, rng))


def describe(symptoms: Sequence[str], rng: random.Random, frames: Frames = "train") -> str:
    """A message that names two to five of ``symptoms`` and no disease."""
    chosen = rng.sample(list(symptoms), min(len(symptoms), rng.randint(2, 5)))
    listed = ", ".join(chosen[:-1]) + " and " + chosen[-1]
    text = rng.choice(usable(SYMPTOM_FRAMES, frames)).format(s=listed)
    return _letter(text, rng, frames) if rng.random() < 0.4 else text


def mistype(text: str, rng: random.Random) -> str:
    """``text`` as typed in a hurry: lower case, abbreviations, or a slip of the fingers in one or two of its longer words."""
    slip = rng.random()
    if slip < 0.25:
        return text.lower().rstrip("?.! ")
    if slip < 0.45:
        return re.sub(r"[A-Za-z]+", lambda m: ABBREVIATIONS.get(m.group().lower(), m.group()), text)
    words = text.split(" ")
    long_ones = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    for i in rng.sample(long_ones, min(len(long_ones), rng.randint(1, 2))):
        words[i] = _slip(words[i], rng)
    return " ".join(words)


def symptoms_of_topics(pairs: Iterable[QAPair]) -> dict[str, tuple[str, ...]]:
    """Topic (lower case) -> short symptom phrases named in its answers on symptoms, at most 30, in order.

    Only phrases that do not hold the topic's own name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        if pair.question_type == "symptoms" and pair.topic:
            key = pair.topic.casefold()
            names = {n.casefold() for n in (pair.topic, *pair.synonyms)}
            new = [s for s in symptom_phrases(pair.answer) if not any(n in s.casefold() for n in names)]
            found[key] = tuple(dict.fromkeys([*found.get(key, ()), *new]))[:30]
    return {key: phrases for key, phrases in found.items() if phrases}


def symptom_phrases(answer: str) -> list[str]:
    """Phrases of one to six words listed in an answer: frequency tables, bullets, "symptoms include a, b and c"."""
    table = re.search(r"\(when available\)(.*?)(?:The Human Phenotype Ontology|$)", answer, re.S)
    if table:
        items = re.split(r"\s(?:\d+(?:\.\d+)?%|\d+/\d+|-)(?:\s|$)", table.group(1))
    else:
        items = re.findall(r"^\s*[-*•]\s+(.+)$", answer, re.M)
        for sentence in re.findall(
            r"(?:symptoms?|signs?)\b[^.:]*?\b(?:include|are|such as):?\s+([^.]+)\.", answer, re.I
        ):
            items += re.split(r",\s*(?:and|or)\s+|[,;]\s*|\s+(?:and|or)\s+", sentence)
    phrases = [" ".join(re.sub(r"\([^)]*\)", " ", item).split()).strip(" .,;:-") for item in items]
    return [_uncapitalised(p) for p in phrases if 1 <= len(p.split()) <= 6 and not _NOT_FELT.search(p)]


_NOT_FELT = re.compile(r"inheritance|onset|heterogene|sporadic|^(?:and|or|other|the|these)\b", re.I)
"""Rows of the frequency tables that nobody would report, and pieces of sentences."""


def usable(frames: Sequence[str], which: Frames) -> list[str]:
    """Those of a list's ``frames`` that training sees, or those that it does not."""
    held_out = [f for i, f in enumerate(frames) if i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1]
    return held_out if which == "held-out" else [f for f in frames if f not in held_out]


def _spoken(name: str, rng: random.Random) -> str:
    """``name`` as somebody would write it: often without capitals, unless it is an acronym."""
    return name.lower() if rng.random() < 0.5 and not re.fullmatch(r"[A-Z0-9-]{2,6}", name) else name


def _casual(text: str, rng: random.Random) -> str:
    return text[0].upper() + text[1:] if rng.random() < 0.7 else text


def _letter(text: str, rng: random.Random, frames: Frames) -> str:
    """``text`` with a greeting before it and thanks behind it, each half of the time."""
    before = rng.choice(usable(GREETINGS, frames)) + " " if rng.random() < 0.5 else ""
    after = " " + rng.choice(usable(THANKS, frames)) if rng.random() < 0.5 else ""
    return before + text + after


def _uncapitalised(phrase: str) -> str:
    return phrase[0].lower() + phrase[1:] if not phrase[:2].isupper() else phrase


_NEIGHBOURS: Mapping[str, str] = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioaasdfghjkkxcvbnmmn", strict=True))
"""A key beside each letter on a QWERTY keyboard."""


def _slip(word: str, rng: random.Random) -> str:
    """``word`` with two letters swapped, one left out, one doubled or one replaced by its neighbour on the keyboard.

    The first letter stays: people rarely get it wrong.
    """
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + _NEIGHBOURS.get(word[i].lower(), word[i]) + word[i + 1 :]
