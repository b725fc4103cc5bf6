"""Markers of an answer: read, checked against the passages they point to, removed where they point nowhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medqa.records import Citation, Passage
from rag.support import check_support
from retrieval.sentences import split_sentences

# One or more markers in a row, "[1]", "[1][2]", "[1, 2]", with a full stop that some models set behind them.
_GROUP = re.compile(r"\s*(\[\d{1,3}(?:\s*,\s*\d{1,3})*\](?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])*)([.!?]?)")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Cited:
    """One sentence of an answer and the markers behind it."""

    sentence: str
    markers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """An answer whose markers all point into the context, with a verdict on each."""

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[str, ...]
    """Sentences without a marker, or none of whose markers holds."""
    invented_markers: int


def read_markers(text: str) -> list[Cited]:
    """Sentences of ``text`` with their markers, in order.

    A marker belongs to the one sentence before it, whether it stands before or behind the full stop. Sentences earlier in
    the same run have none: a marker at the end of a paragraph does not vouch for all of it.
    """
    cited: list[Cited] = []
    start = 0
    for match in _GROUP.finditer(text):
        sentences = _sentences(text[start : match.start()] + match.group(2))
        markers = tuple(int(n) for n in _NUMBER.findall(match.group(1)))
        if sentences:
            cited += [Cited(s, ()) for s in sentences[:-1]]
            cited.append(Cited(sentences[-1], markers))
        elif cited:
            cited[-1] = Cited(cited[-1].sentence, cited[-1].markers + markers)
        start = match.end()
    cited += [Cited(s, ()) for s in _sentences(text[start:])]
    return cited


def write_markers(cited: Sequence[Cited]) -> str:
    """The inverse of :func:`read_markers`: ``Sentence. [1] Next one. [2][3]``."""
    return " ".join(c.sentence + (" " if c.markers else "") + "".join(f"[{m}]" for m in c.markers) for c in cited)


def verify(text: str, passages: Sequence[Passage], minimum: float) -> Verified:
    """Check every marker of ``text`` against ``passages`` (marker 1 is the first); see :func:`rag.support.check_support`.

    Markers outside the context are removed from the text and counted.
    """
    kept: list[Cited] = []
    citations: list[Citation] = []
    unsupported: list[str] = []
    invented = 0
    for c in read_markers(text):
        inside = tuple(dict.fromkeys(m for m in c.markers if 1 <= m <= len(passages)))
        invented += sum(not 1 <= m <= len(passages) for m in c.markers)
        kept.append(Cited(c.sentence, inside))
        here = [_citation(m, passages[m - 1], c.sentence, minimum) for m in inside]
        citations += here
        if not any(citation.supported for citation in here):
            unsupported.append(c.sentence)
    return Verified(write_markers(kept), tuple(citations), tuple(unsupported), invented)


def _citation(marker: int, passage: Passage, sentence: str, minimum: float) -> Citation:
    verdict = check_support(sentence, passage, minimum)
    return Citation(marker, passage, sentence, verdict.span, verdict.supported, verdict.why)


def _sentences(text: str) -> list[str]:
    parts = (text[s:e].strip() for s, e in split_sentences(text))
    return [p for p in parts if p]
