"""One evaluation: every variant over identical questions, prompts and budgets, on a held-out and an open-book index."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.questions import references
from medqa.files import write_atomically, write_json
from medqa.queries import Query
from medqa.records import Answer, QAPair, Variant
from rag.output import answer_row
from rag.pipeline import Pipeline
from rag.predict import predict

WITHOUT_INDEX: tuple[Variant, ...] = ("plain", "tuned")


def plan(variants: Iterable[Variant], indexes: Iterable[str]) -> list[tuple[str, Variant]]:
    """(index, variant) of every cell; variants without sources are run once, under the index name ``none``."""
    chosen = list(variants)
    cells = [("none", v) for v in chosen if v in WITHOUT_INDEX]
    return cells + [(index, v) for index in indexes for v in chosen if v not in WITHOUT_INDEX]


def answer_cells(
    cells: Sequence[tuple[str, Variant]],
    pairs: Sequence[QAPair],
    pipelines: Callable[[str], Pipeline],
    work: Path,
    *,
    batch_size: int,
    key: str,
) -> list[dict[str, Any]]:
    """Rows of all cells, in the order of ``cells`` and ``pairs``. Finished cells in ``work`` are not answered again."""

    answers = references(pairs)
    types = {p.id: p.question_type for p in pairs}
    queries = [Query(p.id, p.question) for p in pairs]
    rows: list[dict[str, Any]] = []
    for index, variant in cells:

        def describe(query_id: str, answer: Answer, index: str = index) -> dict[str, Any]:
            extra = {"index": index, "reference": answers[query_id], "question_type": types[query_id]}
            return {**answer_row(query_id, answer), **extra}

        file = work / f"{index}.{variant}.jsonl"
        if not file.exists():
            predict(pipelines(index), queries, variant, file, batch_size=batch_size, key=key, describe=describe)
        rows += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return rows


def write_run(folder: Path, rows: Sequence[dict[str, Any]], metrics: dict[str, Any], report: str) -> None:
    """``predictions.jsonl``, ``metrics.json`` and ``report.md``; the manifest is the caller's last act."""

    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomically(folder / "predictions.jsonl", "".join(lines))
    write_json(folder / "metrics.json", metrics)
    write_atomically(folder / "report.md", report)
