"""Means of a score by groups of questions and by system: the numbers of a heat map."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eval.rows import Cell


def mean_by_group(
    cells: Mapping[Cell, Sequence[Mapping[str, Any]]], group: str, score: str, fewest: int
) -> tuple[list[tuple[str, int]], list[list[float | None]]]:
    """Groups with their number of questions, the largest first, and the mean of ``score`` per group and cell.

    A mean over fewer than ``fewest`` scores is None. The groups are those of the first cell: all cells ask the same questions.
    """
    first = next(iter(cells.values()))
    groups = sorted(Counter(str(r[group]) for r in first).items(), key=lambda g: (-g[1], g[0]))
    return groups, [[_mean(rows, group, name, score, fewest) for rows in cells.values()] for name, _ in groups]


def _mean(rows: Sequence[Mapping[str, Any]], group: str, name: str, score: str, fewest: int) -> float | None:
    values = [v for r in rows if str(r[group]) == name and (v := r["scores"].get(score)) is not None]
    return sum(values) / len(values) if len(values) >= max(1, fewest) else None
