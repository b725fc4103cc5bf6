"""Whole groups to train, validation and test: seeded, stratified by question type, and blind to the order of rows."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.groups import Group
from medqa.records import SPLITS, Split

TOO_LARGE = 0.25
"""A group of more than this share of a small split's target goes to train: a test on fewer than four groups says little."""


def assign_splits(
    groups: Sequence[Group],
    types: Sequence[str],
    shares: Mapping[Split, float],
    seed: int,
    have: Mapping[Split, Counter[str]] | None = None,
) -> list[Split]:
    """One split per group. ``shares`` says what part of all rows ``validation`` and ``test`` should get; train gets the rest.

    ``types[i]`` is the question type of row ``i``. ``have`` counts, per split, the types of rows that have their place
    already and are in none of the groups.

    Groups come up in the order of a hash of seed and group id. Each goes where its question types are needed most, by the
    share of the target still open (the greedy rule of Sechidis, Tsoumakas and Vlahavas 2011), as long as that brings
    the split's size nearer to its target. So the sizes end up within half a group of the targets.
    """
    placed: dict[Split, Counter[str]] = {s: Counter((have or {}).get(s, {})) for s in SPLITS}
    totals = sum(placed.values(), Counter(types[i] for group in groups for i in group.rows))
    rows = totals.total()
    small: list[Split] = [s for s in SPLITS if s != "train" and shares[s] > 0]
    share: dict[Split, float] = {**{s: shares[s] for s in small}, "train": 1 - sum(shares[s] for s in small)}
    chosen: list[Split] = ["train"] * len(groups)

    def need(split: Split, about: Counter[str]) -> float:
        """Mean over the group's rows of the share of their type's target that is still open in ``split``."""
        open_shares = (n * (1 - placed[split][t] / (share[split] * totals[t])) for t, n in about.items())
        return sum(open_shares) / about.total()

    before = {s: counts.total() for s, counts in placed.items()}
    sizes = dict(before)

    def fits(split: Split, size: int) -> bool:
        target = share[split] * rows
        return size <= max(1.0, TOO_LARGE * target) and size < 2 * (target - sizes[split])

    for g in sorted(range(len(groups)), key=lambda g: shuffle_key(seed, groups[g].id)):
        about = Counter(types[i] for i in groups[g].rows)
        open_to = [s for s in small if fits(s, about.total())]
        # At equal need (as at the start) the small splits go first: they have the least room for manoeuvre.
        chosen[g] = split = max([*open_to, "train"], key=lambda s: need(s, about))
        placed[split].update(about)
        sizes[split] += about.total()
    _fill_short(chosen, groups, {s: share[s] * rows for s in small}, before, seed)
    return chosen


def shuffle_key(seed: int, name: str) -> bytes:
    """A position in a random order that depends on seed and name alone, on every machine."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def random_split(ids: Sequence[str], sizes: Mapping[Split, int], seed: int) -> list[Split]:
    """The usual split, row by row without regard to groups, of the same sizes: what the certificate is compared with."""
    order = sorted(range(len(ids)), key=lambda i: shuffle_key(seed, ids[i]))
    labels = [s for s in SPLITS for _ in range(sizes[s])]
    chosen: list[Split] = ["train"] * len(ids)
    for i, label in zip(order, labels, strict=True):
        chosen[i] = label
    return chosen


def _fill_short(
    chosen: list[Split],
    groups: Sequence[Group],
    targets: Mapping[Split, float],
    before: Mapping[Split, int],
    seed: int,
) -> None:
    """Top up small splits from train with groups that bring them nearer to their target, and leave none empty if
    train has a group to spare.

    Needed where the greedy pass ran out of groups before the split was full, or where every group was too large.
    """
    for split, target in targets.items():
        spare = sorted(
            (g for g, s in enumerate(chosen) if s == "train"),
            key=lambda g: (len(groups[g]), shuffle_key(seed, groups[g].id)),
        )
        size = before[split] + sum(len(groups[g]) for g, s in enumerate(chosen) if s == split)
        if size == 0 and len(spare) > 1:
            chosen[spare[0]] = split
            size, spare = len(groups[spare[0]]), spare[1:]
        for g in reversed(spare):
            if len(groups[g]) <= min(target - size, TOO_LARGE * target):
                chosen[g] = split
                size += len(groups[g])
