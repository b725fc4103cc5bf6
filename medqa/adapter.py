"""An adapter and the base model it belongs to: whoever trains, merges, loads or checks one agrees here."""

from pathlib import Path

from medqa.base_model import base_fingerprint, portable_name, resolve_model
from medqa.errors import MedqaError
from medqa.files import read_json
from medqa.manifest import MANIFEST, read_manifest

KIND = "adapter"
MAKE = "medqa finetune generator --config configs/nano-cpu.yaml"
CONFIG = "adapter_config.json"


def check_adapter(adapter: Path, base: Path | str) -> None:
    """Refuse an adapter that was trained on other weights than those of ``base`` (a folder or a hub id).

    A PEFT folder without our manifest (made elsewhere) is held to the base name in its configuration.

    Raises:
        MedqaError: no adapter there, unfinished, or of another base model.
    """
    if not (adapter / MANIFEST).is_file() and (adapter / CONFIG).is_file():
        wanted = str(read_json(adapter / CONFIG).get("base_model_name_or_path"))
        if Path(wanted).name != Path(base).name:
            raise MedqaError(
                f"wanted an adapter of {base} in {adapter}, found one of {wanted}; give another adapter or model"
            )
        return
    made_on = read_manifest(adapter, KIND, MAKE)["base"]
    found = base_fingerprint(resolve_model(str(base), offline=False))
    if found != made_on["fingerprint"]:
        raise MedqaError(
            f"wanted an adapter of {portable_name(str(base))} (weights {found[:12]}) in {adapter}, found one of "
            f"{made_on['name']} (weights {made_on['fingerprint'][:12]}); fine-tune again with: {MAKE}"
        )
