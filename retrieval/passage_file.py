"""Passages on disk: one JSON line each, read only when it is asked for."""

import json
import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

from medqa.errors import MedqaError
from medqa.records import Passage

if TYPE_CHECKING:
    import numpy as np

PASSAGES = "passages.jsonl"
OFFSETS = "passages.npy"
_NO_HEADER = b'"header": ""'
"""How a line says so. A quotation mark inside a text is escaped, so that a text cannot hold this."""
_TITLE, _NEXT = b'"title": "', b'", "source": "'
"""What stands around a title, for the same reason nowhere else in a line."""
_KEPT = 100_000
"""Decoded passages kept at hand: all of MedQuAD's 46,588 (about 90 MB once each was read), part of a larger corpus."""


def write_passages(folder: Path, passages: Iterable[Passage]) -> None:
    """Write the passages in row order, and where each line begins.

    Raises:
        OSError: the disk is full or read-only.
    """
    import numpy as np

    names = [f.name for f in fields(Passage)]  # dataclasses.asdict would copy every span: five times as slow
    offsets = [0]
    with (folder / PASSAGES).open("wb") as stream:
        for passage in passages:
            line = json.dumps({name: getattr(passage, name) for name in names}, ensure_ascii=False) + "\n"
            offsets.append(offsets[-1] + stream.write(line.encode()))
    np.save(folder / OFFSETS, np.asarray(offsets, dtype=np.int64))


def have_header(passages: Sequence[Passage], rows: "np.ndarray") -> "np.ndarray":
    """(n,) bool: which of ``rows`` (n,) have something embedded in front of their text."""
    import numpy as np

    if isinstance(passages, PassageFile):
        return passages.have_header(rows)
    return np.array([bool(passages[row].header) for row in rows.tolist()], dtype=bool)


def titles(passages: Sequence[Passage]) -> list[str]:
    """The title of every row."""
    return list(passages.titles()) if isinstance(passages, PassageFile) else [p.title for p in passages]


class PassageFile(Sequence[Passage]):
    """The passages of a generation. The file is mapped, so opening costs the same for a thousand and for a million."""

    def __init__(self, path: Path, offsets: "np.ndarray") -> None:
        self._path = path
        self._offsets = offsets
        with path.open("rb") as stream:
            self._lines = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._decoded = lru_cache(_KEPT)(self._decode)
        self._headed: np.ndarray | None = None

    @classmethod
    def open(cls, folder: Path) -> "PassageFile":
        """The passages that ``write_passages`` wrote.

        Raises:
            OSError, ValueError: a file is missing, or not the one that was written.
        """
        import numpy as np

        offsets = np.load(folder / OFFSETS, mmap_mode="r")
        path = folder / PASSAGES
        if path.stat().st_size != offsets[-1]:
            raise ValueError(f"{PASSAGES} has {path.stat().st_size} bytes instead of {offsets[-1]}")
        return cls(path, offsets)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[Passage, ...]: ...
    def __getitem__(self, row: int | slice) -> Passage | tuple[Passage, ...]:
        """The passage of ``row``.

        Raises:
            IndexError: no such row.
            MedqaError: its line is damaged.
        """
        if isinstance(row, slice):
            return tuple(self._decoded(i) for i in range(*row.indices(len(self))))
        return self._decoded(range(len(self))[row])

    def __iter__(self) -> Iterator[Passage]:
        return map(self._decoded, range(len(self)))

    def has_header(self, row: int) -> bool:
        """Whether something was embedded in front of the passage. Its line is searched: decoding takes far longer."""
        return self._lines.find(_NO_HEADER, int(self._offsets[row]), int(self._offsets[row + 1])) < 0

    def have_header(self, rows: "np.ndarray") -> "np.ndarray":
        """(n,) bool: ``has_header`` of ``rows`` (n,). Each line is searched once, as most questions meet the same topics."""
        import numpy as np

        if self._headed is None:
            self._headed = np.full(len(self), -1, dtype=np.int8)  # not known yet
        for row in rows[self._headed[rows] < 0].tolist():
            self._headed[row] = self.has_header(row)
        found: np.ndarray = self._headed[rows] == 1
        return found

    def titles(self) -> Iterator[str]:
        """The title of every row, in order, as it stands in the line: equal titles are equal here, escapes and all."""
        for start, end in zip(self._offsets[:-1].tolist(), self._offsets[1:].tolist(), strict=True):
            begin = self._lines.find(_TITLE, start, end) + len(_TITLE)
            yield self._lines[begin : self._lines.find(_NEXT, begin, end)].decode()

    def _decode(self, row: int) -> Passage:
        line = self._lines[int(self._offsets[row]) : int(self._offsets[row + 1])]
        try:
            values = json.loads(line)
            values["sentences"] = tuple((start, end) for start, end in values["sentences"])
            return Passage(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise MedqaError(
                f"wanted a passage in line {row + 1} of {self._path}, found something else; "
                "go back with: medqa index rollback, or build again"
            ) from error
