"""Manifests: what an artefact was made from. Written last, so that their presence means "complete"."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medqa import __version__
from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes, sha256_file, write_json

MANIFEST = "manifest.json"
_PACKAGES = (
    "torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "sentence-transformers",
    "faiss-cpu", "bm25s", "rensa", "rouge-score", "sacrebleu", "pandas", "pyarrow", "numpy", "scipy", "scikit-learn",
    "charset-normalizer", "optuna",
)  # fmt: skip


def recipe_key(kind: str, inputs: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """Hash of what decides an artefact's content: equal keys mean that making it again would change nothing.

    ``inputs`` maps a name to the hash of its content; dates and paths have no part in it.
    """
    text = json.dumps([kind, __version__, dict(inputs), dict(settings)], sort_keys=True, default=str)
    return sha256_bytes(text.encode())


def write_manifest(
    folder: Path, kind: str, inputs: Mapping[str, str], settings: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write ``folder/manifest.json`` over all files that lie in ``folder`` now, and return it.

    ``facts`` are the kind's own entries (counts, fingerprints, figures).
    """
    outputs = {
        p.relative_to(folder).as_posix(): sha256_file(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p != folder / MANIFEST
    }
    manifest = {
        "kind": kind,
        "key": recipe_key(kind, inputs, settings),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": dict(inputs),
        "settings": dict(settings),
        **facts,
        "outputs": outputs,
        "versions": versions(),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def read_manifest(folder: Path, kind: str, make: str) -> dict[str, Any]:
    """The manifest of a complete artefact of ``kind``; ``make`` is the command that makes one, for the message.

    Raises:
        MedqaError: no such folder, no manifest (never finished), or another kind.
    """
    if not folder.is_dir():
        raise MedqaError(f"wanted a {kind} folder, found none at {folder}; make it with: {make}")
    if not (folder / MANIFEST).is_file():
        raise MedqaError(f"wanted a complete {kind} in {folder}, found no {MANIFEST}; make it again with: {make}")
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("kind") != kind:
        found = manifest.get("kind") if isinstance(manifest, dict) else type(manifest).__name__
        raise MedqaError(f"wanted a {kind} in {folder}, found: {found}; give another folder, or run: {make}")
    return manifest


def is_current(folder: Path, kind: str, key: str) -> bool:
    """True if ``folder`` holds a complete artefact with this recipe key and all its files still have their hashes."""
    path = folder / MANIFEST
    if not path.is_file():
        return False
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("kind") != kind or manifest.get("key") != key:
        return False
    outputs: dict[str, str] = manifest.get("outputs", {})
    return all((folder / name).is_file() and sha256_file(folder / name) == h for name, h in outputs.items())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result; absent ones are left out."""
    found = {"medqa": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
