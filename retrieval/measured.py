"""What an index knows of itself: the threshold of abstention and the weight of BM25, measured on its own questions.

Measuring asks some 600 questions. An update that moves little takes over what was measured; small moves add up until they are
worth measuring anew.
"""

from collections.abc import Mapping
from typing import Any

MOST_MOVED = 0.05
"""Share of the passages, new and removed ones together, that may have moved since measuring. Both figures come from samples of
200 and 400 questions and are known to some points only; at most one in twenty of the sample is affected."""
_DECIDING = ("splits", "header", "max_tokens", "chunker", "calibration", "lexical", "seed")
"""Settings that decide what would be measured."""


def carried_over(manifest: Mapping[str, Any], settings: Mapping[str, Any], moved: int) -> dict[str, Any] | None:
    """The entries ``calibration``, ``fusion`` and ``measured`` for the generation after that of ``manifest``; None where they
    have to be measured.

    Args:
        manifest: of the generation before.
        settings: of the new one.
        moved: passages that are new or removed.
    """
    if "measured" not in manifest or any(manifest["settings"].get(name) != settings[name] for name in _DECIDING):
        return None
    if manifest["calibration"]["threshold"] is None:  # too few questions then; perhaps enough now
        return None
    total = manifest["measured"]["moved_since"] + moved
    if total > MOST_MOVED * manifest["measured"]["passages"]:
        return None
    return {name: manifest[name] for name in ("calibration", "fusion")} | {
        "measured": {**manifest["measured"], "moved_since": total}
    }


def just_measured(passages: int) -> dict[str, Any]:
    """The entry ``measured`` of a generation of so many ``passages`` that was measured itself."""
    return {"passages": passages, "moved_since": 0}
