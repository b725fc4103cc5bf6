"""Two answers to one question, sentence by sentence: what went, what came, and what became of citations and refusals."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from eval.rows import shown_passages
from rag.citations import read_markers, write_markers

SHOWN_CHANGES = 5
"""Changed answers that a report prints; ``--json`` has them all."""


def diff_lines(before: str, after: str) -> list[str]:
    """Sentences with their markers, prefixed ``"- "`` (only in ``before``), ``"+ "`` (only in ``after``) or two spaces."""
    a, b = _sentences(before), _sentences(after)
    lines: list[str] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [f"  {s}" for s in a[i1:i2]]
        else:
            lines += [f"- {s}" for s in a[i1:i2]] + [f"+ {s}" for s in b[j1:j2]]
    return lines


def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """What differs between two rows of one question; None where answer, citations and refusal are the same.

    Citations are compared by passage and verdict, not by marker: a passage that moved up one place is the same citation.
    """
    a, b = _cited(before), _cited(after)
    same_text = before["answer"] == after["answer"]
    if same_text and a == b and before["abstained"] == after["abstained"]:
        return None
    return {
        "id": before["id"],
        "question": before["question"],
        "answer": not same_text,
        "citations": a != b,
        "refusal": {(False, True): "new", (True, False): "lifted"}.get(
            (bool(before["abstained"]), bool(after["abstained"]))
        ),
        "before": before["answer"],
        "after": after["answer"],
        "citations_lost": sorted(p for p, _ in a - b),
        "citations_new": sorted(p for p, _ in b - a),
        "passages_lost": _only(before, after),
        "passages_new": _only(after, before),
    }


def markdown_changes(changes: Sequence[Mapping[str, Any]], shown: int = SHOWN_CHANGES) -> list[str]:
    """The first ``shown`` changes as diff blocks, and how many more there are."""
    lines: list[str] = []
    for c in changes[:shown]:
        notes = [f"refusal {c['refusal']}"] if c["refusal"] else []
        notes += [f"citations gone: {', '.join(c['citations_lost'])}"] if c["citations_lost"] else []
        notes += [f"citations new: {', '.join(c['citations_new'])}"] if c["citations_new"] else []
        lines += ["", f"**{c['question']}** ({c['id']}{'; ' if notes else ''}{'; '.join(notes)})", ""]
        lines += ["~~~diff", *(line.replace("~~~", "~ ~ ~") for line in diff_lines(c["before"], c["after"])), "~~~"]
    if len(changes) > shown:
        lines += ["", f"And {len(changes) - shown} more; `--json` lists all."]
    return lines


def _cited(row: Mapping[str, Any]) -> set[tuple[str, bool]]:
    return {(c["passage_id"], bool(c["supported"])) for c in row["citations"]}


def _only(row: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    there = {p["passage_id"] for p in shown_passages(other)}
    return [p["passage_id"] for p in shown_passages(row) if p["passage_id"] not in there]


def _sentences(text: str) -> list[str]:
    return [write_markers([cited]) for cited in read_markers(text)]
