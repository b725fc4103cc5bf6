"""The order of training rows. A strategy changes only the order: every row comes exactly once per epoch.

The order is a function of seed and epoch alone (transformers' own length-grouped sampler draws from the global generator),
so that a resumed run sees the rows that the unbroken one would have seen.
"""

import random
from collections.abc import Sequence
from typing import Literal

Strategy = Literal["random", "length", "short_first", "easy_first"]
"""``short_first`` and ``easy_first`` are curricula."""

MEGABATCH = 50
"""Batches that are sorted by length together: more would save padding, fewer keep neighbours random. As transformers has it."""


def epoch_order(
    lengths: Sequence[int],
    batch: int,
    seed: int,
    epoch: int,
    strategy: Strategy,
    difficulty: Sequence[float] | None = None,
) -> list[int]:
    """Row numbers in the order of one epoch.

    Args:
        lengths: tokens of each row.
        batch: rows per optimiser step.
        seed: of the run.
        epoch: counts from 0.
        strategy: ``random``; ``length``: rows of similar length share a batch, the batches come in random order, the one
            with the longest row first, so that memory runs out at once or never; ``short_first`` and ``easy_first``: by
            ascending length or difficulty in the first epoch, random in later ones, when every row has been seen.
        difficulty: the base model's loss on each row; for ``easy_first`` only.
    """
    rng = random.Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    if strategy == "length":
        return _grouped(order, lengths, batch, rng)
    if strategy == "random" or epoch > 0:
        return order
    keys = lengths if strategy == "short_first" else difficulty
    assert keys is not None  # the caller measures it for this strategy
    return sorted(order, key=lambda i: keys[i])  # stable: ties stay in random order


def _grouped(order: list[int], lengths: Sequence[int], batch: int, rng: random.Random) -> list[int]:
    size = batch * MEGABATCH
    grouped: list[int] = []
    for start in range(0, len(order), size):
        grouped += sorted(order[start : start + size], key=lambda i: -lengths[i])
    batches = [grouped[i : i + batch] for i in range(0, len(grouped), batch)]
    tail = (
        [batches.pop()] if batches and len(batches[-1]) < batch else []
    )  # a short batch anywhere else would shift the rest
    rng.shuffle(batches)
    if batches:
        batches.insert(0, batches.pop(max(range(len(batches)), key=lambda b: max(lengths[i] for i in batches[b]))))
    return [i for b in batches + tail for i in b]
