"""``Q.jsonl`` of the command-line contract: the questions that search and predict read from a file."""

import json
from dataclasses import dataclass
from pathlib import Path

from medqa.errors import MedqaError


@dataclass(frozen=True, slots=True)
class Query:
    """One line of ``Q.jsonl``."""

    id: str
    question: str


def read_queries(path: Path) -> list[Query]:
    """Lines ``{"id": str, "question": str}``; blank lines are passed over.

    Raises:
        MedqaError: naming the line: not JSON, keys missing, an id twice, or no query at all.
    """
    try:
        # Split at line feeds only: str.splitlines would also cut at U+2028 inside a question.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise MedqaError(f"wanted a queries file at {path}, found none that can be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise MedqaError(f"wanted UTF-8 in {path}, found something else ({error.reason})") from error
    queries = [_query(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not queries:
        raise MedqaError(f'wanted lines like {{"id": "q1", "question": "..."}} in {path}, found none')
    seen: set[str] = set()
    for query in queries:
        if query.id in seen:
            raise MedqaError(f"wanted every id once in {path}, found {query.id!r} twice")
        seen.add(query.id)
    return queries


def _query(path: Path, number: int, line: str) -> Query:
    try:
        row = json.loads(line)
        question = row["question"]
        query_id = row["id"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise MedqaError(
            f'wanted {{"id": "q1", "question": "..."}} in {path} line {number}, found {line[:60]!r}'
        ) from error
    if not isinstance(question, str) or not question.strip() or not isinstance(query_id, str | int):
        raise MedqaError(
            f"wanted a text id and a question that is not empty in {path} line {number}, found {line[:60]!r}"
        )
    return Query(str(query_id), question)
