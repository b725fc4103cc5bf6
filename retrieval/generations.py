"""Index folders on disk: numbered generations, one pointer file, one lock for writers.

``INDEX/generations/000001/`` … hold complete indexes, ``INDEX/CURRENT`` names the one that readers open. A generation is
written aside, its manifest last, renamed, and only then does the pointer move: a crash at any moment leaves the old one
current. What a crash leaves behind begins with a dot, is never read, and the next writer deletes it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medqa.errors import MedqaError
from medqa.files import staged_folder, write_atomically
from medqa.manifest import MANIFEST

_CURRENT = "CURRENT"
_FOLDER = "generations"
_LOCK = ".lock"


def current(index: Path) -> Path:
    """Folder of the generation that readers open.

    Raises:
        MedqaError: no index there, or a pointer to nothing.
    """
    folder = find_current(index)
    if folder is None:
        raise MedqaError(f"wanted an index at {index}, found none; make it with: medqa index build --index {index}")
    if not (folder / MANIFEST).is_file():
        raise MedqaError(
            f"wanted the complete generation {folder.name} in {index}, found none; "
            f"go back with: medqa index rollback --index {index}"
        )
    return folder


def find_current(index: Path) -> Path | None:
    """Folder that the pointer names, which may be damaged; None where there is no pointer."""
    try:
        name = (index / _CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise MedqaError(
            f"wanted a readable pointer {index / _CURRENT}, found: {error}; restore it or build again"
        ) from error
    if not name.isdigit():
        raise MedqaError(
            f"wanted a generation's name such as 000001 in {index / _CURRENT}, found {name!r}; write one into it"
        )
    return index / _FOLDER / name


def complete(index: Path) -> list[Path]:
    """All finished generations, oldest first."""
    folders = (index / _FOLDER).glob("[0-9]*")
    return sorted((f for f in folders if (f / MANIFEST).is_file()), key=lambda f: int(f.name))


@contextmanager
def writer(index: Path) -> Iterator[None]:
    """Hold the index's writing lock. Leftovers of crashed writers are deleted first.

    The kernel drops the lock when the process ends, however it ends.

    Raises:
        MedqaError: another writer is at work, or the folder cannot be written.
    """
    try:
        (index / _FOLDER).mkdir(parents=True, exist_ok=True)
        stream = (index / _LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise MedqaError(f"wanted a writable index folder {index}, found: {error.strerror}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MedqaError(f"wanted to write {index}, found another writer at work; wait until it is done") from None
        _clean(index)
        yield


@contextmanager
def new_generation(index: Path, keep: int) -> Iterator[Path]:
    """A folder to fill, manifest included; when the block ends well it becomes current and all but ``keep`` go.

    Only inside ``writer``.

    Raises:
        MedqaError: the disk is full or read-only; the current generation stays.
    """
    numbers = [int(f.name) for f in (index / _FOLDER).glob("[0-9]*")]
    target = index / _FOLDER / f"{max(numbers, default=0) + 1:06d}"
    try:
        with staged_folder(target) as folder:
            yield folder
            _sync(folder)
        _point(index, target)
    except OSError as error:
        raise MedqaError(
            f"wanted to write a generation to {index}, found: {error.strerror or error}; what was there is untouched"
        ) from error
    _prune(index, keep)


def rollback(index: Path) -> tuple[str, str]:
    """Make the generation before the current one current. Returns both names, ``(from, to)``.

    Raises:
        MedqaError: there is no older complete generation, or another writer is at work.
    """
    with writer(index):
        now = find_current(index)
        older = [f for f in complete(index) if now is not None and int(f.name) < int(now.name)]
        if now is None or not older:
            found = f"only {now.name}" if now else "no index"
            raise MedqaError(
                f"wanted an older generation in {index}, found {found}; make a new one with: medqa index build"
            )
        _point(index, older[-1])
        return now.name, older[-1].name


def _point(index: Path, generation: Path) -> None:
    _sync_folder(generation.parent)
    write_atomically(index / _CURRENT, generation.name + "\n")
    _sync_folder(index)


def _prune(index: Path, keep: int) -> None:
    now = find_current(index)
    for folder in complete(index)[:-keep]:
        if folder != now:
            # Its manifest goes first: a half-deleted generation must not count as complete.
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)


def _clean(index: Path) -> None:
    now = find_current(index)
    for folder in (index / _FOLDER).iterdir():
        unfinished = folder.name.startswith(".") or not (folder / MANIFEST).is_file()
        if unfinished and folder != now:
            shutil.rmtree(folder, ignore_errors=True)
    for leftover in index.glob(f".{_CURRENT}.*"):
        leftover.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Flush the files to disk before the pointer moves, so that a power cut cannot leave it on empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_folder(path)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
