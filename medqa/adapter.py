"""An adapter and the base model it belongs to: whoever trains, merges, loads or checks one agrees here."""

from dataclasses import dataclass
from pathlib import Path

from medqa.base_model import base_fingerprint, portable_name, resolve_model
from medqa.errors import MedqaError
from medqa.files import read_json, sha256_file
from medqa.manifest import MANIFEST, read_manifest

KIND = "adapter"
MAKE = "medqa finetune generator --config configs/nano-cpu.yaml"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter says of itself."""

    base: str
    """Name of its base model: a hub id or a path below the project."""
    quantize: str
    """``nf4`` if it was trained on a 4-bit base, else ``none``, also where nobody noted it."""


def read_adapter(adapter: Path) -> AdapterFacts:
    """The facts of the adapter in ``adapter``, from its manifest or, if it was made elsewhere, its PEFT configuration.

    Raises:
        MedqaError: no adapter there, or an unfinished one.
    """
    if not (adapter / MANIFEST).is_file() and (adapter / CONFIG).is_file():
        return AdapterFacts(str(read_json(adapter / CONFIG).get("base_model_name_or_path")), "none")
    manifest = read_manifest(adapter, KIND, MAKE)
    return AdapterFacts(manifest["base"]["name"], manifest["settings"].get("quantize", "none"))


def check_adapter(adapter: Path, base: Path | str) -> None:
    """Refuse an adapter that was trained on other weights than those of ``base`` (a folder or a hub id).

    A PEFT folder without our manifest (made elsewhere) is held to the base name in its configuration.

    Raises:
        MedqaError: no adapter there, unfinished, damaged, or of another base model.
    """
    if not (adapter / MANIFEST).is_file() and (adapter / CONFIG).is_file():
        wanted = str(read_json(adapter / CONFIG).get("base_model_name_or_path"))
        if Path(wanted).name != Path(base).name:
            raise MedqaError(
                f"wanted an adapter of {base} in {adapter}, found one of {wanted}; give another adapter or model"
            )
        return
    manifest = read_manifest(adapter, KIND, MAKE)
    made_on = manifest["base"]
    for name in (WEIGHTS, CONFIG):
        if not (adapter / name).is_file() or sha256_file(adapter / name) != manifest["outputs"].get(name):
            raise MedqaError(
                f"wanted {adapter / name} as it was written, found it changed or gone; fine-tune again with: {MAKE}"
            )
    found = base_fingerprint(resolve_model(str(base), offline=False))
    if found != made_on["fingerprint"]:
        raise MedqaError(
            f"wanted an adapter of {portable_name(str(base))} (weights {found[:12]}) in {adapter}, found one of "
            f"{made_on['name']} (weights {made_on['fingerprint'][:12]}); fine-tune again with: {MAKE}"
        )
