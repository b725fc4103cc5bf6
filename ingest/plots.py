"""The plots of ``report.html``: matplotlib figures of a corpus report, and their text as inline SVG.

Text stays text in the SVG (``svg.fonttype: none``): it can be searched and read aloud, takes the page's font, and scripts
that matplotlib's font lacks are drawn by the browser. Margins are set from the number of characters, so no place depends
on which font that is. Colours become the page's CSS variables: the plots follow its light and dark scheme.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from medqa.records import SPLITS

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

# Okabe and Ito's palette (Color Universal Design, 2008): told apart by colour-blind readers, and in grey by luminance.
_COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#009e73", "random": "#d55e00"}
_INK, _GRID = "#1d2733", "#d5dae1"
_VARIABLES = {**_COLOURS, "ink": _INK, "grid": _GRID}  # CSS variable of the page -> colour here, without it
_WIDTH = 4.2  # inches; 403 CSS pixels, so that the 9 point labels still have 10 pixels on a phone 360 wide
_LETTER = 0.072  # inches; mean advance of a letter of DejaVu Sans, a wide font, at 9 points
_LABEL = 27  # characters of a label, as many as the longest reason has; the tables hold the whole of it
_SHOWN_BARS = 15  # categories that get their own bars

Bars = Sequence[tuple[str, str, Sequence[float | None]]]
"""Name, colour and values of each series of a bar chart."""


def figures(report: Mapping[str, Any]) -> "dict[str, Figure]":
    """The plots that ``report`` has data for, by name: certificate, drops, groups, questions, answers, types, topic-sizes,
    topics, sources."""
    found: dict[str, Figure | None] = {}
    with _style():
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


def inline_svg(name: str, figure: "Figure") -> str:
    """``figure`` as an ``<svg>`` element for an HTML page, labelled by the element ``{name}-caption`` there.

    The bytes depend on the figure and the version of matplotlib alone. Ids start with ``name``: several such elements can
    stand on one page.
    """
    stream = StringIO()
    with _style(), warnings.catch_warnings():
        # Only matplotlib's own font lacks the letter; it is measured as a box, and drawn by the browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]  # no prologue, whose document type has an address
    svg = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, count=1, flags=re.DOTALL
    )  # it would hold page-wide
    # In tags only: matplotlib escapes < and > in text.
    svg = re.sub(r"<[^>]*>", lambda tag: _adapted(tag[0], name), svg)
    return re.sub(
        r"^<svg[^>]*viewBox=\"([^\"]*)\"[^>]*>",
        rf'<svg viewBox="\1" role="img" aria-labelledby="{name}-caption">',
        svg,
        count=1,
    )


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


def readable(text: str) -> str:
    """``text`` on one line, with the replacement character for what HTML or UTF-8 cannot hold (controls, lone surrogates)."""
    clean = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and not c.isspace() else c for c in text)
    return " ".join(clean.split())


def _certificate(certificate: Mapping[str, Any]) -> "Figure":
    """A panel per crossing: pairs by measure, this split's above a random split's."""
    crossings = certificate["split"]
    figure, panels = _canvas(
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
    _legend(figure, panels[0])
    return figure


def _by_split(table: Mapping[str, Mapping[str, int]]) -> "Figure | None":
    """Bars side by side: the share of each category in every split that has rows."""
    if not table:
        return None
    rows = top_and_rest(table, _SHOWN_BARS)
    columns = {split: shares([counts[split] for counts in rows.values()]) for split in SPLITS}
    series = [(split, split, column) for split, column in columns.items() if column]
    labels = [_shortened(name) for name in rows]
    figure, (axes,) = _canvas(max(map(len, labels)), [0.1 * (len(series) + 1) * len(labels)], legend=True)
    _bars(axes, labels, series)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}" if round(x * 100, 6) % 1 == 0 else f"{x:.1%}")
    axes.set_xlabel("share of the split's rows")
    _legend(figure, axes)
    return figure


def _counts(items: Any, unit: str) -> "Figure | None":
    """A bar and its number for each of ``(name, count)``."""
    named = list(items)
    if not named:
        return None
    labels = [_shortened(name) for name, _ in named]
    counts = [count for _, count in named]
    figure, (axes,) = _canvas(max(map(len, labels)), [0.22 * len(labels)])
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
    figure, (axes,) = _canvas(7, [2.3], above=0.35)
    axes.plot(*zip(*points, strict=True), "o", markersize=4, color=_COLOURS["train"], alpha=0.8)
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
    figure, (axes,) = _canvas(6, [2.0], legend=True, above=0.3)
    # Three patterns of line as well as three colours: they cross, and are printed in grey.
    for (split, heights), pattern in zip(lines.items(), ("-", (0, (5, 1.5)), (0, (1.5, 1.2))), strict=False):
        axes.stairs(heights, edges, label=split, color=_COLOURS[split], linewidth=1.5, linestyle=pattern)
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
    _legend(figure, axes)
    return figure


def _bars(axes: "Axes", labels: Sequence[str], series: Bars, numbers: bool = False) -> None:
    """Horizontal bars in groups, the first label on top; a value of None says that there is no data."""
    thick = 0.8 / len(series)
    for k, (name, colour, values) in enumerate(series):
        places = [row + (k - (len(series) - 1) / 2) * thick for row in range(len(labels))]
        bars = axes.barh(places, [v or 0 for v in values], height=thick, color=_COLOURS[colour], label=name)
        if numbers:
            axes.bar_label(bars, ["no data" if v is None else f"{v:,}" for v in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    axes.grid(True, axis="x")


def _canvas(
    letters: int, heights: Sequence[float], legend: bool = False, gap: float = 0.0, above: float = 0.05
) -> "tuple[Figure, list[Axes]]":
    """A figure with one panel under another. ``letters`` are those of the longest label on the left; the rest is inches."""
    from matplotlib.figure import Figure  # takes a third of a second to import

    left, right, below = 0.22 + _LETTER * letters, 0.2, 0.5
    top = above + (0.3 if legend else 0.0) + (0.25 if gap else 0.0)
    height = top + sum(heights) + gap * (len(heights) - 1) + below
    figure = Figure(figsize=(_WIDTH, height))
    panels = []
    edge = height - top
    for inches in heights:
        edge -= inches
        place = (left / _WIDTH, edge / height, (_WIDTH - left - right) / _WIDTH, inches / height)
        panels.append(figure.add_axes(place))
        edge -= gap
    return figure, panels


def _legend(figure: "Figure", axes: "Axes") -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="upper left", ncols=3, borderpad=0.2, handlelength=1.8, columnspacing=1.4)


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


def _shortened(name: str) -> str:
    name = readable(name) or "(none)"
    return name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"


def _adapted(tag: str, name: str) -> str:
    """One SVG tag with ids of its own, no type attribute that HTML lacks, and the page's colours."""
    tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag)
    for variable, colour in _VARIABLES.items():
        tag = tag.replace(f": {colour}", f": var(--{variable})")
    return re.sub(r'font-family: .*?(?=[;"])', "font-family: inherit", tag)


@contextmanager
def _style() -> Iterator[None]:
    """matplotlib's settings from its defaults, whatever the machine's ``matplotlibrc`` says; the caller's come back after."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "medqa",  # ids come from the content, not from chance
                "text.parse_math": False,  # a dollar sign of a topic is one
                "font.family": "DejaVu Sans",  # comes with matplotlib
                "font.size": 9,
                "axes.titlesize": 9,
                "axes.labelsize": 9,
                "axes.titlepad": 6,
                "axes.axisbelow": True,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "legend.frameon": False,
                "grid.color": _GRID,
                "grid.linewidth": 0.6,
                "axes.edgecolor": _INK,
                "axes.labelcolor": _INK,
                "xtick.color": _INK,
                "ytick.color": _INK,
                "text.color": _INK,
            }
        )
        yield
