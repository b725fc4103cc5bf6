"""Personal data in a cleaned row: reported, masked, or a reason to drop it. ``ingest/phi.py`` finds it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ingest.clean import CleanRow, Drop, shown
from ingest.phi import RULES, Finding, find_personal_data, mask
from ingest.rules import PERSONAL_DATA

Action = Literal["none", "report", "mask", "drop"]


@dataclass(frozen=True, slots=True)
class Screened:
    """One place of one row that looks like personal data. Its text is not repeated: the list must not be a leak itself."""

    file: str
    row: int
    field: str
    rule: str
    start: int
    end: int
    """Half-open span in the cleaned text, before masking."""


def screen(row: CleanRow, action: Action) -> tuple[CleanRow | Drop, list[Screened]]:
    """The row as ``action`` leaves it, and what was found in it."""
    found = find_personal_data(row.pair.question, row.pair.answer)
    if not found:
        return row, []
    places = [Screened(row.file, row.row, f.field, f.rule, f.start, f.end) for f in found]
    if action == "report":
        return row, places
    question, answer = _masked(row.pair.question, "question", found), _masked(row.pair.answer, "answer", found)
    if action == "mask":
        return replace(row, pair=replace(row.pair, question=question, answer=answer)), places
    rules = ", ".join(dict.fromkeys(f.rule for f in found))
    return Drop(row.file, row.row, PERSONAL_DATA, rules, *shown(question, answer)), places


def count_rows(places: Iterable[Screened], action: Action) -> dict[str, Any]:
    """Rows with a finding, in all and by rule, for the report."""
    rows = {(p.file, p.row) for p in places}
    by_rule = Counter(rule for _, _, rule in {(p.file, p.row, p.rule) for p in places})
    return {"action": action, "rows": len(rows), "by_rule": {r: by_rule[r] for r in RULES if by_rule[r]}}


def _masked(text: str, field: str, found: Iterable[Finding]) -> str:
    return mask(text, [f for f in found if f.field == field])
