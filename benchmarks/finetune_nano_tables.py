"""The tables of benchmarks/finetune_nano.py: validation losses by step, and what each variant changes against the plain one."""

import math
from collections.abc import Sequence
from typing import Any

from finetune.search_ranking import Interval, t_interval

MIXES = ("closed_book", "grounded", "mixed")
ORDERS = ("mixed", "padded", "packed", "by_length", "short_first", "easy_first")
"""Variants over the same rows; the others are held against the first: rows padded to their batch's longest, in random order."""
SHOWN = {"mixed": "random (reference)", "padded": "padded to the maximum", "by_length": "batches of like length"}
SHOWN |= {"short_first": "curriculum: short first", "easy_first": "curriculum: easy first"}


def verdict(change: Interval) -> str:
    """Whether a change of the loss is a help."""
    if change.low is None or change.high is None:
        return "one seed"
    if change.high < 0:
        return "helped"
    return "harmed" if change.low > 0 else "no difference shown"


def by_seed(cells: dict[str, Any], name: str) -> dict[int, dict[str, Any]]:
    """Seed -> figures of the finished cells called ``name``."""
    found = {key.rpartition("/")[2]: c for key, c in cells.items() if key.rpartition("/")[0] == name}
    return {int(seed): c for seed, c in found.items() if seed.isdigit() and "reason" not in c}


def differences(cells: dict[str, Any], name: str, measure: str) -> list[float]:
    """Last validation loss of ``name`` less the reference's, for each seed that both have."""
    ours, reference = by_seed(cells, name), by_seed(cells, ORDERS[0])
    return [ours[s]["evals"][-1][measure] - reference[s]["evals"][-1][measure] for s in ours if s in reference]


def spread(values: Sequence[float]) -> str:
    """``mean (least to most)``."""
    return f"{sum(values) / len(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def mix_table(cells: dict[str, Any]) -> list[str]:
    """Loss and perplexity of each mix at each evaluation, on the rows of each kind."""
    lines = ["| trained on | step | seeds | " + " | ".join(f"{m}: loss | ppl" for m in MIXES) + " |"]
    lines.append("|---" * (3 + 2 * len(MIXES)) + "|")
    for mix in MIXES:
        runs = list(by_seed(cells, mix).values())
        for point in range(min((len(r["evals"]) for r in runs), default=0)):
            evals = [r["evals"][point] for r in runs]
            steps = sorted({e["step"] for e in evals})
            step = str(steps[0]) if len(steps) == 1 else f"{steps[0]}–{steps[-1]}"
            values = [[e[m] for e in evals] for m in MIXES]
            shown = " | ".join(f"{spread(v)} | {math.exp(sum(v) / len(v)):.2f}" for v in values)
            lines.append(f"| {mix} | {step} | {len(runs)} | {shown} |")
    return lines


def order_table(cells: dict[str, Any]) -> list[str]:
    """Last losses of the variants over the same rows, and their paired differences from the reference."""
    lines = ["| variant | seeds | steps | mixed: loss | ppl | difference, 95 % | | closed_book | grounded |"]
    lines.append("|---" * 9 + "|")
    for name in ORDERS:
        runs = list(by_seed(cells, name).values())
        if not runs:
            lines.append(f"| {SHOWN.get(name, name)} | 0 |" + " – |" * 7)
            continue
        last = [r["evals"][-1]["mixed"] for r in runs]
        steps = round(sum(r["steps"] for r in runs) / len(runs))
        found = [_difference(cells, name, m) for m in ("mixed", "closed_book", "grounded")]
        shown = f"{spread(last)} | {math.exp(sum(last) / len(last)):.3f} | {found[0][0]} | {found[0][1]}"
        others = " | ".join(text for text, _ in found[1:])
        lines.append(f"| {SHOWN.get(name, name)} | {len(runs)} | {steps} | {shown} | {others} |")
    return lines


def _difference(cells: dict[str, Any], name: str, measure: str) -> tuple[str, str]:
    values = differences(cells, name, measure)
    if name == ORDERS[0] or not values:
        return "–", "–"
    change = t_interval(values)
    bounds = "" if change.low is None else f" [{change.low:+.4f}, {change.high:+.4f}]"
    return f"{change.value:+.4f}{bounds}", verdict(change)


def speed_table(cells: dict[str, Any]) -> list[str]:
    """Real tokens per second of runs alone on the device, the first step not counted."""
    lines = ["| variant | real tokens/s | against random | first step, s |", "|---|---|---|---|"]
    rates = {}
    for key, c in cells.items():
        if key.startswith("speed/") and "reason" not in c and c["steps"] > 1:
            rest = c["tokens"] * (c["steps"] - 1) / c["steps"]
            rates[key.removeprefix("speed/")] = rest / max(c["train_s"] - c["first_step_s"], 1e-9), c["first_step_s"]
    base = rates.get(ORDERS[0], (math.nan, 0))[0]
    for name, (rate, first) in rates.items():
        lines.append(f"| {SHOWN.get(name, name)} | {rate:,.0f} | {rate / base:.2f} | {first:.1f} |")
    return lines


def tables(found: dict[str, Any]) -> str:
    """All tables as Markdown, and what failed."""
    cells = found["cells"]
    facts = ", ".join(str(found[k]) for k in ("card", "torch", "transformers") if k in found)
    failed = [f"{key}: {c['reason']}" for key, c in cells.items() if "reason" in c]
    parts = [
        [f"{facts}; {found['setup']['supervised']:,} supervised tokens a cell; mean (least to most) over seeds"],
        ["Validation loss (nats per supervised token) and perplexity by step:", "", *mix_table(cells)],
        ["The same rows in another way; paired differences of the last loss:", "", *order_table(cells)],
        ["Alone on the device:", "", *speed_table(cells)],
        [f"failed: {line}" for line in failed],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)
