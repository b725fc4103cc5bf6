"""What an update changes, and the changes that have to be confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.records import Passage

_LARGE_REMOVAL = 0.1
"""Share of pairs whose removal has to be confirmed: more than a tenth is rather a wrong file than an edit."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What an update changes. A pair is changed when any of its passages is; ``gone`` ones are absent from the corpus."""

    added: int
    changed: int
    removed: int
    unchanged: int
    gone: int
    """Of the pairs in the index, those that the corpus no longer has: removed with ``prune`` only."""
    passages_new: int
    passages_removed: int
    to_embed: int
    """Distinct texts without a vector yet."""


def compare(old: Sequence[Passage], new: Sequence[Passage], gone: int) -> Diff:
    """The difference between the passages of two generations."""
    before, after = _by_pair(old), _by_pair(new)
    both = before.keys() & after.keys()
    unchanged = sum(before[pair] == after[pair] for pair in both)
    old_ids, new_ids = {p.id for p in old}, {p.id for p in new}
    return Diff(
        added=len(after.keys() - before.keys()),
        changed=len(both) - unchanged,
        removed=len(before.keys() - after.keys()),
        unchanged=unchanged,
        gone=gone,
        passages_new=len(new_ids - old_ids),
        passages_removed=len(old_ids - new_ids),
        to_embed=len({p.embedded_text for p in new} - {p.embedded_text for p in old}),
    )


def refuse_mixture(index: Path, old: Mapping[str, Any], new: Mapping[str, Any], gone: int) -> None:
    """Vanished pairs have no split and no question any more, so they cannot follow a change of the recipe.

    Raises:
        MedqaError: the settings ``old`` and ``new`` cut or choose passages differently.
    """
    changed = [key for key in ("splits", "header", "max_tokens", "chunker") if old.get(key) != new[key]]
    if changed:
        raise MedqaError(
            f"wanted to keep {gone} pairs that the corpus no longer has, found another {' and '.join(changed)} than in "
            f"{index}; add --prune to remove them, or use the same settings"
        )


def refuse_large_removal(index: Path, difference: Diff) -> None:
    """Raises:
    MedqaError: more than a tenth of the pairs would go.
    """
    before = difference.removed + difference.changed + difference.unchanged
    if difference.removed > _LARGE_REMOVAL * before:
        raise MedqaError(
            f"wanted to remove at most a tenth of the {before} pairs in {index}, found {difference.removed} to remove; "
            "check --corpus and --splits, then add --force"
        )


def _by_pair(passages: Sequence[Passage]) -> dict[str, list[Passage]]:
    grouped: dict[str, list[Passage]] = {}
    for passage in passages:
        grouped.setdefault(passage.pair_id, []).append(passage)
    return grouped
