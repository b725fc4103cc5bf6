"""A trained adapter made small enough to ship: weights in bf16, the tokenizer on one line.

    python -m models.recipe.adapter runs/medquad/nano-adapter models/phi3-nano-medquad

The embedded model is served in bf16, where LoRA's product is rounded anyway; in fp32 the matrices would take twice the room for
nothing. A README.md that lies in the target stays: its text is written by hand. ``manifest.json`` is written last.
"""

import argparse
import json
import shutil
from pathlib import Path

from medqa.adapter import KIND, MAKE, WEIGHTS
from medqa.files import sha256_file, write_json
from medqa.manifest import MANIFEST, read_manifest

TOKENIZER = "tokenizer.json"
CARD = "README.md"


def ship(source: Path, target: Path) -> None:
    """Write the adapter ``source`` to ``target``, as described above.

    Raises:
        MedqaError: ``source`` is no adapter that ``medqa finetune generator`` made.
    """
    import torch
    from safetensors.torch import load_file, save_file

    manifest = read_manifest(source, KIND, MAKE)
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(manifest["outputs"]):
        if not (name == CARD and (target / CARD).exists()):
            shutil.copyfile(source / name, target / name)
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source / WEIGHTS).items()}
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    tokenizer = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (target / TOKENIZER).write_text(text, encoding="utf-8")
    for name in manifest["outputs"]:
        (target / name).chmod(0o644)  # save_file leaves 0600, which a service account could not read
    write_json(target / MANIFEST, manifest | {"outputs": {n: sha256_file(target / n) for n in manifest["outputs"]}})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    ship(args.source, args.target)


if __name__ == "__main__":
    main()
