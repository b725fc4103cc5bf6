"""Write the trained model as a folder that transformers loads: shards, configuration, tokenizer, recipe.json."""

import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medqa.files import sha256_file, write_json
from models.recipe.tokenizer import CONTROL_TOKENS, save_tokenizer

SHARD = "15MB"
"""Largest shard; hosting and transfer limits are commonly 16 MB."""


def export(model: Any, tokenizer: Any, out: Path, texts: Path, runs: list[dict[str, Any]]) -> None:
    """Save ``model`` in bf16 with its tokenizer to ``out``, readable by everyone. ``recipe.json`` is written last."""
    import torch
    from transformers import GenerationConfig

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as stage:
        half = model.to("cpu").to(torch.bfloat16)
        half.config.use_cache = True
        half.generation_config = GenerationConfig(bos_token_id=0, pad_token_id=0, eos_token_id=[4, 0])
        half.save_pretrained(stage, max_shard_size=SHARD)
        save_tokenizer(tokenizer, Path(stage))
        for old in out.glob("model*.safetensors*"):
            old.unlink()
        for path in sorted(Path(stage).iterdir()):
            shutil.copyfile(path, out / path.name)
            (out / path.name).chmod(0o644)  # save_pretrained leaves 0600, which a service account could not read
    last = {**runs[-1], "code": _code_hashes(), "versions": _versions()}
    record = {
        "runs": [*runs[:-1], last],
        "control_tokens": CONTROL_TOKENS,
        "inputs": {texts.name: sha256_file(texts)},
        "outputs": {p.name: sha256_file(p) for p in sorted([*out.glob("*.safetensors"), out / "tokenizer.json"])},
    }
    write_json(out / "recipe.json", record)


def _code_hashes() -> dict[str, str]:
    """SHA-256 of every file of the recipe as it runs now."""
    recipe = Path(__file__).parent
    sources = sorted([*recipe.glob("*.py"), *recipe.glob("forms/*.txt"), *recipe.glob("articles/*.txt")])
    return {p.relative_to(recipe).as_posix(): sha256_file(p) for p in sources}


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "tokenizers", "numpy", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
