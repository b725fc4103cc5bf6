"""What an index will take on disk and in memory, before hours go into building it."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medqa.errors import MedqaError
from medqa.records import Passage
from retrieval.approximate import number_of_lists
from retrieval.stores import Storage

_MEMINFO = Path("/proc/meminfo")
_LINE = 340
"""Bytes of a passage's JSON line beside its text and header: names of fields, ids, url, spans. MedQuAD: 330."""
_BM25_DISK = 1.0
"""Bytes of BM25 files per byte of embedded text: 8 per different word of a passage, 4 per word. MedQuAD: 0.98."""
_BM25_MEMORY = 5.0
"""Bytes in memory per byte of embedded text while BM25 is built: some 50 per word of 10 bytes (with stop words)."""
_PASSAGE_MEMORY = 2200
"""Bytes of a passage as a Python object, its text and header apart, with the update's old one and look-up tables."""
_VECTOR_COPIES = 3
"""Times the vectors are in memory at the peak: as embedded, in row order, in FAISS."""
_BASE_MEMORY = 1_200_000_000
"""Python with torch, transformers, faiss and the encoder at work on a batch."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes."""

    disk: int
    """Of the new generation."""
    memory: int
    """Resident at the peak of building."""


def estimate(passages: int, text_bytes: int, dim: int, storage: Storage) -> Estimate:
    """What a generation of ``passages`` passages with ``text_bytes`` of embedded text (UTF-8) takes.

    With n passages, t bytes of text and d dimensions, in bytes::

        disk   = 4nd  vectors  +  t + 340n  passages  +  8n  offsets  +  t  BM25
                 + (nd + 8n + 4d lists)  if more than ``exact_up_to`` and FAISS  +  8n  keys and 4nd rows in Milvus Lite
        memory = 1.2 GB  +  3 * 4nd  vectors  +  2t + 2200n  passages  +  5t  BM25
                 + (nd + 8n)  if approximate

    The constants were measured on MedQuAD (46,588 passages); ``index stats`` shows estimate and truth side by side.
    """
    vectors = 4 * passages * dim
    disk = vectors + text_bytes + (_LINE + 8) * passages + round(_BM25_DISK * text_bytes)
    memory = (
        _BASE_MEMORY + _VECTOR_COPIES * vectors + 2 * text_bytes + _PASSAGE_MEMORY * passages
        + round(_BM25_MEMORY * text_bytes)
    )  # fmt: skip
    if storage.kind == "milvus":
        disk += 8 * passages + (vectors if storage.uri is None or "://" not in storage.uri else 0)
    elif passages > storage.exact_up_to:
        codes = passages * (dim + 8)
        disk += codes + 4 * dim * number_of_lists(passages)
        memory += codes
    return Estimate(disk, memory)


def check_room(index: Path, passages: Sequence[Passage], dim: int, storage: Storage) -> Estimate:
    """The estimate for ``passages``, if this machine has room for it.

    Args:
        index: where the generation will lie; the folder exists.
        passages: the generation's.
        dim: length of a vector.
        storage: decides what is written.

    Raises:
        MedqaError: too little disk or memory, with the smallest change that would fit.
    """
    text = sum(len(p.embedded_text.encode()) for p in passages)
    needed = estimate(len(passages), text, dim, storage)
    refuse(needed, len(passages), text, dim, storage, shutil.disk_usage(index).free, _available(), index)
    return needed


def refuse(
    needed: Estimate, passages: int, text_bytes: int, dim: int, storage: Storage, disk: int, memory: int | None,
    index: Path,
) -> None:  # fmt: skip
    """Raise where ``needed`` exceeds the bytes ``disk`` or ``memory`` (None: unknown) that are there.

    Raises:
        MedqaError: with the most passages that would fit and the bytes that are lacking.
    """
    if needed.disk > disk:
        fits = _most(lambda n: estimate(n, text_bytes * n // passages, dim, storage).disk <= disk, passages)
        raise MedqaError(
            f"wanted {_size(needed.disk)} of disk for {passages} passages in {index}, found {_size(disk)} free; free "
            f"{_size(needed.disk - disk)}, put the index on another disk, or index at most {fits} passages (fewer --splits)"
        )
    if memory is not None and needed.memory > memory:
        fits = _most(lambda n: estimate(n, text_bytes * n // passages, dim, storage).memory <= memory, passages)
        raise MedqaError(
            f"wanted {_size(needed.memory)} of memory to build {passages} passages, found {_size(memory)} available; free "
            f"{_size(needed.memory - memory)}, or index at most {fits} passages (fewer --splits)"
        )


def peak_memory() -> int:
    """Bytes that were resident at most in this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def _available() -> int | None:
    """Bytes that this process could have: what it holds and what is free for it; None where the system does not say."""
    if not _MEMINFO.is_file():
        return None
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines() if ":" in line)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return int(fields["MemAvailable"].split()[0]) * 1024 + resident


def _most(fits: Callable[[int], bool], passages: int) -> int:
    """The largest number below ``passages`` that fits (bisection; the need grows with the number)."""
    low, high = 0, passages
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
