"""matplotlib figures for pages: one look, and their text as inline SVG.

Text stays text in the SVG (``svg.fonttype: none``): it can be searched and read aloud, takes the page's font, and scripts
that matplotlib's font lacks are drawn by the browser. Margins are set from the number of characters, so no place depends
on which font that is. Colours become the page's CSS variables: the plots follow its light and dark scheme.
"""

import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette (Color Universal Design, 2008): told apart by colour-blind readers, and in grey by luminance.
COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#009e73", "random": "#d55e00", "fifth": "#cc79a7"}
"""Name, as the page's CSS variable is called, -> colour without a page."""
INK, GRID = "#1d2733", "#d5dae1"
_VARIABLES = {**COLOURS, "ink": INK, "grid": GRID}
WIDTH = 4.2
"""Inches; 403 CSS pixels, so that the 9 point labels still have 10 pixels on a phone 360 wide."""
_LETTER = 0.072  # inches; mean advance of a letter of DejaVu Sans, a wide font, at 9 points
_LABEL = 27  # characters of a label, as many as the longest reason for a dropped row has; tables hold the whole of it


def inline_svg(name: str, figure: "Figure") -> str:
    """``figure`` as an ``<svg>`` element for an HTML page, labelled by the element ``{name}-caption`` there.

    The bytes depend on the figure and the version of matplotlib alone. Ids start with ``name``: several such elements can
    stand on one page.
    """
    stream = StringIO()
    with style(), warnings.catch_warnings():
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


def readable(text: str) -> str:
    """``text`` on one line, with the replacement character for what HTML or UTF-8 cannot hold (controls, lone surrogates)."""
    clean = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and not c.isspace() else c for c in text)
    return " ".join(clean.split())


def canvas(
    letters: int, heights: Sequence[float], legend: bool = False, gap: float = 0.0, above: float = 0.05
) -> "tuple[Figure, list[Axes]]":
    """A figure with one panel under another. ``letters`` are those of the longest label on the left; the rest is inches."""
    from matplotlib.figure import Figure  # takes a third of a second to import

    left, right, below = 0.22 + _LETTER * letters, 0.2, 0.5
    top = above + (0.3 if legend else 0.0) + (0.25 if gap else 0.0)
    height = top + sum(heights) + gap * (len(heights) - 1) + below
    figure = Figure(figsize=(WIDTH, height))
    panels = []
    edge = height - top
    for inches in heights:
        edge -= inches
        place = (left / WIDTH, edge / height, (WIDTH - left - right) / WIDTH, inches / height)
        panels.append(figure.add_axes(place))
        edge -= gap
    return figure, panels


def legend(figure: "Figure", axes: "Axes") -> None:
    """The series of ``axes``, above all panels."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="upper left", ncols=3, borderpad=0.2, handlelength=1.8, columnspacing=1.4)


def shortened(name: str) -> str:
    """``name`` as a label: one line, cut where it is long."""
    name = readable(name) or "(none)"
    return name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"


def _adapted(tag: str, name: str) -> str:
    """One SVG tag with ids of its own, no type attribute that HTML lacks, and the page's colours."""
    tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag)
    for variable, colour in _VARIABLES.items():
        tag = tag.replace(f": {colour}", f": var(--{variable})")
    return re.sub(r'font-family: .*?(?=[;"])', "font-family: inherit", tag)


@contextmanager
def style() -> Iterator[None]:
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
                "grid.color": GRID,
                "grid.linewidth": 0.6,
                "axes.edgecolor": INK,
                "axes.labelcolor": INK,
                "xtick.color": INK,
                "ytick.color": INK,
                "text.color": INK,
            }
        )
        yield
