"""Two runs side by side: the same questions, paired differences with intervals, and which answers changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.bootstrap import bootstrap_mean
from eval.score import SCORES
from medqa.errors import MedqaError

Cell = tuple[str, str]
"""Index and variant."""


def by_cell(rows: Sequence[Mapping[str, Any]]) -> dict[Cell, dict[str, Mapping[str, Any]]]:
    """Rows as (index, variant) -> question id -> row."""
    cells: dict[Cell, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["index"], row["variant"]), {})[row["id"]] = row
    return cells


def compare_rows(
    rows_a: Sequence[Mapping[str, Any]], rows_b: Sequence[Mapping[str, Any]], resamples: int, seed: int
) -> list[dict[str, Any]]:
    """One entry per cell that both runs have: B minus A per score, with its interval, and the answers that changed.

    A score is compared over the questions for which both runs have one; ``n`` says how many. ``regression`` marks a score
    whose whole interval lies below zero.

    Raises:
        MedqaError: the runs asked different questions, or share no cell.
    """
    a, b = by_cell(rows_a), by_cell(rows_b)
    shared = [cell for cell in a if cell in b]
    if not shared:
        raise MedqaError(f"wanted runs with a variant and index in common, found {sorted(a)} and {sorted(b)}")
    return [_compare_cell(cell, a[cell], b[cell], resamples, seed) for cell in shared]


def _compare_cell(
    cell: Cell, a: Mapping[str, Mapping[str, Any]], b: Mapping[str, Mapping[str, Any]], resamples: int, seed: int
) -> dict[str, Any]:
    if a.keys() != b.keys():
        only_a, only_b = len(a.keys() - b.keys()), len(b.keys() - a.keys())
        raise MedqaError(
            f"wanted the same questions in both runs, found {only_a} only in the first and {only_b} only in the second "
            f"({' '.join(cell)}); run both with the same corpus, eval.split, eval.questions and seed"
        )
    ids = sorted(a)
    differences = {name: _difference(name, [(a[i], b[i]) for i in ids], resamples, seed) for name in SCORES}
    return {
        "index": cell[0],
        "variant": cell[1],
        "questions": len(ids),
        "differences": differences,
        "changed_answers": [i for i in ids if a[i]["answer"] != b[i]["answer"]],
        "new_refusals": [i for i in ids if b[i]["abstained"] and not a[i]["abstained"]],
        "lifted_refusals": [i for i in ids if a[i]["abstained"] and not b[i]["abstained"]],
        "regressions": [name for name, d in differences.items() if d["regression"]],
    }


def _difference(
    name: str, rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], resamples: int, seed: int
) -> dict[str, Any]:
    both = [(a["scores"][name], b["scores"][name]) for a, b in rows]
    values = [y - x for x, y in both if x is not None and y is not None]
    if not values:
        return {"n": 0, "mean": None, "low": None, "high": None, "regression": False, "reason": "no question has both"}
    interval = bootstrap_mean(values, resamples, seed)
    return {
        "n": len(values),
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "excludes_zero": interval.excludes_zero,
        "regression": interval.high < 0,
    }


def markdown_comparison(a: Path, b: Path, cells: Sequence[Mapping[str, Any]]) -> str:
    """The comparison as Markdown; differences are B minus A, in points of 100."""
    lines = [
        f"# {b} against {a}",
        "",
        "Differences in points of 100 with 95 % paired bootstrap intervals; `*` excludes zero.",
        "",
    ]
    lines += ["| index | variant | " + " | ".join(SCORES) + " | answers changed | new refusals | lifted refusals |"]
    lines += ["|---" * (len(SCORES) + 5) + "|"]
    for cell in cells:
        scores = [_cell_text(cell["differences"][name]) for name in SCORES]
        counts = [str(len(cell[name])) for name in ("changed_answers", "new_refusals", "lifted_refusals")]
        lines.append("| " + " | ".join([cell["index"], cell["variant"], *scores, *counts]) + " |")
    return "\n".join(lines) + "\n"


def _cell_text(d: Mapping[str, Any]) -> str:
    if d["mean"] is None:
        return "–"
    star = "*" if d["excludes_zero"] else ""
    return f"{100 * d['mean']:+.1f}{star} [{100 * d['low']:+.1f}, {100 * d['high']:+.1f}]"
