"""The sheet on which people grade answers side by side, as CSV: what is graded, the scale, and one file of grades per rater."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medqa.errors import MedqaError
from medqa.files import write_atomically

SCALE = {
    4: "Excellent: correct and complete",
    3: "Incomplete: correct, and something is missing",
    2: "Related: incorrect, and on the subject",
    1: "Incorrect: wrong or beside the question",
}
"""Grades of answers to consumers' health questions (MEDIQA 2019 shared task, task 3; Ben Abacha & Demner-Fushman, 2019)."""
SHEET = "sheet.csv"
GRADES = "grades"
"""Folder of the raters' files in a review folder."""
RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""A rater's name; it is a file's name too."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question with the answers to grade, in an order that says nothing about who gave them."""

    id: str
    question: str
    reference: str
    answers: tuple[str, ...]


Grades = Mapping[str, tuple[int | None, ...]]
"""Item id -> grade of each answer, None where there is none yet."""


def write_sheet(path: Path, items: Sequence[Item]) -> None:
    """``items`` as a CSV with empty columns for the grades; all have as many answers."""
    places = range(1, len(items[0].answers) + 1)
    header = [
        "item",
        "question",
        "reference",
        *(f"answer_{n}" for n in places),
        *(f"grade_{n}" for n in places),
        "comment",
    ]
    empty = [""] * (len(places) + 1)
    _write(
        path, header, [[i.id, _inert(i.question), _inert(i.reference), *map(_inert, i.answers), *empty] for i in items]
    )


def read_sheet(path: Path) -> list[Item]:
    """The items of a sheet, filled in or not.

    Raises:
        MedqaError: no such file, or not a sheet.
    """
    rows = _read(path)
    places = _places(rows[0], "answer_", path)
    return [Item(r["item"], r["question"], r["reference"], tuple(r[f"answer_{n}"] for n in places)) for r in rows]


def write_grades(path: Path, grades: Grades, comments: Mapping[str, str]) -> None:
    """One rater's grades, all or nothing."""
    number = len(next(iter(grades.values())))
    header = ["item", *(f"grade_{n}" for n in range(1, number + 1)), "comment"]
    rows = [
        [i, *("" if g is None else str(g) for g in given), _inert(comments.get(i, ""))] for i, given in grades.items()
    ]
    _write(path, header, rows)


def read_grades(path: Path) -> tuple[dict[str, tuple[int | None, ...]], dict[str, str]]:
    """Grades and comments of one rater: a filled-in sheet, or what the review page wrote.

    Raises:
        MedqaError: no such file, no columns of grades, a grade outside 1 to 4, an item twice.
    """
    rows = _read(path)
    places = _places(rows[0], "grade_", path)
    grades: dict[str, tuple[int | None, ...]] = {}
    for row in rows:
        if row["item"] in grades:
            raise MedqaError(f"wanted every item once in {path}, found {row['item']!r} twice; delete one of the lines")
        grades[row["item"]] = tuple(_grade(row[f"grade_{n}"], row["item"], path) for n in places)
    return grades, {row["item"]: row.get("comment") or "" for row in rows}


def _grade(text: str | None, item: str, path: Path) -> int | None:
    value = (text or "").strip()
    if not value:
        return None
    if value.removesuffix(".0") not in {str(g) for g in SCALE}:  # a spreadsheet may have made 3 into 3.0
        raise MedqaError(f"wanted a grade of 1 to 4 (or nothing) for item {item} in {path}, found {value!r}; mend it")
    return int(value.removesuffix(".0"))


def _places(row: Mapping[str, str], prefix: str, path: Path) -> range:
    number = 0
    while f"{prefix}{number + 1}" in row:
        number += 1
    if not number or "item" not in row:
        raise MedqaError(
            f"wanted the columns item and {prefix}1 ... in {path}, found {', '.join(row)}; "
            "give a sheet of medqa eval review export"
        )
    return range(1, number + 1)


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MedqaError(f"wanted a review sheet in UTF-8 at {path}, found none that can be read ({error})") from error
    # Spreadsheets of some countries write semicolons.
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    if not rows:
        raise MedqaError(f"wanted rows in {path}, found none; give a sheet of medqa eval review export")
    return rows


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(
        path, "\ufeff" + stream.getvalue()
    )  # the mark without which Excel takes UTF-8 for another encoding


def _inert(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
