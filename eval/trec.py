"""Qrels and runs in TREC's text formats, which every retrieval evaluation tool reads.

Qrels: ``query 0 document grade``; run: ``query Q0 document rank score tag``; fields are divided by white space, so an id cannot
hold any.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.retrieval_metrics import Qrels, Run, ranked
from medqa.errors import MedqaError
from medqa.files import write_atomically


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """Query id -> document id -> grade.

    Raises:
        MedqaError: no such file, a line of another form, or a document graded twice for one query.
    """
    qrels: dict[str, dict[str, float]] = {}
    for place, fields in _fields(path, 4, "query 0 document grade"):
        _put(qrels, fields[0], fields[2], fields[3], place)
    return qrels


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Query id -> document id -> score. Ranks are not read: the scores decide, as in trec_eval.

    Raises:
        MedqaError: as ``read_qrels``.
    """
    run: dict[str, dict[str, float]] = {}
    for place, fields in _fields(path, 6, "query Q0 document rank score tag"):
        _put(run, fields[0], fields[2], fields[4], place)
    return run


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write ``qrels``; whole grades as integers, which is what trec_eval reads.

    A query without any document has no line of its own in this format and is lost.

    Raises:
        MedqaError: an id with white space.
    """
    lines = [
        f"{_word(query)} 0 {_word(document)} {grade:g}\n"
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ]
    write_atomically(path, "".join(lines))


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write ``run``, best first, with full precision scores.

    Raises:
        MedqaError: an id or tag with white space.
    """
    lines = [
        f"{_word(query)} Q0 {_word(document)} {rank} {scores[document]!r} {_word(tag)}\n"
        for query, scores in run.items()
        for rank, document in enumerate(ranked(scores), start=1)
    ]
    write_atomically(path, "".join(lines))


def qrels_and_run(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Qrels and run of one cell's rows (``eval.rows``); a ranking without scores gets n, n - 1, ... 1.

    Raises:
        MedqaError: a row without a ranking.
    """
    without = [row["id"] for row in rows if row.get("retrieved") is None]
    if without:
        raise MedqaError(
            f"wanted rows of a system with an index, found {len(without)} without a ranking, e.g. {without[0]}; "
            "choose another system"
        )
    qrels = {row["id"]: dict.fromkeys(row["relevant"], 1.0) for row in rows}
    run = {row["id"]: {d: float(len(row["retrieved"]) - i) for i, d in enumerate(row["retrieved"])} for row in rows}
    return qrels, run


def _fields(path: Path, number: int, form: str) -> Iterator[tuple[str, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MedqaError(f"wanted a TREC file ({form}) at {path}, found none that can be read ({error})") from error
    for n, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) != number:
            raise MedqaError(f"wanted '{form}' in {path} line {n}, found {line[:60]!r}; correct the line")
        if fields:
            yield f"{path} line {n}", fields


def _put(table: dict[str, dict[str, float]], query: str, document: str, value: str, place: str) -> None:
    row = table.setdefault(query, {})
    try:
        number = float(value)
    except ValueError as error:
        raise MedqaError(f"wanted a number in {place}, found {value!r}; correct the line") from error
    if document in row:
        raise MedqaError(f"wanted {document} once for query {query}, found it again in {place}; remove one")
    row[document] = number


def _word(text: str) -> str:
    if len(text.split()) != 1 or text != text.strip():
        raise MedqaError(f"wanted an id without white space for a TREC file, found {text!r}; rename it")
    return text
