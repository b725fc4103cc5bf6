"""Answers worth reading: the worst and the best of a system, and examples for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

STRONGEST = ("tuned+rag", "plain+rag", "extractive", "tuned", "plain")
"""Which system's answers are shown, the first that was run."""
SHOWN = 5
"""Cases of each kind on the page."""
EXAMPLES = 3

Row = Mapping[str, Any]


def shown_system(rows: Sequence[Row]) -> tuple[str, str]:
    """Index and name of the system whose answers a report shows: the strongest variant, open-book where there is one."""
    cells = list(dict.fromkeys((r["index"], r["name"]) for r in rows))
    order = {name: n for n, name in enumerate(STRONGEST)}
    return min(cells, key=lambda c: (order.get(c[1], len(order)), c[0] != "open-book"))


def worst_and_best(rows: Sequence[Row], score: str, shown: int = SHOWN) -> tuple[list[Row], list[Row]]:
    """The ``shown`` lowest and highest rows of one system by ``score``, of few rows the halves. Refusals are not among the
    best."""
    scored = sorted(
        (r for r in rows if r["scores"].get(score) is not None), key=lambda r: (r["scores"][score], r["id"])
    )
    shown = min(shown, (len(scored) + 1) // 2)
    worst = scored[:shown]
    best = [r for r in reversed(scored[shown:]) if not r["abstained"]][:shown]
    return worst, best


def pick_examples(rows: Sequence[Row]) -> list[Row]:
    """Three answers that show what the system does: well supported answers, then a refusal."""
    if not rows:
        return []
    index, name = shown_system(rows)
    of_best = [r for r in rows if r["name"] == name]
    answered = sorted(
        (r for r in of_best if not r["abstained"] and r["index"] == index),
        key=lambda r: (-(r["scores"].get("supported") or 0), -len(r["citations"]), r["id"]),
    )
    refused = [r for r in of_best if r["abstained"]]
    return [*answered[: EXAMPLES - bool(refused)], *refused[:1]][:EXAMPLES]
