"""The loss: summed over supervised tokens, computed a slice at a time so that fp32 logits never lie in memory as a whole."""

from typing import TYPE_CHECKING

from finetune.masking import IGNORE

if TYPE_CHECKING:
    import torch

CHUNK = 1024
"""Positions whose fp32 logits exist at one time: 131 MB at a vocabulary of 32,064."""


def summed_loss(logits: "torch.Tensor", labels: "torch.Tensor", kept: "torch.Tensor") -> "torch.Tensor":
    """Negative log-likelihood of the supervised tokens, summed, in nats (fp32 scalar).

    Args:
        logits: (batch, n, vocabulary), at the positions ``kept``.
        labels: (batch, length), ``IGNORE`` where there is no loss.
        kept: (n,) positions; the token after each is its target.
    """
    from torch.utils.checkpoint import checkpoint

    flat, targets = logits.flatten(0, 1), labels[:, kept + 1].flatten()
    total = flat[:0].sum().float()  # 0, and part of the graph: a batch without loss still has gradients, of 0
    for start in range(0, len(targets), CHUNK):
        piece = flat[start : start + CHUNK], targets[start : start + CHUNK]
        # Recomputed in the backward pass: what autograd would keep (fp32 logits and their softmax) is larger than the input.
        total = total + checkpoint(_chunk_loss, *piece, use_reentrant=False)
    return total


def _chunk_loss(logits: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), targets, ignore_index=IGNORE, reduction="sum")
