"""The plots of ``report.html``: matplotlib figures of a corpus report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medqa.records import SPLITS
from medqa.svg import COLOURS, canvas, legend, shortened, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {
    "pairs_sharing_question": "same question",
    "pairs_sharing_answer": "same answer",
    "pairs_sharing_topic": "same topic",
    "near_duplicate_pairs": "near-duplicate",
}
"""What the certificate counts pairs of rows by, and its short name."""

_SHOWN_BARS = 15  # categories that get their own bars

Bars = Sequence[tuple[str, str, Sequence[float | None]]]
"""Name, colour and values of each series of a bar chart."""


def figures(report: Mapping[str, Any]) -> "dict[str, Figure]":
    """The plots that ``report`` has data for, by name: certificate, drops, groups, questions, answers, types, topic-sizes,
    topics, sources."""
    found: dict[str, Figure | None] = {}
    with style():
        found["certificate"] = _certificate(report["certificate"])
        found["drops"] = _counts(report["rows"]["dropped_by_reason"].items(), "rows")
        found["groups"] = _sizes(report.get("cluster_sizes"), "rows in the group", "groups")
        for name in ("question", "answer"):
            found[f"{name}s"] = _lengths(report.get("lengths", {}).get(name), name)
        found["types"] = _by_split(report["by_type"])
        topics = report.get("topics", {})
        found["topic-sizes"] = _sizes(topics.get("sizes"), "rows with the topic", "topics")
        found["topics"] = _counts(topics.get("most_frequent", []), "rows")
        found["sources"] = _by_split(report["by_source"])
    return {name: figure for name, figure in found.items() if figure is not None}


def top_and_rest(table: Mapping[str, Mapping[str, int]], shown: int) -> dict[str, dict[str, int]]:
    """The first ``shown`` categories of a table category -> split -> rows, and the others summed in a last one."""
    items = list(table.items())
    if len(items) <= shown + 1:  # a rest of one is better shown by its name
        return {name or "(none)": dict(counts) for name, counts in items}
    rest: dict[str, int] = {split: sum(counts[split] for _, counts in items[shown:]) for split in SPLITS}
    return {**{name or "(none)": dict(c) for name, c in items[:shown]}, f"{len(items) - shown} others": rest}


def shares(counts: Sequence[int]) -> list[float] | None:
    """Each count's share of their sum; None where that is zero."""
    total = sum(counts)
    return [count / total for count in counts] if total else None


def _certificate(certificate: Mapping[str, Any]) -> "Figure":
    """A panel per crossing: pairs by measure, this split's above a random split's."""
    crossings = certificate["split"]
    figure, panels = canvas(
        max(map(len, MEASURES.values())), [0.36 * len(MEASURES)] * len(crossings), legend=True, gap=0.55
    )
    largest = max(c.get(m) or 0 for side in ("split", "random") for c in certificate[side].values() for m in MEASURES)
    for axes, crossing in zip(panels, crossings, strict=True):
        series: Bars = [
            ("this split", "train", [crossings[crossing].get(m) for m in MEASURES]),
            ("random split of the same sizes", "random", [certificate["random"][crossing].get(m) for m in MEASURES]),
        ]
        _bars(axes, list(MEASURES.values()), series, numbers=True)
        axes.set_xscale("symlog", linthresh=1)  # a logarithm that has a zero
        axes.set_xlim(0, 20 * max(1, largest))  # room for the number behind the longest bar
        _ticks(axes.xaxis, [0, *_powers(1, max(1, largest))])
        axes.set_title(" and ".join(crossing.split("/")), loc="left")
    panels[-1].set_xlabel("pairs of rows, one from each split (logarithmic)")
    legend(figure, panels[0])
    return figure


def _by_split(table: Mapping[str, Mapping[str, int]]) -> "Figure | None":
    """Bars side by side: the share of each category in every split that has rows."""
    if not table:
        return None
    rows = top_and_rest(table, _SHOWN_BARS)
    columns = {split: shares([counts[split] for counts in rows.values()]) for split in SPLITS}
    series = [(split, split, column) for split, column in columns.items() if column]
    labels = [shortened(name) for name in rows]
    figure, (axes,) = canvas(max(map(len, labels)), [0.1 * (len(series) + 1) * len(labels)], legend=True)
    _bars(axes, labels, series)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}" if round(x * 100, 6) % 1 == 0 else f"{x:.1%}")
    axes.set_xlabel("share of the split's rows")
    legend(figure, axes)
    return figure


