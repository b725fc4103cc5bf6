"""Hashes and all-or-nothing writes: a crash, a full disk or Ctrl-C leaves the old artefact as it was."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_tree(folder: Path) -> str:
    """Hex SHA-256 over the names and hashes of all files below ``folder``; independent of order and dates."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines = [f"{p.relative_to(folder).as_posix()} {sha256_file(p)}\n" for p in files]
    return sha256_bytes("".join(lines).encode())


def write_atomically(path: Path, data: str | bytes) -> None:
    """Replace ``path`` by ``data`` in one step: written aside, synced, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode("utf-8") if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)  # mkstemp gives 0600, which another user (a service account) could not read
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """``value`` as indented UTF-8 JSON, atomically. NaN is refused: a number that could not be computed is null."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Parsed JSON of ``path``.

    Raises:
        MedqaError: missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MedqaError(f"wanted the file {path}, found none") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MedqaError(f"wanted JSON in {path}, found something else ({error}); make the artefact again") from error


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes ``target``'s place when the block ends without an error, and vanishes otherwise.

    The previous ``target`` stays until the new one is complete; it is moved aside, then deleted.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(target)
    stage = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new-"))
    os.chmod(stage, 0o755)
    try:
        yield stage
        previous = _aside(target)
        if target.exists():
            os.replace(target, previous)
        os.replace(stage, target)
        shutil.rmtree(previous, ignore_errors=True)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        recover_folder(target)
        raise


def recover_folder(target: Path) -> None:
    """Put back the previous ``target`` if a swap was cut between its two renames."""
    previous = _aside(target)
    if previous.exists() and not target.exists():
        os.replace(previous, target)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")
