"""Fold an adapter into its base model: ``W + scale * B A``, summed in fp32 and rounded once to the precision that serves.

An adapter that was trained on a 4-bit base has learned beside that base's rounding errors. It is merged into the 4-bit values,
written out in full (``dequantised``): the result is the model that was trained, where merging into the original weights
would be another one, close to it at best. Either way the result is an ordinary transformers folder.
"""

import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medqa.base_model import nf4_config, short_reason
from medqa.errors import MedqaError

SENTENCEPIECE = "tokenizer.model"
"""llama.cpp's converter reads a Phi-3's vocabulary from this file, which transformers neither needs nor writes."""


@dataclass(frozen=True, slots=True)
class Form:
    """A way to hold the base model's weights."""

    dtype: str
    """``bfloat16``, ``float16`` or ``float32``: of the weights, or of the products where they are in 4 bits."""
    quantize: Literal["none", "nf4"]
    device: str

    def __str__(self) -> str:
        return f"NF4 with products in {self.dtype}" if self.quantize == "nf4" else self.dtype


def load_form(folder: Path, form: Form) -> Any:
    """The causal language model in ``folder``, held in ``form``, in evaluation mode.

    Raises:
        MedqaError: nothing there that loads, or no bitsandbytes for 4 bits.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, form.dtype)
    extra = {"quantization_config": nf4_config(dtype)} if form.quantize == "nf4" else {}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, device_map={"": form.device}, local_files_only=True, **extra
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise MedqaError(
            f"wanted a causal language model in {folder}, found none that loads ({short_reason(error)})"
        ) from error
    return model.eval()


def load_adapted(base: Any, adapter: Path) -> Any:
    """``base`` with the adapter in ``adapter`` on it, in evaluation mode.

    Raises:
        MedqaError: files that do not load, or matrices that do not fit the base; peft itself only warns of missing ones.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = PeftModel.from_pretrained(base, str(adapter))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise MedqaError(
            f"wanted an adapter in {adapter} that fits its base model, found none that loads ({short_reason(error)}); "
            "fine-tune it again or give another one"
        ) from error
    missing = [str(w.message) for w in caught if "missing adapter keys" in str(w.message)]
    if missing:
        raise MedqaError(
            f"wanted all matrices of the adapter in {adapter}, found some missing ({missing[0][:120]}); fine-tune it again"
        )
    return model.eval()


def merge_weights(folder: Path, adapter: Path, form: Form, dequantised: bool) -> Any:
    """The model in ``folder`` with ``adapter`` folded in, in ``form.dtype``, not quantised.

    Args:
        folder: the base model.
        adapter: a PEFT folder with LoRA matrices.
        form: its dtype is the result's; its device does the work, and must hold the model in that type.
        dequantised: take each linear weight through NF4 and back first.

    Raises:
        MedqaError: an adapter that does not fit, or one with infinite or undefined numbers.
    """
    import torch

    model = load_form(folder, Form(form.dtype, "none", form.device))
    if dequantised:
        _take_through_nf4(model, folder, form)
    if model.config.tie_word_embeddings and _adapts_the_head(model, adapter):
        head = model.get_output_embeddings()  # alone: a change of the head must not reach the input embeddings
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        model.config.tie_word_embeddings = False
    adapted = load_adapted(model, adapter)
    _add_updates(adapted, adapter)
    return adapted.unload()


def save_merged(stage: Path, merged: Any, tokenizer: Any, base: Path) -> None:
    """Write model, tokenizer with chat template and, where the base has one, its sentencepiece file to ``stage``."""
    merged.config.use_cache = True  # off in training, and several times slower to serve without
    merged.save_pretrained(stage)
    tokenizer.save_pretrained(stage)
    if (base / SENTENCEPIECE).is_file():
        shutil.copyfile(base / SENTENCEPIECE, stage / SENTENCEPIECE)
    for file in stage.iterdir():
        os.chmod(file, 0o644)  # safetensors writes 0600, unreadable to a service account


def _add_updates(adapted: Any, adapter: Path) -> None:
    """Add each LoRA update to its weight. peft's own merge rounds the update before it adds it: two roundings, not one."""
    import torch
    from peft.tuners.lora import LoraLayer

    with torch.no_grad():
        layers: list[Any] = [module for module in adapted.modules() if isinstance(module, LoraLayer)]
        for module in layers:
            weight = module.get_base_layer().weight
            for name in module.active_adapters:
                update = module.get_delta_weight(name).float()
                if not torch.isfinite(update).all():
                    raise MedqaError(
                        f"wanted finite numbers in the adapter {adapter}, found others; fine-tune it again"
                    )
                weight.copy_(weight.float() + update)


def _take_through_nf4(model: Any, folder: Path, form: Form) -> None:
    """Replace the weights of ``model`` that NF4 would quantise by what NF4 makes of them."""
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    quantised = load_form(folder, Form(form.dtype, "nf4", form.device))
    with torch.no_grad():
        for name, module in quantised.named_modules():
            if isinstance(module, Linear4bit):
                packed: Any = module.weight  # bitsandbytes' own kind of parameter
                weight = dequantize_4bit(packed.data, packed.quant_state)
                model.get_submodule(name).weight.copy_(weight)


def _adapts_the_head(model: Any, adapter: Path) -> bool:
    from peft import PeftConfig

    targets = PeftConfig.from_pretrained(str(adapter)).target_modules or ()
    head = next(name for name, module in model.named_modules() if module is model.get_output_embeddings())
    return head in ([targets] if isinstance(targets, str) else targets)
