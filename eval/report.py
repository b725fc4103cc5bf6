"""A run as Markdown: one table per index, the differences that matter, costs, example answers with their sources."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.cases import pick_examples
from eval.measures import MEASURES

HEADLINE = ("rouge1", "rouge2", "rougeL", "bleu")
_HEAD = "| variant | ROUGE-1 | ROUGE-2 | ROUGE-L | BLEU | sentences supported (answers) | refused | s / answer |"
_RULE = "|---|---|---|---|---|---|---|---|"


def markdown_report(metrics: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str]) -> str:
    """The whole report. ``metrics`` is what ``eval.tables`` made; ``facts`` are lines about the run."""
    parts = ["# Evaluation", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    for name, index in metrics["indexes"].items():
        parts += [f"## {name}", "", index["explained"], "", *table(index["systems"]), ""]
        parts += _differences(index["effects"])
    parts += _leakage(metrics)
    parts += [
        "## All measures",
        "",
        "Means over all questions; – where a measure could not be computed (`metrics.json` says why).",
        "",
    ]
    for name, index in metrics["indexes"].items():
        parts += [f"**{name}**", "", *measures_table(index["systems"]), ""]
    parts += ["## Cost", "", *cost_table(metrics), ""]
    parts += failures(metrics)
    parts += ["## Examples", ""]
    for row in pick_examples(rows):
        parts += [*example(row), ""]
    return "\n".join(parts).rstrip() + "\n"


def table(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the headline table, one row per system. ROUGE-L carries its 95 % interval."""
    return [_HEAD, _RULE, *(_table_row(name, figures) for name, figures in systems.items())]


def _table_row(name: str, figures: Mapping[str, Any]) -> str:
    m = figures["metrics"]
    supported, refused = m["supported"], m["refused"]["mean"]
    cells = [
        name,
        decimal(m["rouge1"]["mean"]),
        decimal(m["rouge2"]["mean"]),
        interval(m["rougeL"]),
        decimal(m["bleu"]["mean"]),
        "–" if supported["mean"] is None else f"{supported['mean']:.0%} ({supported['n']})",
        "–" if refused is None else f"{refused:.0%}",
        f"{figures['cost']['seconds_per_answer']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def measures_table(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every measure of which some system has a value, a row each; an arrow says which way is better."""
    lines = ["| measure | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for name, measure in MEASURES.items():
        means = [figures["metrics"].get(name, {}).get("mean") for figures in systems.values()]
        if any(m is not None for m in means):
            arrow = {1: " ↑", -1: " ↓", 0: ""}[measure.better]
            lines.append("| " + " | ".join([f"{measure.label}{arrow}", *map(decimal, means)]) + " |")
    return lines


def overall(effects: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    """Effects over all questions on one measure, one per contrast."""
    return [e for e in effects if e["metric"] == metric and not e["factor"]]


def _differences(effects: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [
        (m, e) for m in ("rougeL", "supported", "refusal_right") for e in overall(effects, m) if e["low"] is not None
    ]
    if not found:
        return []
    lines = [
        "Differences, paired by question, with 95 % intervals; the last column is corrected for the number of tests (Holm).",
        "",
        "| difference | measure | questions | mean | p | p, Holm |",
        "|---|---|---|---|---|---|",
    ]
    for metric, e in found:
        p = [f"{e[k]:.3f}" if e[k] is not None else "–" for k in ("p", "p_holm")]
        lines.append(
            f"| {e['contrast']} | {MEASURES[metric].label} | {e['n']} | {interval(e, sign='+')} | {p[0]} | {p[1]} |"
        )
    return [*lines, ""]


def _leakage(metrics: Mapping[str, Any]) -> list[str]:
    if metrics["leakage"] is None:
        return []
    lines = [
        "## Leakage",
        "",
        "The same systems and questions; what a random split would call train, against the split by topic. The difference is "
        "what a random split flatters by.",
        "",
        "| system | ROUGE-1 | ROUGE-L | refused |",
        "|---|---|---|---|",
    ]
    for name, effects in metrics["leakage"].items():
        found = [overall(effects, m) for m in ("rouge1", "rougeL", "refused")]
        lines.append(f"| {name} | " + " | ".join(interval(f[0], sign="+") if f else "–" for f in found) + " |")
    return [*lines, ""]


def cost_table(metrics: Mapping[str, Any]) -> list[str]:
    """Seconds, tokens, loading and memory of every cell, systems without an index once."""
    lines = [
        "| index | variant | s / answer | tokens read / call | written / call | written / s | cut off | loading, s | peak MB |",
        "|---" * 9 + "|",
    ]
    seen: set[str] = set()
    for index, found in metrics["indexes"].items():
        for name, figures in found["systems"].items():
            closed = not figures["cost"]["seconds_by_stage"].get("retrieve")
            if closed and name in seen:
                continue
            seen.add(name)
            lines.append(_cost_row("none" if closed else index, name, figures["cost"]))
    return lines


def _cost_row(index: str, name: str, c: Mapping[str, Any]) -> str:
    numbers = [c[k] for k in ("prompt_tokens_per_call", "new_tokens_per_call", "new_tokens_per_second")]
    loading = sum(c["load_seconds"].values()) if c["load_seconds"] else None
    memory = c["peak_gpu_mb"] if c["peak_gpu_mb"] is not None else c["peak_process_mb"]
    cells = [index, name, f"{c['seconds_per_answer']:.2f}"]
    cells += ["–" if n is None else f"{n:,.0f}" for n in numbers]
    cells += [
        str(c["truncated"]),
        "–" if loading is None else f"{loading:.1f}",
        "–" if memory is None else f"{memory:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def failures(metrics: Mapping[str, Any]) -> list[str]:
    """Empty and failed answers, which count as zero; nothing where there are none."""
    lines: list[str] = []
    for index, found in metrics["indexes"].items():
        for name, figures in found["systems"].items():
            if ids := figures["empty_ids"]:
                shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
                lines.append(f"- {index}, {name}: {len(ids)} empty or failed answers, counted as zero: {shown}")
    return ["## Empty and failed answers", "", *lines, ""] if lines else []


def example(row: Mapping[str, Any]) -> list[str]:
    """One answer with its sources as Markdown lines."""
    lines = [f"**{row['question']}** ({row['name']}, {row['index']})", "", f"> {row['answer']}"]
    if row["abstained"]:
        return [*lines, ">", f"> Why: {row['reason']}."]
    cited = {c["marker"]: c for c in reversed(row["citations"])}
    for marker, citation in sorted(cited.items()):
        verdict = "supported" if citation["supported"] else "NOT supported"
        lines += [">", f"> [{marker}] ({verdict}; {citation['pair_id']}) {citation['text']}"]
    return lines


def decimal(value: float | None, sign: str = "") -> str:
    """``.123``; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:{sign}.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def interval(figure: Mapping[str, Any], sign: str = "") -> str:
    """``.123 [.100, .150]``."""
    if figure["mean"] is None or figure["low"] is None:
        return decimal(figure["mean"], sign)
    return f"{decimal(figure['mean'], sign)} [{decimal(figure['low'], sign)}, {decimal(figure['high'], sign)}]"
