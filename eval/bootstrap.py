"""Paired bootstrap intervals (Efron & Tibshirani, 1993): the same questions, two systems, how sure is the difference?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % percentile interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True where the data speak against "no difference" at the 5 % level."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(values: Sequence[float], resamples: int, seed: int) -> Interval:
    """Mean of ``values`` with its interval; for a difference of two systems give the per-question differences.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("wanted at least one value, found none")
    data = np.asarray(values, dtype=np.float64)  # (n,)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for n in range(resamples):  # a row at a time: (resamples, n) indices would be hundreds of MB on large sets
        means[n] = data[rng.integers(0, len(data), len(data))].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(data.mean()), float(low), float(high))
