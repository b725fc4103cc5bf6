"""An answer as the command line gives it: one JSON object, or text for people."""

from typing import Any

from medqa.records import Answer


def answer_row(query_id: str, answer: Answer) -> dict[str, Any]:
    """One line of ``PREDICTIONS.jsonl`` (the command-line contract's keys, then ours)."""
    return {
        "id": query_id,
        "question": answer.question,
        "variant": answer.variant,
        "answer": answer.text,
        "citations": [
            {
                "marker": c.marker,
                "pair_id": c.passage.pair_id,
                "passage_id": c.passage.id,
                "title": c.passage.title,
                "text": c.passage.text,
                "supported": c.supported,
                "sentence": c.sentence,
                "span": list(c.span) if c.span else None,
                "why": c.why,
            }
            for c in answer.citations
        ],
        "abstained": answer.abstained,
        "safety": {"action": answer.safety.action, "rules": list(answer.safety.rules)},
        "timings_ms": answer.timings_ms,
        "tokens": {"prompt": answer.prompt_tokens, "new": answer.new_tokens, "truncated": answer.truncated},
        "reason": answer.reason,
        "unsupported": list(answer.unsupported),
        "invented_markers": answer.invented_markers,
        "uncited": [
            {
                "pair_id": h.passage.pair_id,
                "passage_id": h.passage.id,
                "title": h.passage.title,
                "text": h.passage.text,
                "score": h.score,
            }
            for h in answer.uncited
        ],
    }


def answer_text(answer: Answer) -> str:
    """The answer, its sources and its warnings as plain text for a terminal."""
    lines = []
    if answer.safety.action == "warn":
        lines += [f"! {answer.safety.message}", ""]
    lines += [answer.text]
    if answer.abstained and answer.reason:
        lines += [f"  ({answer.reason})"]
    if answer.variant in ("plain", "tuned") and not answer.abstained:
        lines += ["", "! Written without sources: nothing backs this text."]
    for sentence in answer.unsupported:
        lines += [f"! not borne out by its source: {sentence}"]
    shown: set[int] = set()
    for c in answer.citations:
        if c.marker not in shown:
            shown.add(c.marker)
            title = f"{c.passage.title}: " if c.passage.title else ""
            where = f" ({c.passage.url or c.passage.source})" if c.passage.url or c.passage.source else ""
            lines += ["", f"[{c.marker}] {title}{c.passage.text}{where}"]
    return "\n".join(lines)
