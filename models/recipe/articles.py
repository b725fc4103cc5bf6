"""Articles on conditions without a name, written for this project in the registers of health sites: passages by aspect.

A file under ``articles/`` holds ``### disease`` (drug, procedure), then sections ``== symptom`` of paragraphs, one a line and
each a passage; ``{X}`` stands for the name. They say things as people do who explain; the forms say one fact in one sentence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.recipe.prose import sentences

ARTICLES = Path(__file__).parent / "articles"
NAME = "{X}"
KINDS = ("disease", "drug", "procedure")
ASPECTS = (
    "definition", "cause", "gene", "inheritance", "frequency", "symptom", "diagnosis", "treatment", "outlook", "risk",
    "prevention", "complication", "research", "care", "spread", "onset", "types", "history",
)  # fmt: skip

_STAND_IN = "Xname"
"""What a sentence may begin with, as ``{X}`` does, in the eyes of the splitter."""


@dataclass(frozen=True, slots=True)
class Article:
    """An article of ``kind`` from the file family ``register``."""

    kind: str
    register: str
    passages: tuple[tuple[str, tuple[str, ...]], ...]
    """(aspect, sentences), in order; an aspect may have several passages."""

    def aspects(self) -> list[str]:
        """What it tells, each once."""
        return list(dict.fromkeys(aspect for aspect, _ in self.passages))

    def on(self, aspect: str) -> list[tuple[str, ...]]:
        """The passages on ``aspect``."""
        return [said for told, said in self.passages if told == aspect]


def read_articles(folder: Path = ARTICLES) -> list[Article]:
    """All articles, by file name.

    Raises:
        ValueError: a kind or an aspect that is not known, text outside a section, an article of one aspect alone.
    """
    return [a for path in sorted(folder.glob("*.txt")) for a in parse(path.stem.partition("_")[0], _lines(path))]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of every line that is not empty."""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if text.strip():
            yield f"{path.name}:{number}", " ".join(text.split())


def parse(register: str, lines: Iterable[tuple[str, str]]) -> list[Article]:
    """The articles in ``lines``, (place, text) each; errors as ``read_articles``."""
    found: list[Article] = []
    kind, aspect = "", ""
    passages: list[tuple[str, tuple[str, ...]]] = []
    for place, text in [*lines, ("the end", "### disease")]:
        if text.startswith("###"):
            if passages:
                found.append(_article(place, kind, register, passages))
            kind, aspect, passages = text[3:].strip(), "", []
            if kind not in KINDS:
                raise ValueError(f"{place}: wanted one of {', '.join(KINDS)} behind ###, found {kind!r}")
        elif text.startswith("=="):
            aspect = text[2:].strip()
            if aspect not in ASPECTS:
                raise ValueError(f"{place}: wanted one of {', '.join(ASPECTS)} behind ==, found {aspect!r}")
        elif not aspect:
            raise ValueError(f"{place}: wanted a section before text, found {text[:60]!r}")
        elif text.startswith("- "):
            raise ValueError(f"{place}: wanted a paragraph, found a list item {text[:60]!r}; lists stand in one line")
        else:
            said = sentences(text.replace(NAME, _STAND_IN))
            passages.append((aspect, tuple(s.replace(_STAND_IN, NAME) for s in said)))
    return found


def _article(place: str, kind: str, register: str, passages: list[tuple[str, tuple[str, ...]]]) -> Article:
    article = Article(kind, register, tuple(passages))
    if len(article.aspects()) < 2:
        raise ValueError(f"before {place}: wanted an article on two aspects or more, found {article.aspects()}")
    return article
