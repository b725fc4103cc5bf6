"""How hard each row is for the base model, for the order "easy first"; measured once and kept with the checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.masking import Encoded
from finetune.model import Compute
from finetune.row_scores import score_rows
from medqa.files import read_json, write_json

FILE = "base_losses.json"


def base_losses(model: Any, rows: Sequence[Encoded], folder: Path, compute: Compute) -> list[float]:
    """Loss of the base model on each of ``rows``, in nats per supervised token.

    ``model`` is the base with LoRA matrices, which are switched off. ``folder`` belongs to one recipe: what lies there from an
    interrupted run is read instead.
    """
    path = folder / FILE
    if path.is_file():
        found: list[float] = read_json(path)
        if len(found) == len(rows):
            return found
    import torch

    enabled = compute.dtype != "float32"
    autocast = torch.autocast(compute.device, getattr(torch, compute.dtype), enabled=enabled)
    with model.disable_adapter(), autocast:
        scores = score_rows(model, rows, "base loss of the training rows")
    losses = [score.loss / score.tokens for score in scores]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, losses)
    return losses
