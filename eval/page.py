"""``report.html`` of an evaluation: one file for people, with plots, without scripts or anything from elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.case_html import case_html
from eval.cases import shown_system, worst_and_best
from eval.heat import mean_by_group
from eval.measures import MEASURES
from eval.plots import forest, risk_coverage_plot
from eval.report import decimal, failures, interval, overall
from eval.rows import by_cell
from medqa.html import beside, document, escaped, table_html, tile_html
from medqa.svg import inline_svg

HEADLINE = "rougeL"
_PLOTTED = ("rougeL", "supported")
_COLUMNS = {
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bleu": "BLEU",
    "supported": "sentences supported",
    "citation_precision": "citations that hold",
    "refused": "refused",
    "refusal_right": "right to answer or refuse",
}
"""Measures of the first table, by the short names that leave room for their intervals."""
_FEWEST = 3
"""Questions of a type below which its mean says nothing: the heat map leaves it blank."""


def to_html(metrics: Mapping[str, Any], rows: Sequence[dict[str, Any]], facts: Mapping[str, str]) -> str:
    """``metrics.json`` and the scored rows as a page: tables, differences, risk and coverage, types, costs, cases.

    The page loads nothing; every text of questions, answers and sources is escaped.
    """
    sections: dict[str, str] = {}
    for name, index in metrics["indexes"].items():
        sections[f"Index: {name}"] = _index(name, index)
    sections["By question type"] = _types(rows)
    if metrics["leakage"] is not None:
        sections["Leakage"] = _leakage(metrics["leakage"])
    sections["All measures"] = "".join(_measures(name, index) for name, index in metrics["indexes"].items())
    sections["Cost"] = _cost(metrics)
    sections["Empty and failed answers"] = _failures(metrics)
    sections["Worst and best answers"] = _cases(rows)
    return document("Evaluation", _summary(rows, facts), sections)


def _summary(rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str]) -> str:
    cells = {(r["index"], r["name"]) for r in rows}
    tiles = [
        tile_html(f"{len({r['id'] for r in rows}):,}", "questions"),
        tile_html(str(len({name for _, name in cells})), "systems"),
        tile_html(f"{len(rows):,}", "answers"),
    ]
    listed = [[escaped(k), escaped(v)] for k, v in facts.items()]
    return f'<div class="tiles">{"".join(tiles)}</div>' + table_html("This run", ["what", "*value"], listed)


def _index(name: str, index: Mapping[str, Any]) -> str:
    systems = index["systems"]
    rows = [
        [
            escaped(system),
            *(_mean(figures["metrics"].get(m)) for m in _COLUMNS),
            f"{figures['cost']['seconds_per_answer']:.2f}",
        ]
        for system, figures in systems.items()
    ]
    header = ["system", *(f"#{label}" for label in _COLUMNS.values()), "#s / answer"]
    parts = [f"<p>{escaped(index['explained'])}</p>", table_html(f"Figures, {name} index", header, rows)]
    for measure in _PLOTTED:
        parts.append(_forest(name, index["effects"], measure))
    parts.append(_risk(name, systems))
    return "\n".join(parts)


def _forest(name: str, effects: Sequence[Mapping[str, Any]], measure: str) -> str:
    found = overall(effects, measure)
    plot = f"forest-{name}-{measure}"
    figure = forest(found, MEASURES[measure].label)
    rows = [
        [escaped(e["contrast"]), interval(e, sign="+"), str(e["n"]), *(_p(e[k]) for k in ("p", "p_holm"))]
        for e in found
        if e["mean"] is not None
    ]
    title = f"Differences in {MEASURES[measure].label}, {name} index"
    header = ["difference", "#mean and 95 % interval", "#questions", "#p", "#p, Holm"]
    said = "<p>Paired by question; a filled point: the interval excludes zero. “Holm” is corrected for the number of tests.</p>"
    if figure is None:
        why = next((e["reason"] for e in found), "there is nothing to compare")
        return f"<p>No differences in {MEASURES[measure].label}: {escaped(why)}.</p>"
    return said + beside(
        plot, title, {plot: inline_svg(plot, figure)}, table_html(f"{title}, in numbers", header, rows)
    )


def _risk(name: str, systems: Mapping[str, Any]) -> str:
    curves = {system: figures.get("risk_coverage") or {} for system, figures in systems.items()}
    plot = f"risk-{name}"
    figure = risk_coverage_plot(curves)
    if figure is None:
        return ""
    rows = [
        [escaped(system), f"{c['coverage'][-1]:.0%}", decimal(c["risk"][-1]), decimal(c["area"])]
        for system, c in curves.items()
        if c.get("coverage")
    ]
    title = f"Risk and coverage, {name} index"
    header = ["system", "#answered", "#mean loss of its answers", "#area under the curve"]
    return (
        "<p>Where the surest answers are also the best, the line rises from left to right: a threshold could then buy "
        "correctness with refusals.</p>"
        + beside(plot, title, {plot: inline_svg(plot, figure)}, table_html(f"{title}, in numbers", header, rows))
    )


def _types(rows: Sequence[dict[str, Any]]) -> str:
    cells = by_cell(rows)
    types, means = mean_by_group(cells, "question_type", HEADLINE, _FEWEST)
    if len(types) < 2:
        return "<p>The questions have no types to tell apart.</p>"
    names = [f"{name} ({index})" if index != "none" else name for index, name in cells]
    largest = max((m for line in means for m in line if m is not None), default=0.0)
    lines = [
        [escaped(kind or "(none)"), str(number), *(_heat(m, largest) for m in line)]
        for (kind, number), line in zip(types, means, strict=True)
    ]
    header = ["type", "#questions", *(f"#{escaped(n)}" for n in names)]
    note = f"<p>The stronger the colour, the higher. Types of fewer than {_FEWEST} questions are left blank.</p>"
    return note + table_html(f"Mean {MEASURES[HEADLINE].label} by question type", header, lines)


def _heat(mean: float | None, largest: float) -> str:
    if mean is None:
        return "–"
    share = (
        round(60 * mean / largest) if largest > 0 else 0
    )  # at most 60 % of the colour: the number stays readable on it
    return f'<span class="heat" style="--heat: {share}%">{decimal(mean)}</span>'


def _leakage(leakage: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = []
    for name, effects in leakage.items():
        found = [overall(effects, m) for m in ("rouge1", "rougeL", "supported", "refused")]
        rows.append([escaped(name), *(interval(f[0], sign="+") if f else "–" for f in found)])
    return (
        "<p>The same systems and questions over what a random split would call train, against the split by topic: what a "
        "random split flatters by.</p>"
        + table_html(
            "Random split minus split by topic", ["system", "#ROUGE-1", "#ROUGE-L", "#supported", "#refused"], rows
        )
    )


def _measures(name: str, index: Mapping[str, Any]) -> str:
    systems = index["systems"]
    rows = []
    for key, measure in MEASURES.items():
        figures = [f["metrics"].get(key) for f in systems.values()]
        if any(f and f["mean"] is not None for f in figures):
            arrow = {1: "higher", -1: "lower", 0: "neither"}[measure.better]
            rows.append([escaped(measure.label), measure.family, arrow, *map(_mean, figures)])
    return table_html(
        f"All measures, {name} index", ["measure", "family", "better", *(f"#{escaped(s)}" for s in systems)], rows
    )


def _mean(figure: Mapping[str, Any] | None) -> str:
    """Mean and interval of a measure, or why there is none."""
    if not figure or figure["mean"] is None:
        reason = escaped((figure or {}).get("reason") or "not computed")
        return f'<span title="{reason}">–</span>'
    if figure.get("low") is None:
        return decimal(figure["mean"])
    return f"{decimal(figure['mean'])}<br><small>{decimal(figure['low'])} to {decimal(figure['high'])}</small>"


def _cost(metrics: Mapping[str, Any]) -> str:
    rows = []
    for index, found in metrics["indexes"].items():
        for name, figures in found["systems"].items():
            c = figures["cost"]
            tokens = [c[k] for k in ("prompt_tokens_per_call", "new_tokens_per_call", "new_tokens_per_second")]
            loading = f"{sum(c['load_seconds'].values()):.1f}" if c["load_seconds"] else "–"
            memory = [c["peak_process_mb"], c["peak_gpu_mb"]]
            numbers = ["–" if n is None else f"{n:,.0f}" for n in (*tokens, *memory)]
            answer = f"{c['seconds_per_answer']:.2f}"
            rows.append(
                [escaped(name), escaped(index), answer, *numbers[:3], str(c["truncated"]), loading, *numbers[3:]]
            )
    header = [
        "system", "index", "#s per answer", "#tokens read per call", "#tokens written per call", "#tokens written per second",
        "#cut off at the limit", "#loading, s", "#peak of the process, MB", "#peak of the GPU, MB",
    ]  # fmt: skip
    return (
        "<p>Batched: a batch's time is shared equally by its questions. The peak of the process holds everything that was "
        "loaded at that time.</p>" + table_html("Cost", header, rows)
    )


def _failures(metrics: Mapping[str, Any]) -> str:
    lines = [line.removeprefix("- ") for line in failures(metrics) if line.startswith("- ")]
    if not lines:
        return "<p>None: every question got an answer or a refusal.</p>"
    return "<ul>" + "".join(f"<li>{escaped(line)}</li>" for line in lines) + "</ul>"


def _cases(rows: Sequence[dict[str, Any]]) -> str:
    index, name = shown_system(rows)
    worst, best = worst_and_best([r for r in rows if (r["index"], r["name"]) == (index, name)], HEADLINE)
    where = f"{name}, {index} index" if index != "none" else name
    parts = [
        f"<p>By {MEASURES[HEADLINE].label}, of {escaped(where)}. Marked in a source: the sentence that bears the answer out. "
        "Dotted in an answer: a sentence that no cited source bears out.</p>"
    ]
    for title, chosen in (("Worst", worst), ("Best", best)):
        parts += [f"<h3>{title}</h3>", *(case_html(row, HEADLINE) for row in chosen)]
    return "\n".join(parts)


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
