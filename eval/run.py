"""One evaluation: every system over identical questions, prompts and budgets, cell by cell, resumable."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from eval.cost import measure_peak
from eval.lm import reference_losses
from eval.pipelines import Patient, Pipelines
from eval.rows import Asked, Cell, make_row
from eval.systems import System
from medqa.errors import MedqaError
from medqa.files import read_json, write_atomically, write_json
from medqa.manifest import read_manifest
from medqa.queries import Query
from medqa.records import Answer
from rag.predict import predict

KIND = "evaluation"
MAKE = "medqa eval run --config configs/X.yaml"
_SORTED_OVER = 4
"""Batches handed over at once: within them prompts of like length share a batch. More would make an interruption cost more."""


def answer_cells(
    cells: Sequence[tuple[str, System]],
    asked: Sequence[Asked],
    pipelines: Pipelines,
    work: Path,
    keys: Mapping[Cell, str],
    *,
    language: bool,
) -> tuple[list[dict[str, Any]], dict[Cell, dict[str, Any]]]:
    """Rows of all cells in the order of ``cells`` and ``asked``, without scores, and what was measured per cell.

    A cell's rows lie in ``work`` under its key, which stands for everything that decides them: cells that are there are not
    answered again (scoring may change as often as it likes), and a cell that was cut off goes on.
    """
    rows: list[dict[str, Any]] = []
    measured: dict[Cell, dict[str, Any]] = {}
    for index, system in cells:
        cell = (index, system.name)
        file = work / f"{index}.{system.name}.{keys[cell][:16]}.jsonl"
        facts = file.with_suffix(".json")
        if not (file.exists() and facts.exists()):
            write_json(facts, _answer_cell(index, system, asked, pipelines, file, keys[cell]))
        answered = read_rows(file)
        if language:
            losses = _kept(file.with_suffix(".lm"), partial(_losses, index, system, asked, pipelines))
            answered = [{**row, "lm": losses.get(row["id"])} for row in answered]
        rows += answered
        measured[cell] = read_json(facts)
    return rows, measured


def _kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``make`` made, now or in an earlier start."""
    if not file.exists():
        write_json(file, make())
    found: dict[str, Any] = read_json(file)
    return found


def prune(work: Path, keys: Mapping[Cell, str]) -> None:
    """Delete the answers in ``work`` of cells that ``keys`` does not name: other settings, older models, cut-off starts."""
    wanted = {f"{index}.{name}.{key[:16]}" for (index, name), key in keys.items()}
    for file in work.iterdir():
        if file.name.rsplit(".", 1)[0] not in wanted:
            file.unlink()


def write_run(
    folder: Path, rows: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any], report: str, page: str
) -> None:
    """All files of a run but its manifest, which is the caller's last act."""
    write_rows(folder / "predictions.jsonl", rows)
    write_json(folder / "metrics.json", metrics)
    write_atomically(folder / "report.md", report)
    write_atomically(folder / "report.html", page)


def read_run(folder: Path) -> list[dict[str, Any]]:
    """The rows of a finished run.

    Raises:
        MedqaError: no finished run there, or one of an older version.
    """
    read_manifest(folder, KIND, MAKE)
    rows = read_rows(folder / "predictions.jsonl")
    if not rows or not {"name", "scores", "tokens"} <= rows[0].keys():
        raise MedqaError(
            f"wanted a run of this version in {folder}, found an older one's rows; make it again with: {MAKE}"
        )
    return rows


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    with file.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """``rows`` as JSONL, all or nothing."""
    write_atomically(file, _lines(rows))


def _lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _answer_cell(
    index: str, system: System, asked: Sequence[Asked], pipelines: Pipelines, file: Path, key: str
) -> dict[str, Any]:
    import torch

    pipeline = Patient(pipelines.pipeline(index, system))
    by_id = {a.pair.id: a for a in asked}
    found: dict[str, list[str]] = {}
    held: set[str] = set()
    if index != "none":
        found = dict(zip(by_id, pipelines.retrieved(index, system), strict=True))
        held = pipelines.held(index)

    def describe(question_id: str, answer: Answer) -> dict[str, Any]:
        about = by_id[question_id]
        relevant = None if index == "none" else [i for i in about.same_answer if i in held]
        return make_row(index, system.name, about, answer, found.get(question_id), relevant)

    queries = [Query(a.pair.id, a.pair.question) for a in asked]
    with measure_peak() as peak:
        done = predict(
            pipeline,
            queries,
            system.variant,
            file,
            batch_size=_SORTED_OVER * system.settings.generator.batch_size,
            key=key,
            describe=describe,
        )
    return {
        "load_seconds": pipelines.load_seconds(index, system),
        "process_mb": peak.process_mb,
        "gpu_mb": peak.gpu_mb,
        "measured_over": done["questions"] - done["resumed"],
        "threads": torch.get_num_threads(),
    }


def _losses(index: str, system: System, asked: Sequence[Asked], pipelines: Pipelines) -> dict[str, Any]:
    """Question id -> loss of its reference given the prompt; empty where the system has no language model."""
    pipeline = pipelines.pipeline(index, system)
    if pipeline.model is None:
        return {}
    questions = [a.pair.question for a in asked]
    hits: Sequence[Any] = [None] * len(asked)
    if pipeline.searcher is not None:
        hits = pipeline.searcher.search(questions, pipeline.passages)
    local = pipeline.model.variant(tuned=system.variant.startswith("tuned"))
    references = [a.reference for a in asked]
    found = reference_losses(local, questions, hits, references, system.settings.generator.batch_size)
    return {a.pair.id: asdict(loss) for a, loss in zip(asked, found, strict=True)}
