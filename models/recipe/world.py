"""Made-up entities (diseases, medicines, things) with made-up facts, told in many forms, and how to ask about them."""

import random
import re
from collections.abc import Sequence

from models.recipe.examples import Draft, Sentence, Tag
from models.recipe.grammar import Form, Slot
from models.recipe.library import Library
from models.recipe.messages import message
from models.recipe.phases import Phase
from models.recipe.pseudo import Words

DISEASE = (
    "definition", "cause", "symptom", "treatment", "diagnosis", "prevention", "risk", "outlook", "inheritance", "gene",
    "frequency", "complication", "spread", "research", "onset", "part", "course", "history", "care", "types",
)  # fmt: skip
DRUG = ("use", "side", "dose", "storage", "mechanism", "avoid", "interaction", "missed")
CREATURE = ("habitat", "food", "size", "maker")
PLACE = ("place", "number", "product", "maker")
DEVICE = ("purpose", "maker", "size", "product")
KINDS = {"disease": DISEASE, "drug": DRUG, "creature": CREATURE, "place": PLACE, "device": DEVICE}

NEAR = (
    {"cause", "gene", "inheritance", "spread"},
    {"symptom", "part", "complication", "definition"},
    {"risk", "frequency", "onset"},
    {"outlook", "course", "complication"},
    {"treatment", "research", "care"},
    {"prevention", "spread"},
    {"use", "mechanism"},
    {"avoid", "interaction"},
)
"""Aspects that answer each other's questions in part: a refusal must not hang on telling them apart."""

LISTED = ("symptom", "cause", "treatment", "risk", "complication", "side")
"""Aspects that web pages like to give as a list."""

MAX_WORDS = 120
"""A source stops growing here (words)."""


def near(aspect: str) -> set[str]:
    """Aspects too close to ``aspect`` to serve as "something else", itself included."""
    return {aspect}.union(*(group for group in NEAR if aspect in group))


