"""Made-up words, names, genes, drugs and numbers: what can only be copied, since no one can know it."""

import random
import re
from collections.abc import Callable, Sequence

from models.recipe.grammar import FORMS


def _read_parts() -> dict[str, list[str]]:
    """Sections of ``forms/spelling.txt``."""
    parts: dict[str, list[str]] = {}
    section = ""
    for line in (FORMS / "spelling.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            parts.setdefault(section, []).extend(line.split())
    return parts


_PARTS = _read_parts()
_CODAS = [*_PARTS["codas"], *[""] * 4]  # so that some words end in a vowel


class Words:
    """A maker of words. ``rare``: real rare words whose halves are spliced into new ones (they bring real spelling)."""

    def __init__(self, rng: random.Random, rare: Sequence[str] = ()) -> None:
        self.rng = rng
        self.rare = rare
        self._makers: dict[str, Callable[[], str]] = {
            "pseudo": self.word, "Pseudo": lambda: self.word().capitalize(), "Name": self.surname, "First": self.first,
            "Place": self.place, "GENE": self.gene, "drug": self.drug, "Drug": lambda: self.drug().capitalize(),
            "int": self.integer, "year": self.year, "percent": self.percent,
        }  # fmt: skip

    def make(self, name: str) -> str:
        """The word for the grammar's rule ``$name``."""
        return self._makers[name]()

    def word(self) -> str:
        """A lower-case word that exists nowhere (or by bad luck somewhere)."""
        kind = self.rng.random()
        if self.rare and kind < 0.35:
            return self._spliced()
        if kind < 0.7:
            return self._syllables(self.rng.choice((1, 2, 2, 2, 3, 3, 4)))
        if kind < 0.95:
            return self._learned()
        return "".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(self.rng.randint(3, 8)))

    def _syllables(self, n: int) -> str:
        pick = self.rng.choice
        return "".join(pick(_PARTS["onsets"]) + pick(_PARTS["vowels"]) for _ in range(n)) + pick(_CODAS)

    def _learned(self) -> str:
        """A Greek-looking word: ``chondroplenitis``, or a protein: ``gastrolase``."""
        pick = self.rng.choice
        roots = [pick(_PARTS["roots"]) for _ in range(pick((1, 1, 2)))] + [self._syllables(1)] * pick((0, 0, 1))
        self.rng.shuffle(roots)
        return "o".join(roots) + pick(pick((_PARTS["endings"], _PARTS["chemical"])))

    def _spliced(self) -> str:
        """The head of one real word with the tail of another."""
        head, tail = self.rng.choice(self.rare), self.rng.choice(self.rare)
        return head[: self.rng.randint(2, max(2, len(head) - 2))] + tail[-self.rng.randint(2, max(2, len(tail) - 2)) :]

    def surname(self) -> str:
        """``Tellickson``, now and then ``Tellick-Voss``."""
        name = (
            self._syllables(self.rng.choice((1, 1, 2))) + self.rng.choice(("", "", *_PARTS["surname"]))
        ).capitalize()
        return f"{name}-{self.surname()}" if self.rng.random() < 0.08 else name

    def first(self) -> str:
        """A first name, often a real one."""
        return self.rng.choice(_PARTS["first"]) if self.rng.random() < 0.7 else self._syllables(2).capitalize()

    def place(self) -> str:
        """A place, sometimes a real one."""
        if self.rng.random() < 0.3:
            return self.rng.choice(_PARTS["real_places"])
        return (self._syllables(self.rng.choice((1, 2))) + self.rng.choice(_PARTS["place"])).capitalize()

    def gene(self) -> str:
        """``KLF7B``."""
        letters = "".join(self.rng.choice("ABCDEFGHIKLMNOPRSTVXYZ") for _ in range(self.rng.randint(2, 5)))
        return letters + self.rng.choice(
            ("", str(self.rng.randint(1, 30)), f"{self.rng.randint(1, 9)}{self.rng.choice('ABL')}")
        )

    def drug(self) -> str:
        """``torvazine``."""
        stem = self.word() if self.rng.random() < 0.2 else self._syllables(self.rng.choice((1, 2, 2)))
        return stem + self.rng.choice(_PARTS["drug"])

    def integer(self) -> str:
        """2 to 999, small ones more often."""
        return str(int(2 * 500 ** self.rng.random()))

    def year(self) -> str:
        """1650 to 2024."""
        return str(self.rng.randint(1650, 2024))

    def percent(self) -> str:
        """``7 percent`` or ``7%``."""
        return f"{self.rng.randint(1, 99)}{self.rng.choice((' percent', '%', ' per cent'))}"


_WORD = re.compile(r"[A-Za-z][A-Za-z]+(?:['’-][A-Za-z]+)*|\d+")


class Disguise:
    """Replaces rare words and numbers by made-up ones, the same always by the same: only copying helps.

    ``is_rare`` decides per lower-case word; ``share`` (0 to 1) is the chance that a rare word is replaced at all.
    """

    def __init__(self, words: Words, is_rare: Callable[[str], bool], share: float) -> None:
        self.words = words
        self.is_rare = is_rare
        self.share = share
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """``text`` in disguise."""
        return _WORD.sub(self._replace, text)

    def known_only(self, text: str) -> str:
        """``text`` with the replacements made so far and no new ones."""
        share, self.share = self.share, 0.0
        try:
            return _WORD.sub(self._replace, text)
        finally:
            self.share = share

    def _replace(self, match: re.Match[str]) -> str:
        word = match.group(0)
        if word.isdigit():
            return self._known.setdefault(word, self._number(word))
        stem, plural = (word[:-1], "s") if len(word) > 4 and word.endswith("s") and word[-2] not in "su" else (word, "")
        key = stem.lower()
        if key not in self._known:
            changed = self.is_rare(key) and self.words.rng.random() < self.share
            self._known[key] = self.words.word() if changed else key
        new = self._known[key]
        return word if new == key else _in_case_of(word, new) + plural

    def _number(self, digits: str) -> str:
        """A number of as many digits, or the same one."""
        if self.words.rng.random() > self.share:
            return digits
        return str(self.words.rng.randint(10 ** (len(digits) - 1), 10 ** len(digits) - 1))


def _in_case_of(model: str, word: str) -> str:
    """``word`` written like ``model``: capitals, a first capital, or small."""
    if len(model) > 2 and model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
