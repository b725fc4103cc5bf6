"""A trained adapter made small enough to ship: weights in bf16, the tokenizer on one line.

    python -m models.recipe.adapter runs/medquad/nano-adapter models/phi3-nano-medquad

The embedded model is served in bf16, where LoRA's product is rounded anyway; in fp32 the matrices would take twice the room for
nothing. A README.md that lies in the target stays: its text is written by hand. The target
is swapped in whole.
"""

import argparse
import json
import shutil
from pathlib import Path

from medqa.adapter import KIND, MAKE, WEIGHTS
from medqa.files import sha256_file, staged_folder, write_json
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
    with staged_folder(target) as stage:
        for name in manifest["outputs"]:
            kept = name == CARD and (target / CARD).exists()
            shutil.copyfile((target if kept else source) / name, stage / name)
        weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source / WEIGHTS).items()}
        save_file(weights, stage / WEIGHTS, metadata={"format": "pt"})
        tokenizer = json.loads((source / TOKENIZER).read_text(encoding="utf-8"))
        text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (stage / TOKENIZER).write_text(text, encoding="utf-8")
        for name in manifest["outputs"]:
            (stage / name).chmod(0o644)  # save_file leaves 0600, which a service account could not read
        write_json(stage / MANIFEST, manifest | {"outputs": {n: sha256_file(stage / n) for n in manifest["outputs"]}})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    ship(args.source, args.target)


if __name__ == "__main__":
    main()
