"""LoRA adapters on a small encoder: applied, then merged, so that the model is as fast as without."""

import re
import warnings
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.files import sha256_file
from medqa.paths import locate

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
"""PEFT's file; a folder that has it is an adapter."""


def is_adapter(folder: Path) -> bool:
    """True if ``folder`` holds a PEFT adapter."""
    return (folder / CONFIG).is_file()


def encoder_hash(name: str, fingerprint: str) -> str:
    """What stands for the encoder called ``name`` in models that were made for it: the hash of its adapter, which neither a
    library's version nor a processor's rounding changes; of any other encoder its ``fingerprint``."""
    adapter = locate(name) / WEIGHTS
    return sha256_file(adapter) if adapter.is_file() else fingerprint


def adapted_layers(folder: Path) -> int:
    """How many of the base's layers the adapter in ``folder`` is for: it may have been trained on the lower ones only.

    Raises:
        MedqaError: no weights there that name a layer.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="np") as file:
            numbers = [int(n) for key in file.keys() for n in re.findall(r"\.layer\.(\d+)\.", key)]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise MedqaError(
            f"wanted a PEFT adapter in {folder}, found none that loads ({error}); train it again"
        ) from error
    if not numbers:
        raise MedqaError(f"wanted adapter weights of BERT layers in {folder}, found none; give another folder")
    return max(numbers) + 1


def merge_adapter(model: Any, folder: Path) -> Any:
    """``model`` (a transformers model) with the adapter in ``folder`` added into its weights, in evaluation mode.

    Raises:
        MedqaError: no adapter that fits the model: other modules, other shapes, weights missing.
    """
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            # PEFT only warns where the file lacks weights, and leaves them as they were made: an adapter of zeros.
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted a PEFT adapter for the embedded encoder in {folder}, found one that does not load ({reason}); train it "
            "again, or give another folder"
        ) from error
    return merged.eval()
