"""One answer with its reference and sources as HTML: what each cited source bears out is marked in it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eval.report import decimal
from eval.rows import shown_passages
from medqa.html import escaped
from rag.citations import read_markers, write_markers

Span = Sequence[int]


def case_html(row: Mapping[str, Any], score: str) -> str:
    """Question, answer, reference and all passages that the system was shown."""
    refused = f" Refused: {escaped(row['reason'])}." if row["abstained"] else ""
    failed = f" Failed: {escaped(row['error'])}." if row.get("error") else ""
    return (
        f'<article class="case">\n<h4><bdi>{escaped(row["question"])}</bdi></h4>\n'
        f"<p><small>{score} {decimal(row['scores'][score])} · {escaped(row['id'])}.{refused}{failed}</small></p>\n"
        f"<p><strong>Answer:</strong> {answer_html(row)}</p>\n"
        f"<p><strong>Reference:</strong> <bdi>{escaped(row['reference'])}</bdi></p>\n{_sources(row)}</article>"
    )


def answer_html(row: Mapping[str, Any]) -> str:
    """The answer; sentences that no cited source bears out are dotted."""
    if not row["answer"]:
        return "<em>(empty)</em>"
    doubtful = set(row["unsupported"])
    parts = []
    for cited in read_markers(row["answer"]):
        text = escaped(write_markers([cited]))
        parts.append(f'<span class="no" title="not borne out">{text}</span>' if cited.sentence in doubtful else text)
    return f"<bdi>{' '.join(parts)}</bdi>"


def highlighted(text: str, spans: Iterable[Span | None]) -> str:
    """``text`` escaped, with ``spans`` (half-open, in characters) inside ``<mark>``; overlapping ones are joined."""
    merged: list[list[int]] = []
    for start, end in sorted((max(s[0], 0), min(s[1], len(text))) for s in spans if s):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        elif start < end:
            merged.append([start, end])
    parts, position = [], 0
    for start, end in merged:
        parts.append(f"{_verbatim(text[position:start])}<mark>{_verbatim(text[start:end])}</mark>")
        position = end
    return "".join(parts) + _verbatim(text[position:])


def _sources(row: Mapping[str, Any]) -> str:
    parts = []
    for marker, passage in enumerate(shown_passages(row), start=1):
        citations = [c for c in row["citations"] if c["marker"] == marker]
        verdict = (
            "not cited"
            if not citations
            else "bears it out"
            if all(c["supported"] for c in citations)
            else "does not bear all of it out"
        )
        spans = [c["span"] for c in citations if c["supported"]]
        title = escaped(passage.get("title") or passage["pair_id"])
        parts.append(
            f"<details{' open' if citations else ''}><summary>[{marker}] {title}: {verdict}</summary>"
            f"<blockquote><bdi>{highlighted(passage['text'], spans)}</bdi></blockquote></details>\n"
        )
    return "".join(parts)


def _verbatim(text: str) -> str:
    """Escaped, the white space at the ends kept: ``escaped`` folds it, and words on both sides of a mark would run together."""
    inner = escaped(text)
    return (" " if text[:1].isspace() else "") + inner + (" " if inner and text[-1:].isspace() else "")
