"""Two arms, one ranking: dense and lexical candidates fused by min-max normalised scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Fused:
    """Candidates of one question, best first; all arrays (n,) and aligned."""

    rows: "np.ndarray"
    scores: "np.ndarray"
    """In [0, 1]."""
    dense: "np.ndarray"
    lexical: "np.ndarray"


def fuse(rows: "np.ndarray", dense: "np.ndarray", lexical: "np.ndarray", lexical_weight: float) -> Fused:
    """Order ``rows`` by ``(1 - w) * minmax(dense) + w * minmax(lexical)``; equal scores by row.

    Both scores are known for every candidate, also for one that only the other arm proposed. An arm whose scores are all
    equal says nothing and counts 0.
    """
    import numpy as np

    score = (1 - lexical_weight) * _min_max(dense) + lexical_weight * _min_max(lexical)
    order = np.lexsort((rows, -score))
    return Fused(rows[order], score[order], dense[order], lexical[order])


def top_rows(scores: "np.ndarray", n: int) -> "np.ndarray":
    """Rows of the ``n`` highest positive scores, best first, equal scores by row."""
    import numpy as np

    if n < len(scores):
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        rows = np.flatnonzero((scores >= least) & (scores > 0))
    else:
        rows = np.flatnonzero(scores > 0)
    return rows[np.lexsort((rows, -scores[rows]))][:n]


def _min_max(scores: "np.ndarray") -> "np.ndarray":
    import numpy as np

    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores, dtype=np.float64)
