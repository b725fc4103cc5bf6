"""Bodies of ``eval review export | judge | import``: settings and folders in, plain dicts out."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.judge import Server, check_address, judge
from eval.review import blind, evaluate_grades, markdown_review
from eval.rows import by_cell
from eval.run import read_run
from medqa.errors import MedqaError
from medqa.files import read_json, sha256_file, staged_folder, write_atomically, write_json
from medqa.manifest import MANIFEST, write_manifest
from medqa.review_sheet import GRADES, SCALE, SHEET, Grades, read_grades, read_sheet, write_grades, write_sheet
from medqa.settings import Settings

JUDGE = "judge"
"""The rater's name of the language model."""


def export(
    run: Path, out: Path, settings: Settings, *, systems: Sequence[str], index: str, number: int | None
) -> dict[str, Any]:
    """``medqa eval review export``: a folder for the raters, and beside it the key that only the evaluator opens."""
    if out.exists():
        raise MedqaError(f"wanted a new folder at {out}, found one; grades in it would be lost: choose another --out")
    cells = by_cell(read_run(run))
    at_hand = {name: rows for (where, name), rows in cells.items() if where in (index, "none")}
    missing = [name for name in systems if name not in at_hand]
    if missing:
        raise MedqaError(
            f"wanted answers of {missing[0]} on {index} in {run}, found {', '.join(at_hand)}; choose of these"
        )
    sheet = blind({name: at_hand[name] for name in systems or at_hand}, number, settings.seed)
    key_file = key_of(out)
    with staged_folder(out) as stage:
        write_sheet(stage / SHEET, sheet.items)
        write_atomically(stage / "README.md", _instructions(len(sheet.items), len(sheet.items[0].answers)))
        (stage / GRADES).mkdir()
        key = {"run": str(run), "sheet": sha256_file(stage / SHEET), "index": index, "items": sheet.key}
        write_json(key_file, key)
    return {
        "sheet": str(out / SHEET),
        "key": str(key_file),
        "questions": len(sheet.items),
        "answers": len(sheet.items[0].answers),
    }


def judge_sheet(folder: Path, settings: Settings, limit: int | None = None) -> dict[str, Any]:
    """``medqa eval review judge``: the model's grades as those of the rater ``judge``; goes on where it stopped."""
    options = settings.eval.judge
    if options.url is None or not options.model:
        raise MedqaError("wanted eval.judge.url and eval.judge.model, found none; no model judges unless it is named")
    check_address(options.url, settings.offline)
    items = read_sheet(folder / SHEET)[:limit]
    file = folder / GRADES / f"{JUDGE}.csv"
    done: Grades = read_grades(file)[0] if file.exists() else {}
    server = Server(options.url, options.model, os.environ.get("MEDQA_JUDGE_KEY", ""), options.timeout)
    file.parent.mkdir(exist_ok=True)
    found = judge(items, server.complete, done, lambda grades: write_grades(file, grades, {}))
    given = sum(g is not None for grades in found.grades.values() for g in grades)
    reasons = dict(Counter(reason.partition(":")[0] for reason in found.errors.values()))
    return {
        "grades": str(file),
        "given": given,
        "errors": len(found.errors),
        "reasons": reasons,
        "failed": found.errors,
    }


def import_grades(
    folder: Path, files: Sequence[Path], settings: Settings, out: Path | None
) -> tuple[dict[str, Any], str]:
    """``medqa eval review import``: the unblinded result of all raters; written to ``out`` (default ``FOLDER-result``)."""
    key = read_json(key_of(folder))
    chosen = list(files) or sorted((folder / GRADES).glob("*.csv"))
    raters = {file.stem: read_grades(file) for file in chosen}
    if len(raters) < len(chosen):
        raise MedqaError("wanted a file name of its own for every rater, found one twice; rename the files")
    grades: dict[str, Grades] = {name: given for name, (given, _) in raters.items()}
    found = evaluate_grades(grades, key["items"], settings.eval.bootstrap, settings.seed)
    found["comments"] = [
        {"rater": name, "id": key["items"][item]["id"], "comment": text}
        for name, (_, comments) in raters.items()
        for item, text in comments.items()
        if text
    ]
    target = out or Path(f"{folder}-result")
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise MedqaError(f"wanted a new or an earlier result at {target}, found other files; choose another --out")
    report = markdown_review(found)
    with staged_folder(target) as stage:
        write_json(stage / "review.json", found)
        write_atomically(stage / "review.md", report)
        inputs = {"key": sha256_file(key_of(folder)), **{file.stem: sha256_file(file) for file in chosen}}
        write_manifest(stage, "review", inputs, {"bootstrap": settings.eval.bootstrap, "seed": settings.seed}, {})
    return {"out": str(target), **found}, report


def key_of(folder: Path) -> Path:
    """The key lies beside the folder, which can so be handed to raters whole."""
    return folder.with_name(f"{folder.name}.key.json")


def _instructions(questions: int, answers: int) -> str:
    scale = "\n".join(f"- **{grade}** {text}" for grade, text in SCALE.items())
    return (
        f"# Grading {questions} questions, {answers} answers each\n\nRead the question and the reference answer, then grade "
        f"every answer by itself in the columns `grade_1` to `grade_{answers}`. The answers stand in a random order that "
        f"changes from question to question.\n\n{scale}\n\nLeave a grade empty where you cannot judge. Save the sheet as CSV "
        "under your own name in the folder `grades`, or grade on the page that `medqa eval review page` opens.\n"
    )
