"""Checkpoints of one recipe: where they lie, which of them are whole, and when they go.

They lie in ``checkpoints/NAME-KEY`` beside the result's folder, KEY being the recipe's, so that another recipe never resumes
from them. A manifest with hashes is written into each when it is complete.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from medqa.manifest import is_current, recipe_key, write_manifest

_STEP = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Resume:
    """Where an interrupted run goes on."""

    checkpoint: Path | None
    """The newest whole checkpoint; None: start over."""
    damaged: tuple[str, ...] = ()
    """Names of newer ones that were incomplete or changed, and are removed."""


def checkpoint_folder(out: Path, key: str) -> Path:
    """Folder of the checkpoints of the recipe ``key``, whose result goes to ``out``."""
    return out.parent / "checkpoints" / f"{out.name}-{key[:12]}"


def seal_checkpoint(folder: Path, key: str) -> None:
    """Mark the checkpoint in ``folder`` as complete."""
    write_manifest(folder, "checkpoint", {"recipe": key}, {}, {"step": _step(folder)})


def find_resume(folder: Path, key: str) -> Resume:
    """The newest whole checkpoint in ``folder``; damaged newer ones are deleted on the way."""
    candidates = sorted((c for c in folder.glob("checkpoint-*") if _STEP.fullmatch(c.name)), key=_step, reverse=True)
    expected = recipe_key("checkpoint", {"recipe": key}, {})
    damaged: list[str] = []
    for candidate in candidates:
        if is_current(candidate, "checkpoint", expected):
            return Resume(candidate, tuple(damaged))
        damaged.append(candidate.name)
        shutil.rmtree(candidate)
    return Resume(None, tuple(damaged))


def remove_checkpoints(out: Path) -> None:
    """Delete the checkpoints of the finished result ``out``, those of abandoned recipes of the same name included."""
    parent = out.parent / "checkpoints"
    for folder in parent.glob(f"{out.name}-*"):
        if re.fullmatch(re.escape(out.name) + "-[0-9a-f]{12}", folder.name):
            shutil.rmtree(folder)
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()


def _step(folder: Path) -> int:
    match = _STEP.fullmatch(folder.name)
    return int(match.group(1)) if match else -1
