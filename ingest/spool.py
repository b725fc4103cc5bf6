"""Records on disk, addressed by number: what has to be kept of every row without staying in memory."""

import os
import pickle
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Spool(Generic[T]):
    """An append-only list of records in an unnamed temporary file of this process: nothing remains of it, crash or not.

    In memory it takes eight bytes a record.
    """

    def __init__(self, folder: Path) -> None:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".rows-")
        Path(name).unlink()
        self._file = os.fdopen(handle, "w+b")
        self._starts = array("Q", [0])
        self._flushed = True

    def __enter__(self) -> "Spool[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, record: T) -> int:
        """Store ``record``; returns its number."""
        data = pickle.dumps(record, pickle.HIGHEST_PROTOCOL)
        self._file.write(data)
        self._starts.append(self._starts[-1] + len(data))
        self._flushed = False
        return len(self._starts) - 2

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> T:
        if not self._flushed:
            self._file.flush()
            self._flushed = True
        start, stop = self._starts[number], self._starts[number + 1]
        record: T = pickle.loads(os.pread(self._file.fileno(), stop - start, start))
        return record

    def __iter__(self) -> Iterator[T]:
        return (self[number] for number in range(len(self)))
