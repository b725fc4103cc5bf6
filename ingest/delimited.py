"""Reader of csv and tsv files. A row that cannot be read is handed on with the reason; the rows after it still count."""

import csv
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest.encoding import read_lines
from ingest.raw import RawRow, resolve_columns
from medqa.errors import MedqaError

_DELIMITERS = (",", ";", "\t", "|")
_MAX_RECORD_LINES = 5_000
"""A quoted field longer than this is taken for a quote that was never closed; MedQuAD's longest has 600 lines."""


def read_delimited(path: Path, columns: Mapping[str, str]) -> Iterator[RawRow]:
    """Rows of a csv or tsv file with a header, plain or compressed; blank lines are no rows.

    Raises:
        MedqaError: empty file, or no column for question or answer.
    """
    # The default limit of 131,072 characters refuses long answers. The switch is the csv module's own global.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    lines = _Lines(read_lines(path))
    header_line = lines.first_filled()
    if header_line is None:
        raise MedqaError(f"wanted a header and rows in {path}, found an empty file")
    delimiter, header = _sniff(header_line, columns)
    place = {field: header.index(name) for field, name in resolve_columns(header, columns, str(path)).items()}
    for row, cells, problem in _records(lines, delimiter):
        if not problem and len(cells) != len(header):
            start = delimiter.join(cells)[:80]
            problem = f"wanted {len(header)} fields, found {len(cells)}: {start}"
        fields = {} if problem else {field: cells[i] for field, i in place.items()}
        yield RawRow(path.name, row, fields, problem)


def _sniff(line: str, columns: Mapping[str, str]) -> tuple[str, list[str]]:
    """The delimiter that makes the header name our columns, else the one with most columns; and the header.

    The header alone decides: long answers are full of commas, and mislead statistics such as csv.Sniffer's.
    """
    headers = {
        d: [c.strip() for c in next(csv.reader([line], delimiter=d, skipinitialspace=True))] for d in _DELIMITERS
    }
    for delimiter, header in headers.items():
        try:
            resolve_columns(header, columns, "the header")
        except MedqaError:
            continue
        return delimiter, header
    delimiter = max(_DELIMITERS, key=lambda d: len(headers[d]))
    return delimiter, headers[delimiter]


def _records(lines: "_Lines", delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """``(line number, cells, problem)`` per record.

    Where quoting is broken, only the first line of the failed record is given up, and reading goes on with the next
    line: an unclosed quote costs its own row, not everything up to the next quote.
    """
    reader = _reader(lines, delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row, text = lines.give_up()
            yield row, [], f"broken quoting ({error}): {text.strip()[:80]}"
            reader = _reader(lines, delimiter)
            continue
        row = lines.take()
        if len(cells) > 1 or any(
            cell.strip() for cell in cells
        ):  # separators without content are a row, if a useless one
            yield row, cells, ""


def _reader(lines: "_Lines", delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


class _Lines:
    """Physical lines, with those of the current record kept so that they can be read again."""

    def __init__(self, fresh: Iterator[str]) -> None:
        self._fresh = fresh
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._done = 0  # lines before the current record

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self._record) >= _MAX_RECORD_LINES:
            raise StopIteration  # the csv reader then reports an unclosed quote
        line = self._again.popleft() if self._again else next(self._fresh)
        self._record.append(line)
        return line

    def first_filled(self) -> str | None:
        """The first line that is not blank, consumed; None at the end."""
        for line in self:
            self.take()
            if line.strip():
                return line
        return None

    def take(self) -> int:
        """End the current record; returns the line it began on, from 1."""
        start = self._done + 1
        self._done += len(self._record)
        self._record.clear()
        return start

    def give_up(self) -> tuple[int, str]:
        """End the current record after its first line, the others to be read again; that line's number and text."""
        first, *rest = self._record
        self._again.extendleft(reversed(rest))
        self._record = [first]
        return self.take(), first
