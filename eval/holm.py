"""Many comparisons at once: Holm's step-down correction."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given (Holm, Scandinavian Journal of Statistics 6, 1979).

    The smallest of m p-values is multiplied by m, the next by m - 1 and so on; none may be below the one before it, or above 1.
    Calling everything below 0.05 an effect then makes even one false claim in at most 5 % of tables, whatever hangs together.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    floor = 0.0
    for place, i in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = floor
    return adjusted
