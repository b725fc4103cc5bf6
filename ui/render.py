"""Records as HTML for the page. Every text from a person, a model or the corpus is escaped here and nowhere else.

The page shows such text only through :func:`streamlit.html` (no Markdown is read there) or, where a widget insists on Markdown,
through :func:`label`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import urlsplit

from medqa.records import Answer, Citation, Hit, Passage, Span

LABEL_LENGTH = 90
"""Characters of a widget's label: one line at the page's width."""
NOT_BORNE_OUT = "No passage cited here bears this sentence out. Check it before you rely on it."
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_READ_AFTER_PARSING = re.compile(r"(:|@|www|WWW)")
_MARKERS = re.compile(r" (?:\[\d{1,3}\])+(?: |$)")
_WORD_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Source:
    """A cited passage and everything that the answer hangs on it."""

    marker: int
    passage: Passage
    citations: tuple[Citation, ...]

    @property
    def verdict(self) -> Literal["all", "some", "none"]:
        """How many of the sentences that cite the passage it bears out."""
        verdicts = {c.supported for c in self.citations}
        return "some" if len(verdicts) == 2 else "all" if True in verdicts else "none"


def sources(answer: Answer) -> list[Source]:
    """The cited passages of ``answer``, by marker."""
    markers = sorted({c.marker for c in answer.citations})
    grouped = [(m, tuple(c for c in answer.citations if c.marker == m)) for m in markers]
    return [Source(m, citations[0].passage, citations) for m, citations in grouped]


def judged_sentences(answer: Answer) -> list[tuple[str, tuple[Citation, ...]]]:
    """The sentences of the answer's text as they were judged, each with its citations (none: it has no marker).

    Cutting the text anew could cut it elsewhere (a removed marker no longer parts two fragments), and a verdict would be lost.
    The text is known: cited sentences, in the order of ``citations``, and between them those without a marker, which all
    stand in ``unsupported``. What does not fit this is returned whole, without a citation.
    """
    judged: list[tuple[str, tuple[Citation, ...]]] = []
    text, position, cited = answer.text, 0, 0
    doubtful = iter(answer.unsupported)
    while position < len(text):
        sentence = answer.citations[cited].sentence if cited < len(answer.citations) else ""
        markers = (
            _MARKERS.match(text, position + len(sentence)) if sentence and text.startswith(sentence, position) else None
        )
        if markers:
            here = answer.citations[cited : cited + markers.group().count("[")]
            cited += len(here)
            if not any(c.supported for c in here):
                next(doubtful, "")
            judged.append((sentence, here))
            position = markers.end()
            continue
        sentence = next(doubtful, "")
        if not sentence or not text.startswith(sentence, position):
            return [*judged, (text[position:], ())]
        judged.append((sentence, ()))
        position += len(sentence) + 1
    return judged


def answer_html(answer: Answer) -> str:
    """The answer's sentences with their markers; those that no cited passage bears out are marked as such.

    An answer without sources (the closed-book variants) is shown as it is: the page warns about all of it.
    """
    if answer.variant in ("plain", "tuned"):
        return f'<div class="mq-answer">{escape(answer.text)}</div>'
    parts = []
    for sentence, citations in judged_sentences(answer):
        supported = any(c.supported for c in citations)
        parts.append(_sentence_html(sentence, supported) + "".join(map(_marker_html, citations)))
    return f'<div class="mq-answer">{" ".join(parts)}</div>'


def draft_html(text: str) -> str:
    """A draft while it is written."""
    note = '<span class="mq-note">Draft: its citations have not been checked yet</span>'
    return (
        f'<div class="mq-answer mq-draft">{escape(text)}<span class="mq-cursor" aria-hidden="true">▍</span></div>{note}'
    )


def text_html(text: str) -> str:
    """Any text, inert."""
    return escape(text)


def question_html(question: str) -> str:
    """What the person asked."""
    return f'<div class="mq-question">{escape(question)}</div>'


def refusal_html(text: str, reason: str) -> str:
    """The state without an answer: calm, with its reason and what helps."""
    why = f'<p class="mq-reason">Why: {escape(reason)}.</p>' if reason else ""
    return (
        f'<div class="mq-refusal" role="status"><p class="mq-refusal-text">{escape(text)}</p>{why}'
        "<p>It would rather say so than guess. Naming the condition, or asking one thing at a time, often helps.</p></div>"
    )


def passage_html(passage: Passage, spans: Iterable[Span | None] = ()) -> str:
    """The passage's text with ``spans`` of it highlighted, then where it comes from."""
    return f'<blockquote class="mq-passage">{highlight(passage.text, spans)}</blockquote>{origin_html(passage)}'


