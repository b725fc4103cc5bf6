"""A run as Markdown: one table per index, example answers with their sources, and where everything lies."""

from collections.abc import Mapping, Sequence
from typing import Any

EXPLAINED = {
    "open-book": "The index holds the answers of the whole corpus, those of the questions asked included (their questions are "
    "left out of the indexed text): it shows what people get who ask about what is in their corpus.",
    "held-out": "The index holds the answers of the train split only, and no topic is in two splits: the answer is not "
    "there, so refusing is right and a fluent answer is a warning sign.",
    "none": "These variants use no index.",
}
_HEAD = "| variant | ROUGE-1 | ROUGE-2 | ROUGE-L | BLEU | sentences supported (answers) | refused | s / answer |"
_RULE = "|---|---|---|---|---|---|---|---|"
EXAMPLES = 3


def markdown_report(metrics: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str]) -> str:
    """The whole report. ``metrics`` is index -> variant -> figures; ``facts`` are lines about the run."""
    parts = ["# Evaluation", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    for index, variants in metrics.items():
        parts += [f"## {index}", "", EXPLAINED[index], "", *table(variants), ""]
    parts += ["## Examples", ""]
    for row in pick_examples(rows):
        parts += [*example(row), ""]
    return "\n".join(parts).rstrip() + "\n"


def table(variants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of a Markdown table, one row per variant. ROUGE-L carries its 95 % interval."""
    return [_HEAD, _RULE, *(_table_row(name, figures) for name, figures in variants.items())]


def _table_row(name: str, f: Mapping[str, Any]) -> str:
    long = f["rougeL"]
    supported = "–" if f["supported"] is None else f"{f['supported']:.0%} ({f['judged']})"
    cells = [
        name,
        _decimal(f["rouge1"]["mean"]),
        _decimal(f["rouge2"]["mean"]),
        f"{_decimal(long['mean'])} [{_decimal(long['low'])}, {_decimal(long['high'])}]",
        _decimal(f["bleu"]),
        supported,
        f"{f['refusals']:.0%}",
        f"{f['seconds_per_answer']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def pick_examples(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Three answers that show what the system does: well supported answers of the strongest variant, then a refusal."""
    order = ["tuned+rag", "plain+rag", "extractive"]
    best = next((v for v in order if any(r["variant"] == v for r in rows)), None)
    of_best = [r for r in rows if r["variant"] == best]
    answered = sorted(
        (r for r in of_best if not r["abstained"] and r["index"] == "open-book"),
        key=lambda r: (-(r["scores"]["supported"] or 0), -len(r["citations"]), r["id"]),
    )
    refused = [r for r in of_best if r["abstained"]]
    shown = answered[: EXAMPLES - bool(refused)] + refused[:1]
    return shown[:EXAMPLES]


def example(row: Mapping[str, Any]) -> list[str]:
    """One answer with its sources as Markdown lines."""
    lines = [f"**{row['question']}** ({row['variant']}, {row['index']})", "", f"> {row['answer']}"]
    if row["abstained"]:
        return [*lines, ">", f"> Why: {row['reason']}."]
    cited = {c["marker"]: c for c in reversed(row["citations"])}
    for marker, citation in sorted(cited.items()):
        verdict = "supported" if citation["supported"] else "NOT supported"
        lines += [">", f"> [{marker}] ({verdict}; {citation['pair_id']}) {citation['text']}"]
    return lines


def _decimal(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
