"""What a change is worth: contrasts of systems over the same questions, paired by question, with intervals.

A contrast is a weighted sum of systems, e.g. ``{"tuned": 1, "plain": -1}``; the interaction says whether tuning helps more, or
less, where there are sources. Its interval is that of the per-question sums (``eval.bootstrap``), so what makes a question
hard for every system cancels.

**Multiple comparisons.** ``p`` belongs to its own line. ``p_holm`` is corrected (Holm, 1979) over a family: all
contrasts of one measure over all questions; and, within a factor, all classes of one contrast and measure. It is not
corrected across measures: decide beforehand which one counts, and read the others as description. Intervals are never
corrected.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from eval.bootstrap import Interval, bootstrap_columns, bootstrap_sums
from eval.groups import level_of
from eval.holm import holm
from eval.measures import MEASURES, PER_ANSWER
from eval.set_measures import SetMeasure, set_measures
from medqa.errors import MedqaError

if TYPE_CHECKING:
    import numpy as np

Contrast = Mapping[str, float]
"""System -> weight."""

INTERACTION: Contrast = {"tuned+rag": 1, "plain+rag": -1, "tuned": -1, "plain": 1}
"""(tuned+rag - plain+rag) - (tuned - plain): above 0, tuning helps to use sources; below, it hurts."""

GROUPED = ("rougeL", "token_f1", "similarity", "supported", "refused", "refusal_right", "numbers", "contradiction")
"""Measures that are also split by factor; all of them would be thousands of lines."""
FEWEST = 10
"""Questions without which a class gets no interval: the percentile bootstrap is far too narrow on a handful."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One contrast in one measure, over all questions or one class of them."""

    contrast: str
    metric: str
    factor: str
    """Empty over all questions."""
    level: str
    n: int
    """Questions with a value in every system of the contrast."""
    left_out: int
    """Questions without; for measures of sources these are mostly refusals, which two systems need not share."""
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    better: int
    """+1 where more is better, -1 where less is, 0 where neither."""
    reason: str
    """Why there are no figures; empty where there are."""

    @property
    def regression(self) -> bool:
        """The whole interval lies on the worse side of zero."""
        return (self.better > 0 and self.high is not None and self.high < 0) or (
            self.better < 0 and self.low is not None and self.low > 0
        )


def default_contrasts(names: Sequence[str]) -> dict[str, Contrast]:
    """The questions one asks of the variants among ``names``; a further system is set against tuned+rag."""
    base = ("plain", "tuned", "plain+rag", "tuned+rag", "extractive")
    pairs = [
        ("tuned", "plain"),
        ("plain+rag", "plain"),
        ("tuned+rag", "plain"),
        ("tuned+rag", "tuned"),
        ("tuned+rag", "plain+rag"),
        ("tuned+rag", "extractive"),
        *((name, "tuned+rag") for name in names if name not in base),
    ]
    found: dict[str, Contrast] = {f"{a} - {b}": {a: 1, b: -1} for a, b in pairs if a in names and b in names}
    return {**found, "interaction": INTERACTION} if INTERACTION.keys() <= set(names) else found


def effects(
    rows_by_name: Mapping[str, Sequence[Mapping[str, Any]]],
    contrasts: Mapping[str, Contrast],
    resamples: int,
    seed: int,
    groups: Sequence[str] = (),
    grouped: Sequence[str] = GROUPED,
) -> list[Effect]:
    """Every contrast in every measure over all questions, then per class of each factor of ``groups``.

    Args:
        rows_by_name: system -> its scored rows (``eval.score``), all of the same questions in any order.
        contrasts: name -> weights.
        resamples: resamples behind every interval.
        seed: decides them.
        groups: factors of ``eval.groups``.
        grouped: measures that are split by factor.

    Raises:
        MedqaError: systems asked different questions, or a contrast of a system that is not there.
    """
    aligned = _aligned(rows_by_name, contrasts)
    sets = {name: set_measures(rows) for name, rows in aligned.items()}
    found = [
        *_per_answer(aligned, contrasts, PER_ANSWER, resamples, seed),
        *_per_set(sets, contrasts, resamples, seed),
    ]
    order = {name: i for i, name in enumerate(MEASURES)}
    everything = _corrected(sorted(found, key=lambda e: order[e.metric]), lambda e: (e.metric,))
    for factor in groups:
        split: list[Effect] = []
        for level, part in _levels(aligned, factor):
            split += [
                replace(e, factor=factor, level=level) for e in _per_answer(part, contrasts, grouped, resamples, seed)
            ]
        everything += _corrected(split, lambda e: (e.contrast, e.metric))
    return everything