def highlight(text: str, spans: Iterable[Span | None]) -> str:
    """``text`` escaped, with ``spans`` inside ``<mark>``, joined where only white space parts them and cut to the text."""
    parts = []
    position = 0
    for start, end in _merge(spans, text):
        parts.append(f"{escape(text[position:start])}<mark>{escape(text[start:end])}</mark>")
        position = end
    return "".join(parts) + escape(text[position:])


def verdicts_html(citations: Sequence[Citation]) -> str:
    """Each sentence that cites the passage, whether the passage bears it out, and why."""
    items = []
    for c in citations:
        kind, sign, word = ("yes", "✓", "Supported") if c.supported else ("no", "⚠", "Not borne out")
        items.append(
            f'<li class="mq-{kind}"><span class="mq-sign" aria-hidden="true">{sign}</span><span><strong>{word}</strong>: '
            f'“{escape(c.sentence)}” <span class="mq-why">({escape(c.why)})</span></span></li>'
        )
    return f'<ul class="mq-verdicts" aria-label="Sentences that cite this passage">{"".join(items)}</ul>'


def origin_html(passage: Passage) -> str:
    """Source and link of a passage. Only http(s) addresses become links: ``javascript:`` and the like stay text."""
    name = escape(passage.source or passage.url or "no source given")
    if _scheme(passage.url) in ("http", "https"):
        name = f'<a href="{escape(passage.url)}" target="_blank" rel="noopener noreferrer">{name}</a>'
    elif passage.url and passage.source:
        name += f" ({escape(passage.url)})"
    return f'<p class="mq-origin">Source: {name} · pair {escape(passage.pair_id)}</p>'


def uncited_html(hits: Sequence[Hit]) -> str:
    """Passages that were read and not cited, with the scores that brought them here."""
    return "".join(
        f'<section class="mq-uncited"><h4>{escape(h.passage.title or "Passage")}'
        f'<span class="mq-score">{_score(h)}</span></h4>{passage_html(h.passage)}</section>'
        for h in hits
    )


def facts_html(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values as a definition list."""
    rows = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return f'<dl class="mq-facts">{rows}</dl>'


def label(text: str, length: int | None = LABEL_LENGTH) -> str:
    """``text`` for a widget's label, which is read as Markdown: one line, at most ``length`` characters, inert.

    Punctuation is escaped with backslashes (no links, images, HTML, formulas). Streamlit looks for emoji codes, icons and
    bare addresses once more after parsing; an invisible word joiner breaks those up.
    """
    line = " ".join(text.split())
    short = line if length is None or len(line) <= length else line[: length - 1].rstrip() + "…"
    return _PUNCTUATION.sub(r"\\\1", _READ_AFTER_PARSING.sub(rf"\1{_WORD_JOINER}", short))


def _scheme(url: str) -> str:
    """The scheme of ``url`` in lower case; empty where there is none that can be read."""
    try:
        return urlsplit(url.strip()).scheme
    except ValueError:  # e.g. an unclosed [ of an IPv6 address
        return ""


def _sentence_html(sentence: str, supported: bool) -> str:
    if supported:
        return f"<span>{escape(sentence)}</span>"
    return (
        f'<span class="mq-unsupported" title="{NOT_BORNE_OUT}">{escape(sentence)}'
        '<span class="mq-flag" role="img" aria-label="Not borne out by its source">⚠</span></span>'
    )


def _marker_html(citation: Citation) -> str:
    kind = "yes" if citation.supported else "no"
    tip = f"{citation.passage.title or 'Source'} {citation.marker}: {citation.why}"
    # The word joiner keeps a marker on the line of its sentence's last word.
    return f'{_WORD_JOINER}<sup class="mq-marker mq-{kind}" title="{escape(tip)}">[{citation.marker}]</sup>'


def _merge(spans: Iterable[Span | None], text: str) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted((max(s[0], 0), min(s[1], len(text))) for s in spans if s):
        if start >= end:
            continue
        if merged and not text[merged[-1][1] : start].strip():
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _score(hit: Hit) -> str:
    parts = [f"score {hit.score:.2f}"]
    if hit.dense is not None:
        parts.append(f"meaning {hit.dense:.2f}" + (f" (rank {hit.dense_rank})" if hit.dense_rank else ""))
    if hit.lexical is not None:
        parts.append(f"words {hit.lexical:.1f}" + (f" (rank {hit.lexical_rank})" if hit.lexical_rank else ""))
    return " · ".join(parts)
