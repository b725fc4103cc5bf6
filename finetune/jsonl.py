"""Examples as JSON Lines, to look at, to carry to a training machine, or to train another program on.

One object per line: ``id`` (the pair's id), ``split`` (train or validation), ``kind`` (closed_book, grounded or refusal),
``question``, ``sources`` (null for closed_book, else a list of ``{"title", "text", "pair_id"}`` in the order shown) and
``answer`` (sentences followed by ``[n]``, n counting ``sources`` from 1).
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from finetune.examples import KINDS, Example
from finetune.negatives import plain
from medqa.errors import MedqaError
from medqa.files import write_atomically
from medqa.records import QAPair
from rag.prompt import Source

_MARKER = re.compile(r"\[(\d+)\]")


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write ``examples``, one per line, in one step."""
    write_atomically(path, "".join(json.dumps(_to_json(e), ensure_ascii=False) + "\n" for e in examples))


def read_examples(path: Path) -> list[Example]:
    """Examples of a file that ``write_examples`` or another program wrote.

    Raises:
        MedqaError: missing, empty, or a line that is no example; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MedqaError(
            f"wanted examples (JSON Lines) at {path}, found none that can be read ({error}); "
            f"write them with: medqa finetune generator --export {path}"
        ) from error
    examples = [_from_json(line, f"{path}:{n}") for n, line in enumerate(lines, start=1) if line.strip()]
    if not examples:
        raise MedqaError(f"wanted examples in {path}, found an empty file; write them with: --export {path}")
    return examples


def refuse_held_out(examples: Sequence[Example], held_out: Iterable[QAPair]) -> None:
    """Stop if ``examples`` ask, quote or show a held-out pair.

    Raises:
        MedqaError: naming how many examples leak and the first of them.
    """
    held_out = list(held_out)
    ids = {p.id for p in held_out}
    questions = {plain(p.question) for p in held_out}
    leaking = [e.id for e in examples if e.id in ids or ids & set(e.source_pairs) or plain(e.question) in questions]
    if leaking:
        raise MedqaError(
            f"wanted training examples without held-out pairs, found {len(leaking)} that use one, e.g. {leaking[0]}; "
            "build them again from this corpus with: medqa finetune generator --export FILE"
        )


def _to_json(example: Example) -> dict[str, Any]:
    pair_ids = example.source_pairs or ("",) * len(example.sources or ())
    sources = None
    if example.sources is not None:
        shown = zip(example.sources, pair_ids, strict=True)
        sources = [{"title": s.title, "text": s.text, "pair_id": pair_id} for s, pair_id in shown]
    return {
        "id": example.id,
        "split": example.split,
        "kind": example.kind,
        "question": example.question,
        "sources": sources,
        "answer": example.answer,
    }


def _from_json(line: str, where: str) -> Example:
    try:
        row = json.loads(line)
        sources = row["sources"]
        example = Example(
            id=str(row["id"]),
            question=str(row["question"]),
            sources=None
            if sources is None
            else tuple(Source(str(s["text"]), str(s.get("title", ""))) for s in sources),
            answer=str(row["answer"]),
            kind=row["kind"],
            split=row.get("split", "train"),
            source_pairs=tuple(str(s.get("pair_id", "")) for s in sources or ()),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise MedqaError(
            f"wanted an example with id, kind, question, sources, answer at {where}, found another line "
            f"({type(error).__name__}: {error})"
        ) from error
    problem = _problem(example)
    if problem:
        raise MedqaError(f"wanted {problem[0]} at {where}, found {problem[1]}")
    return example


def _problem(example: Example) -> tuple[str, str] | None:
    """What was wanted and found if the fields contradict each other, else None."""
    if example.kind not in KINDS:
        return f"a kind of {', '.join(KINDS)}", repr(example.kind)
    if example.split not in ("train", "validation"):
        return "a split of train or validation", repr(example.split)
    if not example.answer.strip() or not example.question.strip():
        return "a question and an answer", "an empty one"
    if (example.kind == "closed_book") != (example.sources is None):
        return "sources: null for closed_book and a list otherwise", f"kind {example.kind} with other sources"
    if example.sources is not None:
        if not example.sources:
            return "at least one source", "an empty list"
        outside = [n for n in _MARKER.findall(example.answer) if not 1 <= int(n) <= len(example.sources)]
        if outside:
            return f"markers from [1] to [{len(example.sources)}] in the answer", f"[{outside[0]}]"
    return None
