"""One door to all input formats: every row of a source, readable or not, as a ``RawRow``. Streams."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest.delimited import read_delimited
from ingest.encoding import open_bytes, read_lines, readable
from ingest.hub import is_hub_id, read_hub
from ingest.medquad import read_medquad
from ingest.raw import RawRow, check_mapping, from_mapping, match_columns, resolve_columns
from medqa.errors import MedqaError

FORMATS = (
    "csv, tsv, jsonl, parquet (each also .gz or .xz), MedQuAD's XML as folder or zip, or a Hugging Face data set id"
)
_PARQUET_ROWS = 1024  # rows decoded at once: some 2 MB of answers


def read_rows(source: Path, columns: Mapping[str, str]) -> Iterator[RawRow]:
    """Rows of ``source`` in file order; ``columns`` maps our field names to the file's where they differ.

    Raises:
        MedqaError: nothing there, a format not listed in ``FORMATS``, a damaged file, or no column for question or answer.
    """
    check_mapping(columns)
    if is_hub_id(source):
        return read_hub(source.as_posix(), columns)
    if not source.exists():
        raise MedqaError(f"wanted an input at {source}, found nothing there; give {FORMATS}")
    if source.is_dir() or source.suffix == ".zip":
        return read_medquad(source)
    name = source.with_suffix("").name if source.suffix in (".gz", ".xz") else source.name
    match Path(name).suffix.lower():
        case ".csv" | ".tsv":
            return read_delimited(source, columns)
        case ".jsonl":
            return read_jsonl(source, columns)
        case ".parquet":
            return read_parquet(source, columns)
    raise MedqaError(f"wanted {FORMATS}, found {source.name}; convert it, or rename it if it is one of these")


def read_jsonl(path: Path, columns: Mapping[str, str]) -> Iterator[RawRow]:
    """One JSON object per line; keys may differ from line to line.

    Raises:
        MedqaError: at the end, if no object had a key for question or answer, or for a field that ``columns`` asks for.
    """
    keys: dict[str, None] = {}  # all keys seen, in order
    objects = 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.lstrip("\ufeff"))
            if not isinstance(value, dict):
                raise ValueError(f"holds a JSON {type(value).__name__}, no object")
        except (ValueError, RecursionError) as error:  # RecursionError: thousands of opening brackets
            yield RawRow(path.name, number, {}, f"not a JSON object ({error}): {line.strip()[:80]}")
            continue
        objects += 1
        keys.update(dict.fromkeys(value))
        yield from_mapping(path.name, number, value, match_columns(list(value), columns))
    if objects:
        resolve_columns(list(keys), columns, str(path))


def read_parquet(path: Path, columns: Mapping[str, str]) -> Iterator[RawRow]:
    """Rows of a Parquet file, decoded in batches.

    Raises:
        MedqaError: not Parquet, or no column for question or answer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with readable(path), tempfile.TemporaryFile() as plain, open_bytes(path) as raw:
        shutil.copyfileobj(raw, plain)  # Parquet is read from its end: a compressed stream has to be unpacked first
        plain.seek(0)
        try:
            file = pq.ParquetFile(plain)
            names = resolve_columns(file.schema_arrow.names, columns, str(path))
            number = 0
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=list(names.values())):
                for record in batch.to_pylist():
                    number += 1
                    yield from_mapping(path.name, number, record, names)
        except pa.ArrowException as error:
            raise MedqaError(f"wanted a Parquet file, found {path} unreadable ({error}); write it again") from error
