"""Risk and coverage: if a system answered only what it is surest of, how wrong would those answers be?"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The curve and its area."""

    coverage: tuple[float, ...]
    """(n,) share of all questions answered, rising; the last is what the system answers today."""
    risk: tuple[float, ...]
    """(n,) mean loss of the answers at that coverage, in the unit of the loss."""
    area: float
    """Mean of ``risk``: the area under the curve over the coverage reached."""
    best_area: float
    """The area if confidence put the answers in their true order; ``area - best_area`` is what ranking could still gain."""


def risk_coverage(confidence: Sequence[float], loss: Sequence[float], questions: int | None = None) -> RiskCoverage:
    """The curve of answers ordered by falling confidence (Geifman & El-Yaniv, NeurIPS 2017; excess area: ICLR 2019).

    Answers of equal confidence cannot be told apart: within such a group risk is that of a random order.

    Args:
        confidence: of each answer given; higher is surer.
        loss: of each answer, >= 0, e.g. 1 - token F1.
        questions: number asked, refusals included; without it all were answered.

    Raises:
        ValueError: no answers, or lists of different lengths.
    """
    if not confidence or len(confidence) != len(loss):
        raise ValueError(f"wanted as many losses as confidences, found {len(loss)} and {len(confidence)}")
    total = questions or len(confidence)
    risks = _risks(_in_groups(confidence, loss))
    best = _risks([[x] for x in sorted(loss)])
    coverage = tuple(k / total for k in range(1, len(risks) + 1))
    return RiskCoverage(coverage, tuple(risks), sum(risks) / len(risks), sum(best) / len(best))


def _in_groups(confidence: Sequence[float], loss: Sequence[float]) -> list[list[float]]:
    """Losses by falling confidence, those of equal confidence together."""
    groups: dict[float, list[float]] = {}
    for c, x in zip(confidence, loss, strict=True):
        groups.setdefault(c, []).append(x)
    return [groups[c] for c in sorted(groups, reverse=True)]


def _risks(groups: Sequence[Sequence[float]]) -> list[float]:
    risks: list[float] = []
    lost = 0.0
    for group in groups:
        mean = sum(group) / len(group)
        start = len(risks)
        risks += [(lost + mean * k) / (start + k) for k in range(1, len(group) + 1)]
        lost += sum(group)
    return risks
