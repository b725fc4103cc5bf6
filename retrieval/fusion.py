"""Two arms, one ranking: dense and lexical candidates fused by min-max normalised scores, or by ranks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RRF_K = 60
"""Cormack, Clarke & Büttcher (SIGIR 2009): the constant that damps the difference between the first few ranks."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Candidates of one question, best first; all arrays (n,) and aligned."""

    rows: "np.ndarray"
    scores: "np.ndarray"
    """In [0, 1]."""
    dense: "np.ndarray"
    lexical: "np.ndarray"
    agreement: "np.ndarray | None" = None
    """Of the passage's aspect with the question's, in [0, 1]; None where nobody judged it."""
    nearest: "np.ndarray | None" = None
    """The highest of ``dense`` among the candidates of the same topic; None where topics play no part."""


def fuse(
    rows: "np.ndarray",
    dense: "np.ndarray",
    lexical: "np.ndarray",
    lexical_weight: float,
    proposed: "np.ndarray | None" = None,
) -> Fused:
    """Order ``rows`` by ``(1 - w) * minmax(dense) + w * minmax(lexical)``; equal scores by row.

    Both scores are known for every candidate, also for one that only the other arm proposed. An arm whose scores are all
    equal says nothing and counts 0. Where ``proposed`` (n,) bool is given, its rows alone set both scales, and what lies
    beyond them counts as their ends: further rows do not move the scores of those that an arm proposed.
    """
    scores = (1 - lexical_weight) * _min_max(dense, proposed) + lexical_weight * _min_max(lexical, proposed)
    return _ordered(rows, scores, dense, lexical)


def fuse_ranks(
    rows: "np.ndarray",
    dense: "np.ndarray",
    lexical: "np.ndarray",
    lexical_weight: float,
    proposed: "np.ndarray | None" = None,
) -> Fused:
    """Order ``rows`` by weighted reciprocal rank fusion (Cormack et al. 2009); equal scores by row.

    The score is ``(1 - w) * 61 / (60 + rank in dense) + w * 61 / (60 + rank in lexical)``, so that the first of both has 1.
    Ranks are among ``rows``, whoever ``proposed`` them; equal scores share the best rank of theirs, and a lexical score of 0
    (no word in common) has none and counts 0.
    """
    import numpy as np

    by_dense = (RRF_K + 1) / (RRF_K + _ranks(dense))
    by_lexical = np.where(lexical > 0, (RRF_K + 1) / (RRF_K + _ranks(lexical)), 0.0)
    return _ordered(rows, (1 - lexical_weight) * by_dense + lexical_weight * by_lexical, dense, lexical)


def with_aspects(
    fused: Fused,
    agreement: "np.ndarray",
    topic: "np.ndarray",
    nearest: "np.ndarray | None",
    weight: float,
    topic_weight: float,
) -> Fused:
    """``fused`` ordered anew by ``(1 - weight - topic_weight) * score + topic_weight * topic + weight * agreement``.

    Args:
        fused: candidates of one question.
        agreement: (n,) in [0, 1], aligned with ``fused``: does the passage tell what is asked about its topic?
        topic: (n,) in [0, 1]: the best score of the passage's topic.
        nearest: (n,): the best cosine of the passage's topic; None where topics play no part.
        weight: share of ``agreement``.
        topic_weight: share of ``topic``; together at most 1.
    """
    import numpy as np

    scores = (1 - weight - topic_weight) * fused.scores + topic_weight * topic + weight * agreement
    order = np.lexsort((fused.rows, -scores))
    return Fused(
        fused.rows[order],
        scores[order],
        fused.dense[order],
        fused.lexical[order],
        agreement[order],
        None if nearest is None else nearest[order],
    )


def top_rows(scores: "np.ndarray", n: int) -> "np.ndarray":
    """Rows of the ``n`` highest positive scores, best first, equal scores by row."""
    import numpy as np

    rows = np.flatnonzero(scores > 0)  # few passages share a word with a question: what follows looks at these alone
    if n < len(rows):
        found = scores[rows]
        rows = rows[found >= np.partition(found, len(found) - n)[len(found) - n]]
    return rows[np.lexsort((rows, -scores[rows]))][:n]


def _ordered(rows: "np.ndarray", scores: "np.ndarray", dense: "np.ndarray", lexical: "np.ndarray") -> Fused:
    import numpy as np

    order = np.lexsort((rows, -scores))
    return Fused(rows[order], scores[order], dense[order], lexical[order])


def _ranks(scores: "np.ndarray") -> "np.ndarray":
    """Rank of each score from 1: one more than the number of higher ones."""
    import numpy as np

    return len(scores) - np.searchsorted(np.sort(scores), scores, side="right") + 1


def _min_max(scores: "np.ndarray", proposed: "np.ndarray | None") -> "np.ndarray":
    import numpy as np

    scale = scores if proposed is None else scores[proposed]
    low, high = scale.min(initial=np.inf), scale.max(initial=-np.inf)
    return np.clip((scores - low) / (high - low), 0, 1) if high > low else np.zeros_like(scores, dtype=np.float64)
