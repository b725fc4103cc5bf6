"""A row as a reader found it, before any cleaning, and how a file's column names map to ours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.corpus import SYNONYM_SEPARATOR
from medqa.errors import MedqaError

FIELDS = ("id", "question", "answer", "source", "url", "topic", "question_type", "synonyms")
NEEDED = ("question", "answer")


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of one input file; ``problem`` says why it could not be read, and is empty for a readable row."""

    file: str
    """Name of the input, for XML with the document's path inside it."""
    row: int
    """Line on which the row begins (csv, tsv, jsonl) or its number (parquet, pairs of an XML document), from 1."""
    fields: Mapping[str, str]
    """Our field name -> text; synonyms joined by ``|``; fields that the file lacks are absent."""
    problem: str = ""
    unanswered: bool = False
    """The document was published without any answer (three of MedQuAD's collections); no fault of the row."""


def match_columns(found: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Our field name -> the file's column name: the mapped name, else our own, either without regard to case.

    ``columns`` maps our names to the file's; fields without a column are absent from the result.
    """
    by_name = {_loose(name): name for name in reversed(found)}  # of equal names the first one counts
    names = {field: by_name.get(_loose(columns.get(field, field))) or by_name.get(field) for field in FIELDS}
    return {field: name for field, name in names.items() if name is not None}


def resolve_columns(found: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """As ``match_columns``; ``where`` names the file in errors.

    Raises:
        MedqaError: no column for question or answer, or for a field that ``columns`` asks for.
    """
    names = match_columns(found, columns)
    for field in (*NEEDED, *columns):
        if field not in names:
            shown = ", ".join(found[:20]) or "none"
            raise MedqaError(
                f"wanted a column {columns.get(field, field)!r} in {where}, found the columns: {shown}; "
                f"name the right one with --set ingest.columns.{field}=NAME"
            )
    return names


def check_mapping(columns: Mapping[str, str]) -> None:
    """Refuse a mapping for fields that do not exist.

    Raises:
        MedqaError: ``columns`` has a key that is not one of ``FIELDS``.
    """
    unknown = [key for key in columns if key not in FIELDS]
    if unknown:
        raise MedqaError(
            f"wanted ingest.columns to map one of {', '.join(FIELDS)}, found {unknown[0]!r}; correct the name"
        )


def as_text(value: Any) -> str:
    """A cell as text: null and NaN are empty, lists (of synonyms) are joined by ``|``.

    Raises:
        ValueError: the cell holds a structure that is no text.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(v, str | int | float) or v is None for v in value):
        return SYNONYM_SEPARATOR.join(as_text(v) for v in value)
    raise ValueError(f"holds {type(value).__name__} where text was wanted")


def from_mapping(file: str, number: int, record: Mapping[str, Any], names: Mapping[str, str]) -> RawRow:
    """Row ``number`` of ``file``; ``names`` maps our field names to the keys of ``record``."""
    try:
        return RawRow(file, number, {field: as_text(record[name]) for field, name in names.items()})
    except ValueError as error:
        return RawRow(file, number, {}, f"a field {error}")


def _loose(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