def _counts(items: Any, unit: str) -> "Figure | None":
    """A bar and its number for each of ``(name, count)``."""
    named = list(items)
    if not named:
        return None
    labels = [shortened(name) for name, _ in named]
    counts = [count for _, count in named]
    figure, (axes,) = canvas(max(map(len, labels)), [0.22 * len(labels)])
    _bars(axes, labels, [("", "train", counts)], numbers=True)
    axes.set_xlim(0, 1.25 * max(1, *counts))  # room for the number behind the longest bar
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params("x", nbins=4, integer=True)
    axes.set_xlabel(unit)
    return figure


def _sizes(sizes: Mapping[str, int] | None, size: str, what: str) -> "Figure | None":
    """How many (groups, topics) have each size; both axes logarithmic."""
    if not sizes:
        return None
    points = sorted((int(s), count) for s, count in sizes.items())
    figure, (axes,) = canvas(7, [2.3], above=0.35)
    axes.plot(*zip(*points, strict=True), "o", markersize=4, color=COLOURS["train"], alpha=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, limits, largest in (
        (axes.xaxis, axes.set_xlim, points[-1][0]),
        (axes.yaxis, axes.set_ylim, max(count for _, count in points)),
    ):
        limits(0.7, 1.6 * largest)  # half a point's width around one and the largest
        _ticks(axis, _powers(1, largest))
    axes.set_xlabel(f"{size} (logarithmic)")
    axes.set_title(f"{what} (logarithmic)", loc="left")
    axes.grid(True, axis="both")
    return figure


def _lengths(histogram: Mapping[str, Any] | None, what: str) -> "Figure | None":
    """A line per split: the share of its rows in each interval of length, from the first with rows to the last.

    Logarithmic if these widen."""
    if not histogram:
        return None
    edges = histogram["edges"]
    lines = {split: found for split in SPLITS if (found := shares(histogram[split]))}
    if not lines:
        return None
    figure, (axes,) = canvas(6, [2.0], legend=True, above=0.3)
    # Three patterns of line as well as three colours: they cross, and are printed in grey.
    for (split, heights), pattern in zip(lines.items(), ("-", (0, (5, 1.5)), (0, (1.5, 1.2))), strict=False):
        axes.stairs(heights, edges, label=split, color=COLOURS[split], linewidth=1.5, linestyle=pattern)
    held = [k for k in range(len(edges) - 1) if any(heights[k] for heights in lines.values())]
    shown = edges[held[0] : held[-1] + 2]
    if shown[-1] - shown[-2] > 2 * (shown[1] - shown[0]):
        axes.set_xscale("symlog", linthresh=1)  # the first edge may be zero
        shown = [max(1, shown[0]), *shown[1:]]
        _ticks(axes.xaxis, _powers(shown[0], shown[-1]))
    axes.set_xlim(shown[0], shown[-1])
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}" if round(y * 100, 6) % 1 == 0 else f"{y:.1%}")
    axes.locator_params("y", nbins=5)
    axes.set_xlabel(f"words of the {what}{' (logarithmic)' if axes.get_xscale() != 'linear' else ''}")
    axes.set_title("share of the split's rows", loc="left")
    axes.grid(True, axis="both")
    legend(figure, axes)
    return figure


def _bars(axes: "Axes", labels: Sequence[str], series: Bars, numbers: bool = False) -> None:
    """Horizontal bars in groups, the first label on top; a value of None says that there is no data."""
    thick = 0.8 / len(series)
    for k, (name, colour, values) in enumerate(series):
        places = [row + (k - (len(series) - 1) / 2) * thick for row in range(len(labels))]
        bars = axes.barh(places, [v or 0 for v in values], height=thick, color=COLOURS[colour], label=name)
        if numbers:
            axes.bar_label(bars, ["no data" if v is None else f"{v:,}" for v in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.grid(True, axis="x")


def _powers(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2, 5, 10 and so on over little more than a decade, powers of ten over more; of more
    than four of these, every second."""
    decades = [float(10**k) for k in range(12) if 10**k <= high]
    fine = [m * d for d in decades for m in (1, 2, 5) if low <= m * d <= high]
    coarse = [d for d in decades if d >= low]
    return fine if len(fine) <= 7 else coarse if len(coarse) <= 4 else coarse[::2]


def _ticks(axis: Any, places: Sequence[float]) -> None:
    axis.set_ticks(places, [f"{place:,.0f}" for place in places])
    axis.set_ticks([], minor=True)
