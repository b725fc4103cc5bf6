"""The base model for training: in full or 4-bit precision, in arithmetic its device is good at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medqa.base_model import nf4_config, short_reason
from medqa.errors import MedqaError
from medqa.hardware import cpu_has_bf16, pick_device, pick_dtype
from medqa.processes import local_rank, world_size


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and in what precision to train."""

    device: Literal["cuda", "cpu"]
    dtype: str
    """Type of the matrix products, ``bfloat16``, ``float16`` or ``float32``; LoRA's matrices and the optimiser stay fp32."""
    why: str
    """The reason, for people."""


def choose_compute(device: str) -> Compute:
    """The best precision of ``device`` (``auto``, ``cpu``, ``cuda`` or ``cuda:0``).

    Raises:
        MedqaError: CUDA asked for and none there.
    """
    import torch

    place = pick_device(device)
    if place == "cpu":
        has_bf16 = cpu_has_bf16()
        return Compute("cpu", pick_dtype("cpu"), f"the CPU has {'' if has_bf16 else 'no '}bf16 instructions")
    if not torch.cuda.is_available():
        raise MedqaError(f"wanted generator.device={device}, found no CUDA device; use generator.device=cpu")
    name = torch.cuda.get_device_name()
    if torch.cuda.get_device_capability() >= (8, 0):  # Ampere is the first generation with bf16 in hardware
        return Compute("cuda", "bfloat16", f"{name} has bf16")
    return Compute("cuda", "float16", f"{name} has no bf16 in hardware (compute capability below 8.0)")


def load_base(
    folder: Path,
    quantize: Literal["none", "nf4"],
    compute: Compute,
    upcast: bool = False,
    sharding: Literal["none", "fsdp"] = "none",
) -> Any:
    """The frozen base model for training, ``use_cache`` off.

    ``nf4`` is QLoRA (Dettmers et al. 2023, arXiv:2305.14314): weights in 4-bit NormalFloat, their scales quantised
    again, products in ``compute.dtype``. With ``upcast`` its norms, embeddings and head are fp32, and so is what passes
    between layers: twice the memory traffic. The norms compute in fp32 either way. For ``fsdp`` the packed bytes
    are stored as numbers of the products' type, which is all that PyTorch can spread over GPUs.

    Raises:
        MedqaError: ``nf4`` without CUDA or bitsandbytes, or nothing that loads.
    """
    refuse_4bit_on_cpu(quantize, compute)
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, compute.dtype)
    extra: dict[str, Any] = {}
    if quantize == "nf4":
        extra["quantization_config"] = nf4_config(dtype, storage=dtype if sharding == "fsdp" else None)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": local_rank() if compute.device == "cuda" else "cpu"},
            local_files_only=True,
            **extra,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise MedqaError(
            f"wanted a causal language model in {folder}, found none that loads ({short_reason(error)})"
        ) from error
    model.config.use_cache = False  # of no use in training, and it makes checkpointing and packing go wrong
    # fp16 overflows between layers, where bf16 has fp32's range.
    if quantize == "nf4" and (upcast or compute.dtype == "float16"):
        from peft import prepare_model_for_kbit_training

        # Checkpointing is finetune.layers' to switch on.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return model


def refuse_4bit_on_cpu(quantize: str, compute: Compute) -> None:
    """Stop early where a 4-bit recipe meets a machine without CUDA (bitsandbytes would run there, and save no time)."""
    if quantize == "nf4" and compute.device != "cuda":
        raise MedqaError(
            "wanted a CUDA device for generator.quantize=nf4 (a 4-bit recipe for GPUs), found none; "
            "use configs/nano-cpu.yaml or generator.quantize=none"
        )


def refuse_sharding(sharding: str, compute: Compute) -> None:
    """Stop early where a model is to be spread over GPUs and there is one process, or no GPU."""
    if sharding == "fsdp" and (compute.device != "cuda" or world_size() < 2):
        raise MedqaError(
            f"wanted at least two processes with a GPU each for finetune.sharding=fsdp, found {world_size()} on "
            f"{compute.device}; start with torchrun --nproc-per-node 2 -m medqa.cli ..., or set finetune.sharding=none"
        )
