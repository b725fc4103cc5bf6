"""The conversation of one browser session, and its export as JSON or Markdown."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from medqa import __version__
from medqa.records import Answer, Variant
from rag.output import answer_row, answer_text


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what became of it. Neither answer nor error: it was stopped."""

    question: str
    variant: Variant
    answer: Answer | None = None
    error: str = ""


def as_json(turns: Sequence[Turn]) -> str:
    """All turns, answers in the shape of ``PREDICTIONS.jsonl``'s lines, ids counted from 1."""
    rows = []
    for number, turn in enumerate(turns, start=1):
        if turn.answer is not None:
            rows.append(answer_row(str(number), turn.answer))
        else:
            rows.append(
                {
                    "id": str(number),
                    "question": turn.question,
                    "variant": turn.variant,
                    "answer": None,
                    "reason": turn.error or "stopped",
                }
            )
    return json.dumps({"medqa": __version__, "turns": rows}, ensure_ascii=False, indent=2) + "\n"


def as_markdown(turns: Sequence[Turn]) -> str:
    """All turns for people. Answers and passages stand in fenced blocks, so that nothing in them is read as Markdown."""
    parts = ["# Conversation\n", "Information, not medical advice.\n"]
    for number, turn in enumerate(turns, start=1):
        text = answer_text(turn.answer) if turn.answer is not None else f"({turn.error or 'stopped'})"
        parts.append(
            f"## Question {number}\n\n{_fenced(turn.question)}\n\nAnswer ({turn.variant}):\n\n{_fenced(text)}\n"
        )
    return "\n".join(parts)


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
