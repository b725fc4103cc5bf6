"""How honest an answer is with its sources, counted from the verified citations of its row."""

from collections.abc import Mapping, Sequence
from typing import Any

from rag.citations import read_markers


def supported_share(row: Mapping[str, Any]) -> float | None:
    """Share of the answer's sentences that a cited passage bears out; None where there is nothing to judge.

    None for a refusal (it claims nothing) and for variants without sources (nothing can be cited there).
    A sentence without a marker counts as not supported.
    """
    if row["abstained"] or row["variant"] in ("plain", "tuned"):
        return None
    sentences = len(read_markers(row["answer"]))
    return 1 - len(row["unsupported"]) / sentences if sentences else None


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of the values that exist; None where none does."""
    present = [v for v in values if v is not None]
    return sum(present) / len(present) if present else None
