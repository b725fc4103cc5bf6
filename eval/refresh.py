"""After a data update: which questions are shown other passages than before, and what became of their answers.

Greedy answers depend on the passages shown and on the threshold that lets them through. Where both are the same in two
generations of an index, so is the answer: only the others are answered again, over both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval.answer_diff import change, markdown_changes
from medqa.queries import Query
from medqa.records import Hit
from rag.abstain import why_abstain
from rag.pipeline import Pipeline

KINDS = ("changed_answers", "changed_citations", "new_refusals", "lifted_refusals")
"""What is listed of the changes, by question id."""
Answerer = Callable[[str, Pipeline, Sequence[Query]], list[dict[str, Any]]]
"""(side, pipeline, queries) -> rows of ``answer_row``, in order."""


@dataclass(frozen=True)
class Generation:
    """One generation of an index, as a question sees it."""

    name: str
    search: Callable[[Sequence[str], int], list[list[Hit]]]
    threshold: float | None


@dataclass(frozen=True)
class Found:
    """Hits that were found before: a searcher that does not search again."""

    hits: Mapping[str, list[Hit]]

    def search(self, questions: Sequence[str], k: int) -> list[list[Hit]]:
        """The ``k`` best passages per question, best first."""
        return [self.hits[q][:k] for q in questions]


def refresh(
    before: Generation, after: Generation, queries: Sequence[Query], pipeline: Pipeline, answer: Answerer
) -> dict[str, Any]:
    """Answers again what can have changed, and lists what did.

    Args:
        before, after: the two generations.
        queries: what is asked; ids unique.
        pipeline: model, number of passages and citation checks; its searcher and threshold are replaced.
        answer: answers queries with a pipeline; called once per generation, with the same queries.
    """
    questions = list(dict.fromkeys(q.question for q in queries))
    sides = [(g, dict(zip(questions, g.search(questions, pipeline.passages), strict=True))) for g in (before, after)]
    seen = [{q: _seen(hits[q], g.threshold) for q in questions} for g, hits in sides]
    again = [q for q in queries if seen[0][q.question] != seen[1][q.question]]
    rows = [
        answer(g.name, replace(pipeline, searcher=Found(hits), threshold=g.threshold), again) if again else []
        for g, hits in sides
    ]
    changes = [c for a, b in zip(*rows, strict=True) if (c := change(a, b))]
    return {
        "before": before.name,
        "after": after.name,
        "questions": len(queries),
        "answered_again": [q.id for q in again],
        "changed_answers": [c["id"] for c in changes if c["answer"]],
        "changed_citations": [c["id"] for c in changes if c["citations"]],
        "new_refusals": [c["id"] for c in changes if c["refusal"] == "new"],
        "lifted_refusals": [c["id"] for c in changes if c["refusal"] == "lifted"],
        "changes": changes,
    }


def markdown_refresh(found: Mapping[str, Any]) -> str:
    """The outcome as Markdown."""
    again, asked = len(found["answered_again"]), found["questions"]
    lines = [
        f"# {found['after']} against {found['before']}",
        "",
        f"{again} of {asked} questions are shown other passages, or pass the evidence gate differently, and were answered "
        f"again; the other {asked - again} answers cannot have changed.",
        "",
        "| answers changed | citations changed | new refusals | lifted refusals |",
        "|---|---|---|---|",
        "| " + " | ".join(str(len(found[k])) for k in KINDS) + " |",
        *markdown_changes(found["changes"]),
    ]
    return "\n".join(lines) + "\n"


def _seen(hits: Sequence[Hit], threshold: float | None) -> tuple[bool, list[tuple[str, str, str]]]:
    """What decides an answer: whether the evidence suffices, and the passages in order."""
    shown = [(h.passage.id, h.passage.title, h.passage.text) for h in hits]
    return not why_abstain(hits, threshold), shown
