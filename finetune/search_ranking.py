"""What a search found, with how sure one can be: intervals over validation rows and over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.search_study import TrialRecord


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; ``low`` and ``high`` are None where there is none, and ``reason`` says why."""

    value: float
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial in its place."""

    rank: int
    record: TrialRecord
    loss: Interval | None
    """Over the validation rows; None unless the trial is complete."""
    against_recipe: Interval | None
    """Its loss minus that of the recipe's own settings on the same rows; None without either."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """One of the best, run with several seeds."""

    record: TrialRecord
    losses: tuple[float, ...]
    mean: Interval


def rank(records: Sequence[TrialRecord], recipe: TrialRecord | None, resamples: int, seed: int) -> list[Ranked]:
    """Complete trials by loss, then pruned ones by the last loss they reached, then failed ones."""
    order = {"complete": 0, "pruned": 1, "failed": 2}

    def place(record: TrialRecord) -> tuple[int, float, int]:
        loss = record.loss if record.loss is not None else record.last_loss
        return order[record.state], float("inf") if loss is None else loss, record.number

    base = recipe.rows if recipe is not None else ()
    ranked = []
    for number, record in enumerate(sorted(records, key=place), start=1):
        loss = bootstrap_loss(record.rows, resamples, seed) if record.rows else None
        paired = record.rows and base and record is not recipe
        ranked.append(
            Ranked(number, record, loss, bootstrap_difference(record.rows, base, resamples, seed) if paired else None)
        )
    return ranked


def bootstrap_loss(rows: Sequence[tuple[float, int]], resamples: int, seed: int) -> Interval:
    """Token-weighted mean loss of ``(summed loss, tokens)`` rows; percentile bootstrap over rows (Efron 1979)."""
    return _bootstrap([(loss, 0.0, n) for loss, n in rows], resamples, seed)


def bootstrap_difference(
    rows: Sequence[tuple[float, int]], base: Sequence[tuple[float, int]], resamples: int, seed: int
) -> Interval:
    """Mean loss of ``rows`` minus that of ``base``, the same rows under another model; both are resampled together."""
    return _bootstrap([(a, b, n) for (a, n), (b, _) in zip(rows, base, strict=True)], resamples, seed)


def finalists(ranked: Sequence[Ranked], repeats: Mapping[tuple[int, int], float], count: int) -> list[Finalist]:
    """The ``count`` best complete trials with all their runs, best mean first."""
    found = []
    for entry in [r for r in ranked if r.record.state == "complete"][:count]:
        assert entry.record.loss is not None  # complete
        again = [loss for (number, _), loss in sorted(repeats.items()) if number == entry.record.number]
        losses = (entry.record.loss, *again)
        found.append(Finalist(entry.record, losses, t_interval(losses)))
    return sorted(found, key=lambda f: f.mean.value)


def t_interval(values: Sequence[float]) -> Interval:
    """Mean with Student's 95 % interval; none of a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, None, None, "one run only")
    from scipy.stats import t

    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    half = float(t.ppf(0.975, len(values) - 1)) * (variance / len(values)) ** 0.5
    return Interval(mean, mean - half, mean + half)


def _bootstrap(rows: Sequence[tuple[float, float, int]], resamples: int, seed: int) -> Interval:
    import numpy as np

    table = np.array(rows)  # (rows, 3): loss, loss of the other, tokens
    drawn = np.random.default_rng(seed).integers(0, len(table), (resamples, len(table)))
    sums = table[drawn].sum(axis=1)  # (resamples, 3)
    means = (sums[:, 0] - sums[:, 1]) / sums[:, 2]
    low, high = np.quantile(means, [0.025, 0.975])
    left, right, tokens = table.sum(axis=0)
    return Interval(float((left - right) / tokens), float(low), float(high))
