"""Batches: rows padded to the longest of their batch, not to the recipe's maximum (71 % of the tokens would be padding)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune.masking import IGNORE, Encoded

if TYPE_CHECKING:
    import torch

MULTIPLE = 8
"""Lengths are rounded up to this: matrix kernels are slower on odd sizes, on GPUs and CPUs alike."""


def loss_positions(labels: "torch.Tensor") -> "torch.Tensor":
    """Positions whose logits the loss needs: those before a supervised token of any row.

    Args:
        labels: (batch, length).

    Returns:
        (n,) int64, ascending. Logits elsewhere would be computed for nothing: 32,064 of them a token.
    """
    return (labels[:, 1:] != IGNORE).any(0).nonzero().squeeze(1)


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows -> tensors ``input_ids``, ``attention_mask`` and ``labels``, each (batch, length), int64, padded on the right.

    Beside them ``logits_to_keep`` (see ``loss_positions``) and ``tokens``, the number of real ones.
    """

    pad_id: int
    length: int | None = None
    """Length of every row; None: the batch's longest, rounded up."""

    def __call__(self, rows: Sequence[Mapping[str, Sequence[int]]]) -> "dict[str, torch.Tensor | int]":
        """Pad ``rows`` (each with ``input_ids`` and ``labels``) to one length."""
        import torch

        longest = max(len(row["input_ids"]) for row in rows)
        length = self.length or -(-longest // MULTIPLE) * MULTIPLE
        pads = [length - len(row["input_ids"]) for row in rows]
        both = list(zip(rows, pads, strict=True))
        labels = torch.tensor([[*row["labels"], *[IGNORE] * pad] for row, pad in both])
        return {
            "input_ids": torch.tensor([[*row["input_ids"], *[self.pad_id] * pad] for row, pad in both]),
            "attention_mask": torch.tensor([[1] * (length - pad) + [0] * pad for pad in pads]),
            "labels": labels,
            "logits_to_keep": loss_positions(labels),
            "tokens": sum(length - pad for pad in pads),
        }

    def part(self, rows: Sequence[Mapping[str, Sequence[int]]], parts: int) -> "dict[str, torch.Tensor | int]":
        """Some rows of a batch that was split in ``parts``."""
        return self(rows)


class Rows:
    """Encoded rows as a map-style data set (length and item), which is all that torch's loader asks for."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        return {"input_ids": row.input_ids, "labels": row.labels}
