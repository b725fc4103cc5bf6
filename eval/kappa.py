"""Agreement of two raters beyond chance."""

from collections.abc import Sequence
from typing import Literal


def cohens_kappa(
    a: Sequence[int], b: Sequence[int], categories: Sequence[int], weights: Literal["none", "quadratic"] = "none"
) -> float | None:
    """Cohen's kappa (Cohen, Educ. Psychol. Meas. 20, 1960; weighted: Psychol. Bull. 70, 1968).

    With o(i, j) the share of items that the first rater graded i and the second j, e(i, j) the product of the raters'
    shares, and the disagreement w(i, j) = 0 on the diagonal and 1 elsewhere (``none``) or
    ((i - j) / (last - first))^2 (``quadratic``, for grades with an order)::

        kappa = 1 - sum w o / sum w e

    Args:
        a, b: grades of the same items, in the same order.
        categories: all grades of the scale, ascending.
        weights: what a disagreement costs.

    Returns:
        1 for perfect agreement, 0 for that of chance; None where both gave all items the same grade: nothing could disagree.

    Raises:
        ValueError: no items, unequal lengths, or a grade outside the scale.
    """
    if not a or len(a) != len(b) or not {*a, *b} <= set(categories):
        raise ValueError(f"wanted equally many grades of {list(categories)}, found {len(a)} and {len(b)}")
    n, span = len(a), (categories[-1] - categories[0]) or 1

    def cost(i: int, j: int) -> float:
        return ((i - j) / span) ** 2 if weights == "quadratic" else float(i != j)

    observed = sum(cost(i, j) for i, j in zip(a, b, strict=True)) / n
    expected = sum(cost(i, j) * a.count(i) * b.count(j) for i in categories for j in categories) / n**2
    return 1 - observed / expected if expected else None
