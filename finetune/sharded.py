"""Training with the frozen base model spread over several GPUs (FSDP-QLoRA).

PyTorch's FSDP2 (``fully_shard``) keeps a part of every decoder layer on each GPU and gathers a layer while it computes.
4-bit weights can be spread if they are stored as bf16 numbers (``bnb_4bit_quant_storage``), which ``finetune.model``
sees to. Adapters are small: they are gathered to be saved, and loaded whole by every process.

Imported only where training begins.
"""

from pathlib import Path
from typing import Any

from finetune.layers import decoder_layers
from finetune.trainer import OrderedTrainer
from medqa.errors import MedqaError

WEIGHTS = "adapter_model.safetensors"


class ShardedTrainer(OrderedTrainer):
    """``OrderedTrainer`` whose checkpoints hold the plain adapter, as those of one process do."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the adapter; every process takes part in gathering it, the main one writes."""
        state = gather_adapter(self.model)
        if self.args.should_save:
            self._save(output_dir, state_dict=state)

    def _load_best_model(self) -> None:
        scatter_adapter(self.model, Path(str(self.state.best_model_checkpoint)) / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        scatter_adapter(self.model if model is None else model, Path(resume_from_checkpoint) / WEIGHTS)


def gather_adapter(model: Any) -> dict[str, Any]:
    """Name -> whole tensor on the CPU of everything that trains; all processes must call it."""
    return {name: _whole(p.detach()).cpu().clone() for name, p in model.named_parameters() if p.requires_grad}


def scatter_adapter(model: Any, file: Path) -> None:
    """Fill the matrices that train from an adapter file, each process its own part of them.

    Raises:
        MedqaError: a matrix that the file lacks.
    """
    import torch
    from safetensors.torch import load_file
    from torch.distributed.tensor import DTensor, distribute_tensor

    saved = load_file(file)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            key = name.replace(".default.", ".").removeprefix("_orig_mod.")  # peft leaves its adapter's name out
            if key not in saved:
                raise MedqaError(f"wanted {key} in {file}, found none; start over without this checkpoint")
            value = saved[key].to(parameter.device, parameter.dtype)
            if isinstance(parameter, DTensor):  # every process holds the whole file: nothing has to be sent
                value = distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
            parameter.copy_(value)


def sharding_arguments(layer: str) -> dict[str, Any]:
    """What ``TrainingArguments`` need: FSDP2, one unit per decoder layer (its class is called ``layer``)."""
    config = {"version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "transformer_layer_cls_to_wrap": [layer]}
    return {"fsdp": True, "fsdp_config": config}


def decoder_layer(model: Any) -> str:
    """Class name of the model's decoder layers."""
    return type(decoder_layers(model)[0]).__name__


def _whole(tensor: Any) -> Any:
    """The full tensor of a sharded one. What comes back may still be on its way (on CPUs): wait for it."""
    from torch.distributed._functional_collectives import AsyncCollectiveTensor
    from torch.distributed.tensor import DTensor

    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return full.wait() if isinstance(full, AsyncCollectiveTensor) else full
