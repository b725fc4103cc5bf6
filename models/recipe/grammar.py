"""Sentence forms written compactly: ``{a|b}`` is a choice, ``$name`` another rule, ``@X`` a slot to be filled.

The text files under ``forms/`` hold sections (``[cause.sentence]``) of one form a line. A few hundred lines with nested
choices stand for millions of sentences, which is what makes the model read instead of recognising templates.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FORMS = Path(__file__).parent / "forms"
TRAINING_FILES = (
    "rules.txt", "headings.txt", "diseases_1.txt", "diseases_2.txt", "diseases_3.txt", "drugs.txt", "things.txt",
    "reference.txt", "patients.txt", "press.txt", "scholarly.txt", "syntax.txt", "words.txt", "others.txt", "messages.txt",
    "pages.txt", "people_1.txt", "people_2.txt",
)  # fmt: skip
HELD_OUT_FILES = ("held_out.txt", "fresh.txt")
"""Forms for the reading test only. The second was written after the training forms, by an author who had not seen them."""

_TOKEN = re.compile(r"[{}|]|\$[A-Za-z_]+|@[A-Z]|[^{}|$@]+|.")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several sequences of parts."""

    options: tuple[tuple["Part", ...], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A reference to a rule of the grammar or, failing that, to a word maker."""

    name: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for the caller's text."""

    name: str


Part = str | Choice | Rule | Slot
Form = tuple[Part, ...]


def parse(line: str) -> Form:
    """The form written in ``line``."""
    parts, rest = _parse_sequence(_TOKEN.findall(line), 0)
    if rest != len(_TOKEN.findall(line)):
        raise ValueError(f"wanted balanced braces, found {line!r}")
    return parts


def _parse_sequence(tokens: list[str], i: int) -> tuple[Form, int]:
    """Parts from token ``i`` up to the ``|`` or ``}`` that closes the sequence; returns them and that position."""
    parts: list[Part] = []
    while i < len(tokens) and tokens[i] not in ("|", "}"):
        token = tokens[i]
        if token == "{":
            options = []
            while True:
                option, i = _parse_sequence(tokens, i + 1)
                options.append(option)
                if i >= len(tokens):
                    raise ValueError(f"wanted a closing brace, found none in {''.join(tokens)!r}")
                if tokens[i] == "}":
                    break
            parts.append(Choice(tuple(options)))
        elif token[0] == "$" and len(token) > 1:
            parts.append(Rule(token[1:]))
        elif token[0] == "@" and len(token) > 1:
            parts.append(Slot(token[1:]))
        else:
            parts.append(token)
        i += 1
    return tuple(parts), i


def read_forms(files: Iterable[str], folder: Path = FORMS) -> dict[str, list[Form]]:
    """Section name -> its forms, over all ``files``."""
    forms: dict[str, list[Form]] = {}
    for name in files:
        section = ""
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
            elif line and not line.startswith("#"):
                forms.setdefault(section, []).append(parse(line))
    return forms


class Grammar:
    """Forms by section, and how to say one of them."""

    def __init__(self, forms: Mapping[str, list[Form]]) -> None:
        self.forms = forms

    def pick(self, rng: random.Random, section: str) -> Form:
        """A form of ``section``, all lines equally likely."""
        return rng.choice(self.forms[section])

    def say(
        self, rng: random.Random, form: Form, slots: Mapping[str, str], make: Callable[[str], str] = lambda name: name
    ) -> str:
        """``form`` in words. ``make`` supplies the rules that are no sections, such as ``$pseudo``."""
        out: list[str] = []
        self._say(rng, form, slots, make, out)
        return "".join(out)

    def _say(
        self,
        rng: random.Random,
        form: Form,
        slots: Mapping[str, str],
        make: Callable[[str], str],
        out: list[str],
    ) -> None:
        for part in form:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Slot):
                out.append(slots[part.name])
            elif isinstance(part, Choice):
                self._say(rng, rng.choice(part.options), slots, make, out)
            elif part.name in self.forms:
                self._say(rng, rng.choice(self.forms[part.name]), slots, make, out)
            else:
                out.append(make(part.name))

    def pattern(self, form: Form) -> str:
        """A regular expression for everything ``form`` can become, with the slots left as ``@X``."""
        return "".join(self._part_pattern(part) for part in form)

    def _part_pattern(self, part: Part) -> str:
        if isinstance(part, str):
            return re.escape(part)
        if isinstance(part, Slot):
            return "@" + part.name
        if isinstance(part, Choice):
            return "(?:" + "|".join(self.pattern(option) for option in part.options) + ")"
        if part.name in self.forms:
            return "(?:" + "|".join(self.pattern(form) for form in self.forms[part.name]) + ")"
        return r"[\w,.'-]+"

    def count(self, section: str) -> int:
        """How many word strings the forms of ``section`` stand for, slots and made words counted once."""
        return sum(self._count_form(form) for form in self.forms[section])

    def _count_form(self, form: Form) -> int:
        total = 1
        for part in form:
            if isinstance(part, Choice):
                total *= sum(self._count_form(option) for option in part.options)
            elif isinstance(part, Rule) and part.name in self.forms:
                total *= self.count(part.name)
        return total


def training_grammar() -> Grammar:
    """All forms that training may see."""
    return Grammar(read_forms(TRAINING_FILES))


def held_out_grammar(name: str) -> Grammar:
    """The forms of a reading test; facts and rules that its file does not have come from the training files."""
    facts = {k: v for k, v in read_forms(TRAINING_FILES).items() if not k.endswith((".sentence", ".question"))}
    return Grammar({**facts, **read_forms([name])})