class World:
    """Names, facts, sentences and questions for one example; every example gets a fresh one."""

    def __init__(self, rng: random.Random, library: Library, phase: Phase | None = None) -> None:
        self.rng = rng
        self.library = library
        self.grammar = library.grammar
        self.words = Words(rng, library.lexicon.rare)
        self.common = library.lexicon.common
        self.noise = phase.noise if phase else 0.0
        self.odd_facts = phase.odd_facts if phase else 0.0
        self.other_entity = phase.other_entity if phase else 0.5
        self.messages = phase.messages if phase else 0.0
        self.pages = phase.pages if phase else 0.0
        self.brief = rng.random() < (phase.brief if phase else 0.5)

    def name(self, kind: str) -> str:
        """A name for an entity of ``kind``."""
        rng, pick = self.rng, self.say
        if kind == "disease":
            return rng.choice(
                (
                    lambda: self.words.word(),
                    lambda: self.words.word(),
                    lambda: self.words.word().capitalize(),
                    lambda: f"{self.words.surname()} {pick('disease_noun')}",
                    lambda: f"{self.words.surname()}'s {pick('disease_noun')}",
                    lambda: f"{self.words.surname()}-{self.words.surname()} {pick('disease_noun')}",
                    lambda: f"{pick('disease_adjective')} {self.words.word()}",
                    lambda: f"{pick('disease_adjective')} {self.words.word()} {pick('disease_noun')}",
                    lambda: f"{self.words.word()} {pick('disease_noun')}",
                    lambda: f"{self.words.word()} {pick('disease_noun')} {pick('disease_code')}",
                    lambda: pick("disease_coded"),
                    lambda: f"{self.words.gene()}-related {pick('disease_noun')}",
                    lambda: pick("disease_plain"),
                    lambda: pick("disease_odd"),
                )
            )()
        if kind == "drug":
            return rng.choice((self.words.drug, self.words.drug, self.words.word))()
        made = self.words.word() if rng.random() < 0.5 else self.words.surname()
        return f"{made} {pick('thing_noun')}" if rng.random() < 0.7 else made.capitalize()

    def sibling(self, name: str, kind: str) -> str:
        """Another name, now and then one that shares a word with ``name``."""
        words = name.split()
        for _ in range(20):
            other = self.name(kind)
            if len(words) > 1 and self.rng.random() < 0.3:
                tail = other.split()[-1]
                other = f"{words[0]} {tail}" if self.rng.random() < 0.5 else f"{other.split()[0]} {words[-1]}"
            if other.lower() not in name.lower() and name.lower() not in other.lower():
                return other
        return self.words.word() + "ax"

    def fact(self, aspect: str) -> str:
        """A fact of ``aspect``."""
        if self.rng.random() < self.odd_facts:
            words = self.library.sentence(self.rng).rstrip('.!?”")').split()
            start = self.rng.randint(0, max(0, len(words) - 4))
            return " ".join(words[start : start + self.rng.randint(2, 7)]).strip(",;:()")
        return self.say(f"{aspect}.fact")

    def say(self, section: str, **slots: str) -> str:
        """A form of ``section`` in words."""
        return spaced(self.grammar.say(self.rng, self.grammar.pick(self.rng, section), slots, self.words.make))

    def statement(self, name: str, subject: str, aspect: str, fact: str, other: str, clause: str = "") -> str:
        """A sentence that gives ``fact``. ``subject``: name or pronoun; ``clause``: a second fact behind the name."""
        form = self.grammar.pick(self.rng, f"{aspect}.sentence")
        starts_with_subject = isinstance(form[0], Slot) and form[0].name == "X"
        if clause and starts_with_subject:
            subject = f"{subject}, {clause},"
        text = self._say_noisily(form, {"X": subject, "F": fact})
        return self._dress(tidy(text), starts_with_subject and subject[0].isupper() and subject.startswith(name), other)

    def _say_noisily(self, form: Form, slots: dict[str, str]) -> str:
        """``form`` in words, sometimes with one or two of its own words replaced."""
        if self.rng.random() >= self.noise:
            return self.grammar.say(self.rng, form, slots, self.words.make)
        marks = {name: f"\0{name}" for name in slots}
        parts = self.grammar.say(self.rng, form, marks, self.words.make).split(" ")
        own = [i for i, word in enumerate(parts) if word.isalpha() and word.islower() and len(word) > 3]
        for i in self.rng.sample(own, min(len(own), self.rng.choice((1, 1, 2)))):
            parts[i] = self.rng.choice(self.common) if self.rng.random() < 0.5 else self.words.word()
        text = " ".join(parts)
        for name, value in slots.items():
            text = text.replace(f"\0{name}", value)
        return text

    def _dress(self, text: str, keep_case: bool, other: str) -> str:
        """Add an opening (In most cases, ...) or a closing (..., although ...), or neither."""
        roll = self.rng.random()
        if roll < 0.18:
            opening = self.say("opening", Y=other)
            comma = "" if opening.endswith("that") else ","
            text = f"{opening}{comma} {text if keep_case else text[0].lower() + text[1:]}"
        elif roll < 0.32 and text.endswith("."):
            text = f"{text[:-1]}, {self.say('closing', Y=other)}."
        return upper_first(text)

    def bullets(self, name: str, aspect: str) -> str:
        """A heading with a list, as web pages have it: no verb, often no full stop."""
        lead = self.rng.choice(
            (f"{self.say(f'{aspect}.heading')} of {name}", f"{self.say(f'{aspect}.heading')}", f"In {name}: ")
        )
        items = [self.fact(aspect) for _ in range(self.rng.randint(2, 6))]
        mark = self.rng.choice((" - ", " - ", "; ", " * ", ", "))
        return upper_first(
            f"{lead} {self.rng.choice(('include', '', '', 'are'))}{mark}{mark.join(items)}".replace("  ", " ")
        )

    def source(self, name: str, kind: str, aspects: Sequence[str], other: str, titles: str) -> Draft:
        """A source about ``name`` that tells ``aspects`` in turn. ``titles``: name, none, heading or question."""
        rng = self.rng
        title = self.title(name, aspects[0], titles)
        sentences: list[Sentence] = []
        if rng.random() < 0.06:
            sentences.append(Sentence(upper_first(self.say(f"{aspects[0]}.question", X=name))))
        for aspect in aspects:
            named = bool(title) or any(s.tags for s in sentences)
            by_name = not named or aspect == "definition" or rng.random() < 0.55
            subject = name if by_name else self._pronoun(kind)
            sentences += self.tell(name, subject, aspect, other, kind)
            if sum(len(s.text.split()) for s in sentences) > MAX_WORDS:
                break
        if rng.random() < (0.1 if self.brief else 0.3):
            by_rule = rng.random() < 0.5
            filler = upper_first(self.say("filler")) if by_rule else self.library.sentence(rng)
            sentences.insert(rng.randint(0, len(sentences)), Sentence(filler))
        return Draft(sentences, title)

    def passage(self, name: str, kind: str, aspect: str, other: str, titles: str) -> Draft:
        """A passage of an article: several sentences, all of them on one aspect, a few without saying so."""
        rng, tags = self.rng, frozenset({Tag(name, aspect)})
        title = self.title(name, aspect, titles)
        sentences: list[Sentence] = []
        length = rng.randint(20, 100)
        while sum(len(s.text.split()) for s in sentences) < length:
            named = bool(title) or bool(sentences)
            subject = name if not named or rng.random() < 0.4 else self._pronoun(kind)
            sentences += [Sentence(s.text, tags) for s in self.tell(name, subject, aspect, other, kind)]
            if rng.random() < 0.25:
                sentences.append(Sentence(self.library.sentence(rng), tags))
        return Draft(sentences, title)

    def tell(self, name: str, subject: str, aspect: str, other: str, kind: str) -> list[Sentence]:
        """One aspect in one to three sentences."""
        rng, tags = self.rng, {Tag(name, aspect)}
        if subject == name and aspect in LISTED and rng.random() < 0.07:
            return [Sentence(self.bullets(name, aspect), frozenset(tags))]
        clause = ""
        if rng.random() < 0.1 and subject == name:
            second = rng.choice([a for a in KINDS[kind] if f"{a}.clause" in self.grammar.forms] or [aspect])
            if second != aspect and f"{second}.clause" in self.grammar.forms:
                clause = self.say(f"{second}.clause", F=self.fact(second))
        text = self.statement(name, subject, aspect, self.fact(aspect), other, clause)
        if clause and clause in text:
            tags.add(Tag(name, second))
        out = [Sentence(text, frozenset(tags))]
        if f"{aspect}.more" in self.grammar.forms and rng.random() < (0.15 if self.brief else 0.4):
            for _ in range(rng.choice((1, 1, 2))):
                more = self.say(f"{aspect}.more", G=self.fact(aspect))
                out.append(Sentence(upper_first(more), frozenset({Tag(name, aspect)})))
        return out

    def _pronoun(self, kind: str) -> str:
        return self.say({"disease": "pronoun", "drug": "pronoun_drug"}.get(kind, "pronoun_thing"))

    def title(self, name: str, aspect: str, titles: str) -> str:
        """A source's title in the style ``titles``; see ``source``."""
        if titles == "none":
            return ""
        if titles == "question":
            return upper_first(self.say(f"{aspect}.question", X=name))
        if titles == "heading" and f"{aspect}.heading" in self.grammar.forms:
            return upper_first(self.say("heading", X=name, A=self.say(f"{aspect}.heading")))
        return upper_first(name) if self.rng.random() < 0.7 else name

    def question(self, name: str, aspects: Sequence[str]) -> str:
        """A question about one aspect, or two joined by "and"; with some of the noise that people add."""
        written = self.written(name)
        if aspects == ["broad"]:
            return upper_first(self.say("broad.question", X=written))
        forms = [self.grammar.pick(self.rng, f"{aspect}.question") for aspect in aspects]
        if aspects[0] in DISEASE and self.rng.random() < self.messages:
            return upper_first(self._message(written, aspects, forms))
        text = self._asked(forms, written)
        if self.rng.random() < 0.15:
            inner = lower_first(text) if self.rng.random() < 0.5 else text
            text = self.say("wrapper", X=written, Q=inner)
        return self.blemish(upper_first(text))

    def _message(self, written: str, aspects: Sequence[str], forms: Sequence[Form]) -> str:
        heading = f"{aspects[0]}.heading"
        called = self.say(heading) if len(aspects) == 1 and heading in self.grammar.forms else ""
        asks = self._asked(forms, written), self._asked(forms, "it")
        return message(self.rng, lambda section: self.say(section, X=written), written, called, asks)

    def _asked(self, forms: Sequence[Form], subject: str) -> str:
        """The questions in ``forms`` joined by "and"; all but the first are about "it"."""
        texts = [tidy(self._say_noisily(form, {"X": "it" if i else subject})) for i, form in enumerate(forms)]
        return texts[0] if len(texts) == 1 else f"{texts[0].rstrip('?. ')} and {lower_first(texts[1])}"

    def written(self, name: str) -> str:
        """``name`` as a person may type it."""
        roll = self.rng.random()
        if roll < 0.1:
            return name.lower()
        if roll < 0.2:
            return " ".join(upper_first(word) for word in name.split())
        if roll < 0.25:  # Parkinson disease for Parkinson's disease, Ebstein Barr for Ebstein-Barr
            return name.replace("'s ", " ").replace("-", " ")
        return name

    def blemish(self, text: str) -> str:
        """Now and then all small letters, no question mark, or a space before it."""
        roll = self.rng.random()
        if roll < 0.06:
            return text.lower()
        if roll < 0.1:
            return text.rstrip("?.")
        return text.replace("?", " ?") if roll < 0.2 else text


def upper_first(text: str) -> str:
    """``text`` with a capital first letter."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """``text`` with a small first letter, unless it starts with an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def spaced(text: str) -> str:
    """No space at the ends, none before a comma or full stop, none doubled (choices may be empty)."""
    return re.sub(r"\s+", " ", re.sub(r"\s+([.,:])", r"\1", text)).strip()


def tidy(text: str) -> str:
    """Repair what pronouns do to forms written for names: ``The it lives`` -> ``It lives``."""
    return upper_first(spaced(re.sub(r"\b[Tt]he (it|the|this)\b", r"\1", text)))
