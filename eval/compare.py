"""Two runs side by side: the same questions, paired differences with intervals, and which answers changed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.answer_diff import change, markdown_changes
from eval.effects import effects
from eval.rows import Cell, by_cell
from medqa.errors import MedqaError

_COLUMNS = ("rouge1", "rouge2", "rougeL", "bleu", "supported", "refusal_right", "ndcg@10")

Rows = Sequence[dict[str, Any]]


def compare_rows(rows_a: Rows, rows_b: Rows, resamples: int, seed: int) -> list[dict[str, Any]]:
    """One entry per cell that both runs have: B minus A per score with its paired interval, and what changed.

    A score is compared over the questions for which both runs have one; ``n`` says how many. ``regressions`` names the scores
    whose whole interval lies on the worse side of zero.

    Raises:
        MedqaError: the runs asked different questions, gave them other references, or share no cell.
    """
    a, b = by_cell(rows_a), by_cell(rows_b)
    shared = [cell for cell in a if cell in b]
    if not shared:
        raise MedqaError(f"wanted runs with a variant and index in common, found {sorted(a)} and {sorted(b)}")
    return [_compare_cell(cell, a[cell], b[cell], resamples, seed) for cell in shared]


def _compare_cell(cell: Cell, a: Rows, b: Rows, resamples: int, seed: int) -> dict[str, Any]:
    before, after = {row["id"]: row for row in a}, {row["id"]: row for row in b}
    _refuse_different(cell, before, after)
    ids = sorted(before)
    paired = {"A": [before[i] for i in ids], "B": [after[i] for i in ids]}
    found = effects(paired, {"B - A": {"B": 1, "A": -1}}, resamples, seed, groups=())
    changes = [c for i in ids if (c := change(before[i], after[i]))]
    return {
        "index": cell[0],
        "variant": cell[1],
        "questions": len(ids),
        "differences": {e.metric: asdict(e) for e in found},
        "changed_answers": [c["id"] for c in changes if c["answer"]],
        "changed_citations": [c["id"] for c in changes if c["citations"]],
        "new_refusals": [c["id"] for c in changes if c["refusal"] == "new"],
        "lifted_refusals": [c["id"] for c in changes if c["refusal"] == "lifted"],
        "changes": sorted(changes, key=lambda c: (_moved(before[c["id"]], after[c["id"]]), c["id"])),
        "regressions": [e.metric for e in found if e.regression],
    }


def _refuse_different(cell: Cell, a: Mapping[str, Mapping[str, Any]], b: Mapping[str, Mapping[str, Any]]) -> None:
    only_a, only_b = len(a.keys() - b.keys()), len(b.keys() - a.keys())
    if only_a or only_b:
        raise MedqaError(
            f"wanted the same questions in both runs, found {only_a} only in the first and {only_b} only in the second "
            f"({' '.join(cell)}); run both with the same corpus, eval.split, eval.questions and seed"
        )
    other = [i for i in a if (a[i]["question"], a[i]["reference"]) != (b[i]["question"], b[i]["reference"])]
    if other:
        raise MedqaError(
            f"wanted the same questions and reference answers in both runs, found {len(other)} that differ, e.g. {other[0]} "
            f"({' '.join(cell)}); run both on the same corpus"
        )


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Change of ROUGE-L, the worst first."""
    return float(after["scores"].get("rougeL") or 0.0) - float(before["scores"].get("rougeL") or 0.0)


def markdown_comparison(a: Path, b: Path, cells: Sequence[Mapping[str, Any]]) -> str:
    """The comparison as Markdown; differences are B minus A, in points of 100."""
    columns = [c for c in _COLUMNS if any(c in cell["differences"] for cell in cells)]
    lines = [
        f"# {b} against {a}",
        "",
        "Differences in points of 100 with 95 % paired bootstrap intervals; `*` excludes zero. Each interval stands "
        "for itself: among twenty that measure nothing one excludes zero by chance (`p_holm` in `--json` is corrected for it).",
        "",
        "| index | variant | "
        + " | ".join(columns)
        + " | answers changed | citations changed | new refusals | lifted refusals |",
        "|---" * (len(columns) + 6) + "|",
    ]
    for cell in cells:
        scores = [_cell_text(cell["differences"].get(name)) for name in columns]
        kinds = ("changed_answers", "changed_citations", "new_refusals", "lifted_refusals")
        counts = [f"{len(cell[kind])} of {cell['questions']}" if cell[kind] else "0" for kind in kinds]
        lines.append("| " + " | ".join([cell["index"], cell["variant"], *scores, *counts]) + " |")
    for cell in cells:
        if cell["changes"]:
            lines += ["", f"## {cell['index']} {cell['variant']}: changed answers, the worst first"]
            lines += markdown_changes(cell["changes"])
    return "\n".join(lines) + "\n"


def _cell_text(d: Mapping[str, Any] | None) -> str:
    if d is None or d["mean"] is None or d["low"] is None:
        return "–"
    star = "*" if d["low"] > 0 or d["high"] < 0 else ""
    return f"{100 * d['mean']:+.1f}{star} [{100 * d['low']:+.1f}, {100 * d['high']:+.1f}]"
