"""The row of an evaluation: one question answered by one system over one index. What scoring, comparison and reports read.

A row of ``predictions.jsonl`` holds the keys of ``rag.output.answer_row`` and

- ``index``: ``open-book``, ``held-out``, ``random-split``, or ``none`` for systems without one;
- ``name``: the system's name, which is ``variant`` (one of the five) unless the config defines a further system;
- ``reference``: the reference answer, white space folded;
- ``question_type``, ``topic``, ``source``: of the pair asked; ``topic_rows``: pairs of the corpus with its topic;
- ``retrieved``: pair ids found, best first, each once, up to ``DEPTH``; null for systems without an index;
- ``relevant``: pair ids that hold the reference answer and are in the index (empty where it holds none); null as above;
- ``evidence``: cosine of the question and the closest passage; null as above;
- ``error``: why answering failed, such a row having an empty answer; null where it did not;
- ``scores``: metric -> number or null, added by scoring.

Systems are told apart by ``(index, name)``: a *cell* of the tables.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medqa.records import Answer, QAPair
from rag.output import answer_row

DEPTH = 10
"""Pairs kept of every ranking: the usual depth of nDCG and recall."""

Cell = tuple[str, str]
"""Index and name of the system."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what a row says about it, whoever answers."""

    pair: QAPair
    reference: str
    topic_rows: int
    same_answer: tuple[str, ...]
    """Ids of all pairs of the corpus with this answer, the pair itself included."""


def ask_about(pairs: Sequence[QAPair], corpus: Sequence[QAPair]) -> list[Asked]:
    """``pairs`` with what the whole ``corpus`` says about them."""
    topics = Counter(p.topic for p in corpus if p.topic)
    wanted = {folded(p.answer) for p in pairs}
    same: dict[str, list[str]] = {}
    for p in corpus:
        if (text := folded(p.answer)) in wanted:
            same.setdefault(text, []).append(p.id)
    return [
        Asked(p, " ".join(p.answer.split()), topics[p.topic], tuple(sorted({p.id, *same.get(folded(p.answer), ())})))
        for p in pairs
    ]


def make_row(
    index: str,
    name: str,
    asked: Asked,
    answer: Answer,
    retrieved: Sequence[str] | None,
    relevant: Sequence[str] | None,
) -> dict[str, Any]:
    """One row, without its scores."""
    return {
        **answer_row(asked.pair.id, answer),
        "index": index,
        "name": name,
        "reference": asked.reference,
        "question_type": asked.pair.question_type,
        "topic": asked.pair.topic,
        "source": asked.pair.source,
        "topic_rows": asked.topic_rows,
        "evidence": answer.evidence,
        "retrieved": None if retrieved is None else list(retrieved),
        "relevant": None if relevant is None else list(relevant),
        "error": answer.reason if not answer.text and not answer.abstained and answer.reason else None,
    }


def by_cell(rows: Sequence[dict[str, Any]]) -> dict[Cell, list[dict[str, Any]]]:
    """Rows of each cell, in the order of ``rows``."""
    cells: dict[Cell, list[dict[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["index"], row["name"]), []).append(row)
    return cells


def shown_passages(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The passages that the prompt of ``row`` held, in order: a marker is a passage's place, the uncited ones fill the gaps."""
    cited = {c["marker"]: c for c in row["citations"]}
    uncited = iter(row["uncited"])
    total = len(cited) + len(row["uncited"])
    return [cited[place] if place in cited else next(uncited) for place in range(1, total + 1)]


def folded(text: str) -> str:
    """``text`` as answers are compared: white space and case folded."""
    return " ".join(text.split()).casefold()
