"""The textbook prose: modules read, split into sentences and passages, and the words that are rare or common in it."""

import hashlib
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

HELD_OUT_PERCENT = 5
"""Share of the modules kept for the reading test, chosen by a hash of book and title."""

MIN_WORDS, MAX_WORDS = 20, 130
"""Length of a passage in words."""

_BOUNDARY = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!Dr\.)(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?<!St\.)\s+(?=[A-Z0-9“\"(])")
_SKIPPED_SECTIONS = re.compile(
    r"multiple choice|fill in the blank|matching|true/false|short answer|critical thinking|references|"
    r"chapter summary|key terms|about openstax|errata|customization|technology partners|special thanks|art attribution|"
    r"community hubs|format",
    re.IGNORECASE,
)
_EXERCISE = re.compile(r"_{3,}|\b[A-D]\)|https?:|doi\.org|Figure \d|Table \d|Retrieved from")


@dataclass(frozen=True, slots=True)
class Module:
    """A page of a book: titled sections of paragraphs, and a glossary."""

    book: str
    title: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    glossary: tuple[tuple[str, str], ...]

    @property
    def held_out(self) -> bool:
        """Whether the reading test owns this module. Depends on nothing but its name."""
        digest = hashlib.sha256(f"{self.book}\n{self.title}".encode()).digest()
        return digest[0] * 100 // 256 < HELD_OUT_PERCENT


@dataclass(slots=True)
class Chunk:
    """A passage of prose: sentences of one section."""

    section: str
    sentences: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The sentences, joined."""
        return " ".join(self.sentences)


def read_modules(path: Path) -> list[Module]:
    """All modules of the ``.jsonl.xz`` file, in its order; exercises, reference lists and front matter left out."""
    modules = []
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            sections = tuple(
                (title, tuple(" ".join(p.split()) for p in paragraphs))
                for title, paragraphs in record["sections"]
                if not _SKIPPED_SECTIONS.search(title)
            )
            glossary = tuple((t, " ".join(m.split())) for t, m in record["glossary"] if t and m)
            modules.append(Module(record["book"], record["title"], sections, glossary))
    return modules


def sentences(text: str) -> list[str]:
    """``text`` split at full stops, question and exclamation marks before a capital."""
    return [s for s in _BOUNDARY.split(text) if s]


def chunks(module: Module, target: int) -> list[Chunk]:
    """Passages of about ``target`` words; a sentence is never cut, a passage never leaves its section."""
    out = []
    for title, paragraphs in module.sections:
        current = Chunk(title)
        for sentence in (s for p in paragraphs if not _EXERCISE.search(p) for s in sentences(p)):
            n = len(sentence.split())
            if current.sentences and len(current.text.split()) + n > target:
                out.append(current)
                current = Chunk(title)
            if n <= MAX_WORDS and sentence[-1] in '.!?”")':
                current.sentences.append(sentence)
        if current.sentences:
            out.append(current)
    return [c for c in out if MIN_WORDS <= len(c.text.split()) <= MAX_WORDS]


def running_text(module: Module) -> str:
    """The module as plain reading matter."""
    return "\n".join(line for title, paragraphs in module.sections for line in (title, *paragraphs) if line)


_LOWER_WORD = re.compile(r"\b[a-z][a-z]{3,}\b")
_ANY_WORD = re.compile(r"[A-Za-z][A-Za-z]+(?:['’-][A-Za-z]+)*")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """How often words occur in the training prose."""

    counts: Counter[str]
    rare: tuple[str, ...]
    """Words of at least six letters seen two to six times: spelling material for made-up words."""
    common: tuple[str, ...]
    """Everyday words: relation words and noise."""

    def is_rare(self, word: str) -> bool:
        """Whether a disguise may replace ``word`` (lower case): it is no everyday word."""
        return len(word) > 3 and self.counts[word] < 400


def build_lexicon(modules: Iterable[Module]) -> Lexicon:
    """Counts over the running text of ``modules``; the lists are sorted, so that runs agree."""
    counts: Counter[str] = Counter()
    for module in modules:
        counts.update(w.lower() for w in _ANY_WORD.findall(running_text(module)))
    rare = sorted(w for w, n in counts.items() if 2 <= n <= 6 and len(w) > 5 and w.isascii() and w.isalpha())
    common = sorted(w for w, n in counts.items() if 60 <= n <= 2000 and _LOWER_WORD.fullmatch(w))
    return Lexicon(counts, tuple(rare), tuple(common))


def content_words(text: str, lexicon: Lexicon) -> list[str]:
    """The telling words of ``text``, rarest first, each once."""
    words = {w for w in _ANY_WORD.findall(text) if len(w) > 3 and lexicon.counts[w.lower()] < 1500}
    return sorted(words, key=lambda w: (lexicon.counts[w.lower()], w))


def training_modules(modules: Iterable[Module]) -> Iterator[Module]:
    """Those that the reading test does not own."""
    return (m for m in modules if not m.held_out)
