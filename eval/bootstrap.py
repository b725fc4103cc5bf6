"""Paired bootstrap intervals (Efron & Tibshirani, 1993): the same questions, two systems, how sure is the difference?

A resample of n questions is a vector of counts: how often each question was drawn. The mean over a resample is then a
product of that vector with the scores, so one matrix product resamples every column of a table at once, and all columns
see the same draws. What is not a mean (BLEU, perplexity) is a function of sums over questions, and is resampled the same way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_BLOCK = 1_000_000
"""Draws made at once: 8 MB of indices, whatever the number of questions."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % percentile interval."""

    mean: float
    low: float
    high: float
    p: float | None = None
    """Two-sided p-value of "it is zero"; see ``p_value``."""

    @property
    def excludes_zero(self) -> bool:
        """True where the data speak against "no difference" at the 5 % level."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(values: Sequence[float], resamples: int, seed: int) -> Interval:
    """Mean of ``values`` with its interval; for a difference of two systems give the per-question differences.

    Raises:
        ValueError: no values.
    """
    import numpy as np

    if len(values) == 0:
        raise ValueError("wanted at least one value, found none")
    data = np.asarray(values, dtype=np.float64)[:, None]
    interval = bootstrap_columns(data, resamples, seed)[0]
    assert interval is not None
    return interval


def bootstrap_columns(values: "np.ndarray", resamples: int, seed: int) -> list[Interval | None]:
    """The mean of every column with its interval; None for a column without values.

    Args:
        values: (n, m) float64; NaN where a question has no value. A column's mean is that of its values in the resample.
        resamples: number of resamples.
        seed: decides the draws.
    """
    import numpy as np

    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    numbers = present.sum(axis=0)
    drawn = [_ratio(c @ filled, c @ present) for c in draw_counts(len(values), resamples, seed)]
    means = np.concatenate(drawn)  # (resamples, m)
    found: list[Interval | None] = []
    for column, number in enumerate(numbers):
        if not number:
            found.append(None)
            continue
        whole = float(values[present[:, column], column].mean())
        found.append(_interval(whole, means[:, column]))
    return found


def bootstrap_sums(
    statistics: "np.ndarray",
    value: Callable[["np.ndarray"], "np.ndarray"],
    resamples: int,
    seed: int,
) -> Interval:
    """``value`` of the column sums of ``statistics``, with its interval.

    Args:
        statistics: (n, k) float64, what each question adds to the sums.
        value: (..., k) sums -> (...) values; works on many resamples at once.
        resamples: number of resamples.
        seed: decides the draws; with the same n and seed they are those of ``bootstrap_columns``.

    Raises:
        ValueError: no questions.
    """
    import numpy as np

    if len(statistics) == 0:
        raise ValueError("wanted at least one question, found none")
    drawn = [value(counts @ statistics) for counts in draw_counts(len(statistics), resamples, seed)]
    return _interval(float(value(statistics.sum(axis=0))), np.concatenate(drawn))


def draw_counts(n: int, resamples: int, seed: int) -> Iterator["np.ndarray"]:
    """Blocks (b, n) float64 of how often each of ``n`` questions stands in a resample; ``resamples`` rows in all."""
    import numpy as np

    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // max(n, 1))
    for start in range(0, resamples, rows):
        number = min(rows, resamples - start)
        drawn = rng.integers(0, n, (number, n)) + n * np.arange(number)[:, None]
        yield np.bincount(drawn.ravel(), minlength=number * n).reshape(number, n).astype(np.float64)


def p_value(draws: "np.ndarray") -> float:
    """Two-sided: the smallest level at which the percentile interval of ``draws`` excludes zero.

    Twice the smaller of the shares of resamples at or below, and at or above, zero; one is added to each count (Davison &
    Hinkley, 1997), so it is never 0 and with R resamples at least 2 / (R + 1).
    """
    import numpy as np

    below, above = np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0)
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(draws) + 1)))


def _interval(estimate: float, draws: "np.ndarray") -> Interval:
    import numpy as np

    drawn = draws[~np.isnan(draws)]  # a resample may hold none of the few questions that have a value
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(estimate, float(low), float(high), p_value(drawn))


def _ratio(sums: "np.ndarray", numbers: "np.ndarray") -> "np.ndarray":
    import numpy as np

    with np.errstate(invalid="ignore"):
        return sums / numbers