def _aligned(
    rows_by_name: Mapping[str, Sequence[Mapping[str, Any]]], contrasts: Mapping[str, Contrast]
) -> dict[str, list[Mapping[str, Any]]]:
    """The systems that the contrasts name, rows by id."""
    wanted = sorted({name for contrast in contrasts.values() for name in contrast})
    missing = [name for name in wanted if name not in rows_by_name]
    if missing:
        raise MedqaError(f"wanted rows of {', '.join(missing)} for a contrast, found {', '.join(sorted(rows_by_name))}")
    aligned = {name: sorted(rows_by_name[name], key=lambda row: row["id"]) for name in wanted}
    for name, rows in aligned.items():
        if [row["id"] for row in rows] != [row["id"] for row in aligned[wanted[0]]]:
            raise MedqaError(
                f"wanted the same questions of {wanted[0]} and {name}, found {len(aligned[wanted[0]])} and {len(rows)} that "
                "differ; run both with the same corpus, eval.split, eval.questions and seed"
            )
    return aligned


def _levels(
    aligned: Mapping[str, Sequence[Mapping[str, Any]]], factor: str
) -> Iterator[tuple[str, dict[str, list[Mapping[str, Any]]]]]:
    """Classes of the factor, the largest first, with their rows."""
    first = next(iter(aligned.values()), [])
    places: dict[str, list[int]] = {}
    for i, row in enumerate(first):
        places.setdefault(level_of(row, factor), []).append(i)
    for level in sorted(places, key=lambda name: (-len(places[name]), name)):
        yield level, {name: [rows[i] for i in places[level]] for name, rows in aligned.items()}


def _per_answer(
    aligned: Mapping[str, Sequence[Mapping[str, Any]]],
    contrasts: Mapping[str, Contrast],
    names: Sequence[str],
    resamples: int,
    seed: int,
) -> list[Effect]:
    import numpy as np

    tables = {name: _table(rows, names) for name, rows in aligned.items()}  # each (n, measures)
    found = []
    for title, contrast in contrasts.items():
        sums = sum((weight * tables[name] for name, weight in contrast.items()), start=np.zeros(1))
        enough = (~np.isnan(sums)).sum(axis=0) >= FEWEST
        intervals = bootstrap_columns(np.where(enough, sums, np.nan), resamples, seed)
        for column, name in enumerate(names):
            n = int((~np.isnan(sums[:, column])).sum())
            why = f"only {n} questions, {FEWEST} are needed" if n else "no question has a value in every system"
            found.append(_effect(title, name, n, len(sums) - n, intervals[column], why))
    return found


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> "np.ndarray":
    import numpy as np

    return np.array([[row["scores"].get(name) for name in names] for row in rows], dtype=np.float64)  # None -> NaN


def _per_set(
    sets: Mapping[str, tuple[dict[str, SetMeasure], dict[str, str]]],
    contrasts: Mapping[str, Contrast],
    resamples: int,
    seed: int,
) -> list[Effect]:
    """BLEU and its like: the contrast of functions of sums, resampled together."""
    found = []
    for title, contrast in contrasts.items():
        for name in (m for m in MEASURES if m not in PER_ANSWER):
            reason = next((sets[system][1][name] for system in contrast if name in sets[system][1]), "")
            parts = [(weight, sets[system][0][name]) for system, weight in contrast.items() if not reason]
            n = 0 if reason else len(parts[0][1].statistics)
            why = reason or f"only {n} questions, {FEWEST} are needed"
            interval = _contrast_of_sums(parts, resamples, seed) if n >= FEWEST else None
            found.append(_effect(title, name, n, 0, interval, why))
    return found


def _contrast_of_sums(parts: Sequence[tuple[float, SetMeasure]], resamples: int, seed: int) -> Interval:
    import numpy as np

    widths = np.cumsum([0, *(m.statistics.shape[1] for _, m in parts)])

    def value(sums: "np.ndarray") -> "np.ndarray":
        pieces = [sums[..., a:b] for a, b in pairwise(widths)]
        return np.sum([w * m.value(p) for (w, m), p in zip(parts, pieces, strict=True)], axis=0)

    return bootstrap_sums(np.concatenate([m.statistics for _, m in parts], axis=1), value, resamples, seed)


def _effect(title: str, name: str, n: int, left_out: int, interval: Interval | None, why: str) -> Effect:
    better = MEASURES[name].better
    if interval is None:
        return Effect(title, name, "", "", n, left_out, None, None, None, None, None, better, why)
    return Effect(
        title, name, "", "", n, left_out, interval.mean, interval.low, interval.high, interval.p, None, better, ""
    )


def _corrected(found: Sequence[Effect], family: Callable[[Effect], tuple[str, ...]]) -> list[Effect]:
    """``p_holm`` filled in, over the effects of the same family that have a p."""
    adjusted = list(found)
    families: dict[tuple[str, ...], list[int]] = {}
    for i, e in enumerate(found):
        if e.p is not None:
            families.setdefault(family(e), []).append(i)
    for places in families.values():
        values = [p for i in places if (p := found[i].p) is not None]
        for i, p in zip(places, holm(values), strict=True):
            adjusted[i] = replace(found[i], p_holm=p)
    return adjusted
