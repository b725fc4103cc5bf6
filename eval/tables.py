"""Scored rows -> ``metrics.json``: one table per index, the differences between systems, and what a random split adds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eval.cost import cost
from eval.effects import default_contrasts, effects
from eval.groups import FACTORS
from eval.rows import Cell
from eval.score import Tools, score_rows

EXPLAINED = {
    "open-book": "The index holds the answers of the whole corpus, those of the questions asked included (their questions are "
    "left out of the indexed text): it shows what people get who ask about what is in their corpus.",
    "held-out": "The index holds the answers of the train split only, and no topic is in two splits: the answer is not "
    "there, so refusing is right and a fluent answer is a warning sign.",
    "random-split": "The index holds what a random split would call train, for the same questions: what this table is better "
    "by than the held-out one is leakage, not ability.",
    "none": "These variants use no index.",
}
"""Each table in one sentence."""

Rows = Sequence[dict[str, Any]]


def make_tables(
    cells: Mapping[Cell, Rows], measured: Mapping[Cell, Mapping[str, Any]], tools: Tools, resamples: int, seed: int
) -> dict[str, Any]:
    """Scores every row (adding ``scores`` to it) and gathers the figures.

    ``indexes``: name -> ``explained``, ``systems`` (name -> figures with ``cost``; systems without an index are in every
    table) and ``effects`` (differences between systems, paired by question). ``leakage``: differences of the same system
    between ``random-split`` and ``held-out``; null with ``leakage_reason`` where the two were not run.
    """
    figures = {
        cell: {**score_rows(rows, resamples, seed, tools), "cost": cost(rows, measured[cell])}
        for cell, rows in cells.items()
    }
    names = list(dict.fromkeys(index for index, _ in cells if index != "none")) or ["none"]
    found: dict[str, Any] = {"indexes": {}}
    for name in names:
        inside = [cell for cell in cells if cell[0] in ("none", name)]
        rows_by_name = {cell[1]: cells[cell] for cell in inside}
        found["indexes"][name] = {
            "explained": EXPLAINED[name],
            "systems": {cell[1]: figures[cell] for cell in inside},
            "effects": _effects(rows_by_name, default_contrasts(list(rows_by_name)), resamples, seed),
        }
    return {**found, **_leakage(cells, resamples, seed)}


def _leakage(cells: Mapping[Cell, Rows], resamples: int, seed: int) -> dict[str, Any]:
    systems = [name for index, name in cells if index == "random-split" and ("held-out", name) in cells]
    if not systems:
        return {"leakage": None, "leakage_reason": "eval.indexes holds not both held-out and random-split"}
    contrast = {"random split - held out": {"random-split": 1, "held-out": -1}}
    return {
        "leakage": {
            name: _effects({i: cells[i, name] for i in ("random-split", "held-out")}, contrast, resamples, seed, ())
            for name in systems
        }
    }


def _effects(
    rows: Mapping[str, Rows],
    contrasts: Mapping[str, Mapping[str, float]],
    resamples: int,
    seed: int,
    groups: Sequence[str] = FACTORS,
) -> list[dict[str, Any]]:
    return [asdict(e) for e in effects(rows, contrasts, resamples, seed, groups=groups)]
