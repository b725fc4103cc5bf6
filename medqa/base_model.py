"""Base models, as every stage names them: a folder or a hub id, their fingerprint, tokenizer and 4-bit form."""

import os
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, sha256_file
from medqa.paths import PROJECT, locate

_WANTED_FILES = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")


def is_hub_id(name: str) -> bool:
    """``owner/name``, where ``owner`` is no folder here and none of ours: ``models/x`` and ``runs/x`` are always paths."""
    owner, slash, rest = name.partition("/")
    plain = bool(owner and slash and rest) and "/" not in rest and not name.startswith((".", "~"))
    return plain and owner not in ("models", "runs") and not locate(owner).is_dir()


def resolve_model(name: str, offline: bool) -> Path:
    """The folder of a model: ``name`` itself, below the project, or the hub's local copy of an id such as
    ``microsoft/Phi-3-mini-4k-instruct`` (downloaded first unless ``offline``).

    Raises:
        MedqaError: no such folder, no model in it, or nothing on the hub.
    """
    folder = locate(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MedqaError(
                f"wanted a transformers model in {folder}, found no config.json; give another generator.model"
            )
        return folder
    if not is_hub_id(name):
        raise MedqaError(f"wanted a model folder at {name}, found none; set generator.model to a folder or a hub id")
    from huggingface_hub import snapshot_download

    offline = offline or os.environ.get("HF_HUB_OFFLINE") == "1"
    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED_FILES), local_files_only=offline))
    except (OSError, ValueError) as error:  # hub errors are either
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted the model {name}, found no folder of that name and no {'local copy' if offline else 'copy on the hub'} "
            f"({reason}); set generator.model to a folder{' or leave out --offline' if offline else ''}"
        ) from error


def base_fingerprint(folder: Path) -> str:
    """Hash of a model folder's weights; independent of the folder's name, configuration and dates.

    Raises:
        MedqaError: no weights there.
    """
    weights = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not weights:
        raise MedqaError(f"wanted model weights (*.safetensors) in {folder}, found none; give another generator.model")
    return sha256_bytes("".join(f"{w.name} {sha256_file(w)}\n" for w in weights).encode())


def portable_name(name: str) -> str:
    """``name`` as it may stand in a file that travels: a hub id or a path below the project, never a machine's own path."""
    path = Path(name).expanduser()
    if path.is_absolute():
        return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else path.name
    return name


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in ``folder``.

    Raises:
        MedqaError: none there, or one without a chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise MedqaError(f"wanted a tokenizer in {folder}, found none that loads ({short_reason(error)})") from error
    if not tokenizer.chat_template:
        raise MedqaError(f"wanted a tokenizer with a chat template in {folder}, found none; use an instruct model")
    return tokenizer


def nf4_config(compute_dtype: Any, storage: Any = None) -> Any:
    """4-bit NormalFloat with double quantisation (Dettmers et al., 2023, QLoRA, arXiv:2305.14314).

    ``storage`` is the type as which the packed bytes are held; None: as bytes.

    Raises:
        MedqaError: bitsandbytes is not installed.
    """
    import importlib.util

    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise MedqaError(
            "wanted bitsandbytes for generator.quantize=nf4, found none; install with: pip install 'medqa[train]'"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
        bnb_4bit_quant_storage=storage,
    )


def short_reason(error: Exception) -> str:
    """A library's error message on one line, cut to what still fits one."""
    return " ".join(str(error).split())[:200]
