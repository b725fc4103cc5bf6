"""Batch answering that survives interruption: rows are kept as they are finished, and a second start goes on from there."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from medqa.files import sha256_bytes
from medqa.queries import Query
from medqa.records import Answer, Variant
from rag.output import answer_row


class Answering(Protocol):
    """What answers: a pipeline."""

    def answer_all(self, questions: Sequence[str], variant: Variant) -> list[Answer]:
        """One answer per question, in order."""
        ...


def predict(
    pipeline: Answering,
    queries: Sequence[Query],
    variant: Variant,
    out: Path,
    *,
    batch_size: int,
    key: str,
    describe: Callable[[str, Answer], dict[str, Any]] = answer_row,
) -> dict[str, Any]:
    """Answer all queries into ``out`` (JSONL, input order), replacing it only when all are done.

    Finished rows wait in ``.NAME.<key>.partial`` beside it. ``key`` stands for everything that decides the answers
    (index, model, settings): a start with another key does not pick up those rows.
    """
    digest = sha256_bytes(json.dumps([key, variant, [(q.id, q.question) for q in queries]]).encode())[:16]
    partial = out.with_name(f".{out.name}.{digest}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    done = _finished_rows(partial)
    left = [q for q in queries if q.id not in done]
    progress = tqdm(total=len(queries), initial=len(done), desc=f"answering ({variant})", unit="q", disable=None)
    with partial.open("a", encoding="utf-8") as stream, progress:
        for start in range(0, len(left), batch_size):
            batch = left[start : start + batch_size]
            answers = pipeline.answer_all([q.question for q in batch], variant)
            for query, answer in zip(batch, answers, strict=True):
                row = describe(query.id, answer)
                done[query.id] = row
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            progress.update(len(batch))
    finished = out.with_name(f".{out.name}.{digest}.done")
    with finished.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(done[q.id], ensure_ascii=False) + "\n" for q in queries)
    os.replace(finished, out)
    partial.unlink()
    return {
        "out": str(out),
        "variant": variant,
        "questions": len(queries),
        "resumed": len(queries) - len(left),
        "abstained": sum(bool(done[q.id]["abstained"]) for q in queries),
    }


def _finished_rows(partial: Path) -> dict[str, dict[str, Any]]:
    """Whole rows of an earlier start; a row cut off by a crash is cut away."""
    if not partial.exists():
        return {}
    rows: dict[str, dict[str, Any]] = {}
    whole = 0
    with partial.open("rb") as stream:
        for line in stream:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                break
            if not line.endswith(b"\n"):
                break
            rows[row["id"]] = row
            whole += len(line)
    with partial.open("r+b") as stream:
        stream.truncate(whole)
    return rows
