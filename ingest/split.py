"""Whole groups to train, validation and test: seeded, stratified by question type, and blind to the order of rows."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.groups import Group
from medqa.records import SPLITS, QAPair, Split

TOO_LARGE = 0.25
"""A group of more than this share of a small split's target goes to train: a test on fewer than four groups says little."""


def assign_splits(
    groups: Sequence[Group], pairs: Sequence[QAPair], shares: Mapping[Split, float], seed: int
) -> list[Split]:
    """One split per group. ``shares`` says what part of all rows ``validation`` and ``test`` should get; train gets the rest.

    Groups come up in the order of a hash of seed and group id. Each goes where its question types are needed most, by the
    share of the target still open (the greedy rule of Sechidis, Tsoumakas and Vlahavas 2011), as long as that brings
    the split's size nearer to its target. So the sizes end up within half a group of the targets.
    """
    types = [Counter(pairs[i].question_type for i in group.rows) for group in groups]
    totals = sum(types, Counter[str]())
    rows = totals.total()
    small: list[Split] = [s for s in SPLITS if s != "train" and shares[s] > 0]
    share: dict[Split, float] = {**{s: shares[s] for s in small}, "train": 1 - sum(shares[s] for s in small)}
    have: dict[Split, Counter[str]] = {s: Counter() for s in share}
    chosen: list[Split] = ["train"] * len(groups)

    def need(split: Split, about: Counter[str]) -> float:
        """Mean over the group's rows of the share of their type's target that is still open in ``split``."""
        open_shares = (n * (1 - have[split][t] / (share[split] * totals[t])) for t, n in about.items())
        return sum(open_shares) / about.total()

    def fits(split: Split, size: int) -> bool:
        target = share[split] * rows
        return size <= max(1.0, TOO_LARGE * target) and size < 2 * (target - have[split].total())

    for g in sorted(range(len(groups)), key=lambda g: shuffle_key(seed, groups[g].id)):
        size = len(groups[g])
        open_to = [s for s in small if fits(s, size)]
        # At equal need (as at the start) the small splits go first: they have the least room for manoeuvre.
        chosen[g] = max([*open_to, "train"], key=lambda s: need(s, types[g]))
        have[chosen[g]] += types[g]
    _fill_short(chosen, groups, small, {s: share[s] * rows for s in small}, seed)
    return chosen


def shuffle_key(seed: int, name: str) -> bytes:
    """A position in a random order that depends on seed and name alone, on every machine."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def random_split(pairs: Sequence[QAPair], sizes: Mapping[Split, int], seed: int) -> list[Split]:
    """The usual split, row by row without regard to groups, of the same sizes: what the certificate is compared with."""
    order = sorted(range(len(pairs)), key=lambda i: shuffle_key(seed, pairs[i].id))
    labels = [s for s in SPLITS for _ in range(sizes[s])]
    chosen: list[Split] = ["train"] * len(pairs)
    for i, label in zip(order, labels, strict=True):
        chosen[i] = label
    return chosen


def _fill_short(
    chosen: list[Split], groups: Sequence[Group], small: Sequence[Split], targets: Mapping[Split, float], seed: int
) -> None:
    """Top up small splits from train with groups that bring them nearer to their target, and leave none empty if
    train has a group to spare.

    Needed where the greedy pass ran out of groups before the split was full, or where every group was too large.
    """
    for split in small:
        spare = sorted(
            (g for g, s in enumerate(chosen) if s == "train"),
            key=lambda g: (len(groups[g]), shuffle_key(seed, groups[g].id)),
        )
        size = sum(len(groups[g]) for g, s in enumerate(chosen) if s == split)
        if size == 0 and len(spare) > 1:
            chosen[spare[0]] = split
            size, spare = len(groups[spare[0]]), spare[1:]
        for g in reversed(spare):
            gap = targets[split] - size
            if len(groups[g]) <= min(gap, TOO_LARGE * targets[split]):
                chosen[g] = split
                size += len(groups[g])
