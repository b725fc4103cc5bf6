"""Packing: rows one after the other in a line of fixed length, each with positions from 0, so that nothing is padding.

Rows do not see each other: attention is cut where positions restart. The line's shape never changes, so that compiled layers
are compiled once.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from finetune.collate import loss_positions
from finetune.masking import IGNORE, Encoded

if TYPE_CHECKING:
    import torch

WINDOW = 64
"""Rows looked at to fill what is left of a pack: on MedQuAD's lengths 8,192-token packs are then over 99 % full, while a row
moves by at most this many places from where the sampler put it."""

SHORTEST = 32
"""A pack holds at most its length divided by this many rows, so that the list of their borders has one fixed size too."""


def most_rows(capacity: int) -> int:
    """Rows that a pack of ``capacity`` tokens holds at most."""
    return max(1, capacity // SHORTEST)


def plan_packs(lengths: Sequence[int], order: Sequence[int], capacity: int) -> list[list[int]]:
    """Row numbers in packs of at most ``capacity`` tokens: ``order`` is followed, but where the next row does not fit, the
    first of the next ``WINDOW`` that fits goes before it. Every row comes exactly once."""
    waiting = list(order)
    most = most_rows(capacity)
    packs: list[list[int]] = []
    while waiting:
        pack: list[int] = []
        room = capacity
        while len(pack) < most:
            fitting = next((n for n, row in enumerate(waiting[:WINDOW]) if lengths[row] <= room), None)
            if fitting is None:
                break
            row = waiting.pop(fitting)
            pack.append(row)
            room -= lengths[row]
        packs.append(pack)
    return packs


def pack_order(count: int, seed: int, epoch: int) -> list[int]:
    """Order of the packs in one epoch: as planned in the first (a curriculum is in their contents), shuffled in later ones."""
    order = list(range(count))
    if epoch > 0:
        random.Random(f"{seed}:{epoch}:packs").shuffle(order)
    return order


class Packs:
    """Packs as a map-style data set; an item is a list of rows."""

    def __init__(self, rows: Sequence[Encoded], packs: Sequence[Sequence[int]]) -> None:
        self.rows, self.packs = rows, packs

    def __len__(self) -> int:
        return len(self.packs)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        chosen = [self.rows[i] for i in self.packs[index]]
        return [{"input_ids": row.input_ids, "labels": row.labels} for row in chosen]


@dataclass(frozen=True, slots=True)
class PackCollator:
    """One pack -> ``input_ids``, ``position_ids`` and ``labels``, each (1, length); no attention mask, on purpose.

    An all-ones mask, or a cache, would silently let the rows see each other. Beside them ``logits_to_keep`` (see
    ``loss_positions``), ``tokens`` (real ones) and with ``borders`` the rows' borders as flash attention takes them:
    ``cu_seq_lens_q/k`` (int32, of one size for all packs) and ``max_length_q/k``.
    """

    pad_id: int
    length: int
    longest: int
    """Tokens of the longest row there can be; what pads a pack is cut into pieces no longer than that."""
    most: int
    """Rows that there can be at most (``most_rows``)."""
    borders: bool

    def __call__(self, packs: Sequence[Sequence[dict[str, Any]]]) -> "dict[str, torch.Tensor | int]":
        """Collate one pack (a batch of one)."""
        (rows,) = packs
        return self.collate(rows)

    def part(self, rows: Sequence[dict[str, Any]], parts: int) -> "dict[str, torch.Tensor | int]":
        """Some rows of a pack that was split in ``parts``, in a line that is as much shorter."""
        length = min(self.length, -(-(self.length // parts + self.longest) // 8) * 8)
        return replace(self, length=length).collate(rows)

    def collate(self, rows: Sequence[dict[str, Any]]) -> "dict[str, torch.Tensor | int]":
        """``rows``, of at most ``length`` tokens together."""
        import torch

        tokens = sum(len(row["input_ids"]) for row in rows)
        pads = self.length - tokens
        pieces = [min(self.longest, pads - start) for start in range(0, pads, self.longest)]
        sizes = [*(len(row["input_ids"]) for row in rows), *pieces]
        ids = [i for row in rows for i in row["input_ids"]] + [self.pad_id] * pads
        labels = torch.tensor([[label for row in rows for label in row["labels"]] + [IGNORE] * pads])
        batch: dict[str, torch.Tensor | int] = {
            "input_ids": torch.tensor([ids]),
            "position_ids": torch.tensor([[i for size in sizes for i in range(size)]]),
            "labels": labels,
            "logits_to_keep": loss_positions(labels),
            "tokens": tokens,
        }
        if self.borders:
            ends = torch.tensor(sizes).cumsum(0)
            # Empty rows at the end fill the list up to its one size.
            slots = self.most + -(-self.length // self.longest)
            borders = torch.full((slots + 1,), self.length, dtype=torch.int32)
            borders[0] = 0
            borders[1 : len(sizes) + 1] = ends
            batch |= {"cu_seq_lens_q": borders, "cu_seq_lens_k": borders}
            batch |= {"max_length_q": self.longest, "max_length_k": self.longest}
        return batch


def rows_of(batch: "dict[str, Any]") -> list[dict[str, list[int]]]:
    """The rows that were collated into ``batch``, padded or packed."""
    ids, labels = batch["input_ids"].tolist(), batch["labels"].tolist()
    if "attention_mask" in batch:
        lengths = batch["attention_mask"].sum(1).tolist()
        return [{"input_ids": i[:n], "labels": y[:n]} for i, y, n in zip(ids, labels, lengths, strict=True)]
    positions = batch["position_ids"][0, : batch["tokens"]].tolist()
    starts = [n for n, position in enumerate(positions) if position == 0]
    spans = zip(starts, [*starts[1:], batch["tokens"]], strict=True)
    return [{"input_ids": ids[0][a:b], "labels": labels[0][a:b]} for a, b in spans]


def split_rows(rows: "Sequence[dict[str, list[int]]]", parts: int, padded: bool) -> "list[list[dict[str, list[int]]]]":
    """``rows`` in order in at most ``parts`` groups of about equal size; a group exceeds its share by less than one row.

    A group's size is its tokens, or where rows are ``padded`` to one length, their number.
    """
    sizes = [1 if padded else len(row["input_ids"]) for row in rows]
    share = sum(sizes) / parts
    groups: list[list[dict[str, list[int]]]] = [[]]
    filled = 0
    for row, size in zip(rows, sizes, strict=True):
        if filled >= share * len(groups) and groups[-1]:
            groups.append([])
        groups[-1].append(row)
        filled += size
    return groups
