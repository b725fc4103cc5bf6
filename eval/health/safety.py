"""What the safety gate did, over a set of answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def safety_scores(row: Mapping[str, Any]) -> dict[str, float]:
    """``warned`` and ``blocked``, 0 or 1, from the row's verdict (:mod:`rag.safety`)."""
    action = row["safety"]["action"]
    return {"warned": float(action == "warn"), "blocked": float(action == "block")}


def rules_fired(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Rule -> number of questions on which it fired, by name."""
    return dict(sorted(Counter(rule for row in rows for rule in row["safety"]["rules"]).items()))
