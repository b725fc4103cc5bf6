"""LoRA on a base model (Hu et al. 2021, arXiv:2106.09685): which modules get an adapter, and the adapted model.

Phi-3's linear modules are fused, ``qkv_proj o_proj gate_up_proj down_proj``: the names that most scripts list (``q_proj``,
``k_proj``) match nothing there, and peft adapts what it finds without a word about the rest.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError


def find_targets(model: Any, targets: Sequence[str]) -> list[str]:
    """Full names of the linear modules of ``model`` whose last name is one of ``targets``, in the model's order.

    Raises:
        MedqaError: a target that matches no linear module; the message lists the names there are.
    """
    from torch import nn

    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    leaves = {name.rpartition(".")[2] for name in linear}
    missing = [t for t in targets if t not in leaves]
    if missing or not targets:
        raise MedqaError(
            f"wanted linear modules named {', '.join(missing) or 'in finetune.targets'}, found none; "
            f"this model has: {', '.join(sorted(leaves))}"
        )
    wanted = set(targets)
    return [name for name in linear if name.rpartition(".")[2] in wanted]


def add_lora(model: Any, targets: Sequence[str], r: int, alpha: int, dropout: float) -> tuple[Any, int]:
    """``model`` with fresh LoRA matrices on ``targets``, all else frozen, and the number of modules adapted.

    ``alpha / r`` scales the update. The matrices are fp32 whatever the base's type is; fresh ones change nothing, as B = 0.
    """
    from peft import LoraConfig, get_peft_model

    count = len(find_targets(model, targets))
    config = LoraConfig(
        r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets), bias="none", task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():  # peft still asks by a name that transformers 5.23 warns of
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return get_peft_model(model, config), count


def go_on_lora(
    model: Any, adapter: Path, targets: Sequence[str], r: int, alpha: int, dropout: float
) -> tuple[Any, int]:
    """``model`` with the matrices in ``adapter`` on it, which train on, and the number of modules adapted.

    Raises:
        MedqaError: an adapter of another rank, scale or other modules than asked for, or one that does not load.
    """
    from peft import LoraConfig, PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(adapter))
    wanted = (r, alpha, sorted(targets))
    found = (
        (config.r, config.lora_alpha, sorted(config.target_modules or ())) if isinstance(config, LoraConfig) else None
    )
    if found != wanted:
        raise MedqaError(
            f"wanted an adapter with r, alpha and targets of {wanted} in {adapter}, found {found}; "
            "set finetune.r, finetune.alpha and finetune.targets to its own, or give another one"
        )
    count = len(find_targets(model, targets))
    config.lora_dropout = dropout
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        try:
            return PeftModel.from_pretrained(model, str(adapter), is_trainable=True, config=config), count
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise MedqaError(
                f"wanted an adapter in {adapter} that fits its base model, found none that loads ({error})"
            ) from error


def trainable_parameters(model: Any) -> tuple[int, int]:
    """(trainable, all) parameters; 4-bit weights count as stored, two to a byte."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes)
