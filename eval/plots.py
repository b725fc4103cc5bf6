"""The plots of an evaluation's page: differences with their intervals (forest plot), risk against coverage."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medqa.svg import COLOURS, GRID, INK, canvas, legend, shortened, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PATTERNS: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), "-.", (0, (7, 1.5, 1.5, 1.5, 1.5, 1.5)))
"""One per colour: lines cross, and are printed in grey."""


def forest(effects: Sequence[Mapping[str, Any]], measure: str) -> "Figure | None":
    """A row per contrast: the difference, its 95 % interval, and the line of no difference.

    A filled point says that the interval excludes zero. Effects without an interval are left out; None if all are.
    """
    shown = [e for e in effects if e["low"] is not None]
    if not shown:
        return None
    with style():
        labels = [shortened(e["contrast"]) for e in shown]
        figure, (axes,) = canvas(max(map(len, labels)), [0.26 * len(shown)])
        axes.axvline(0, color=INK, linewidth=0.8)
        for row, e in enumerate(shown):
            clear = e["low"] > 0 or e["high"] < 0
            axes.plot([e["low"], e["high"]], [row, row], color=COLOURS["train"], linewidth=1.6)
            face = COLOURS["train"] if clear else "white"
            axes.plot([e["mean"]], [row], "o", markersize=5, color=COLOURS["train"], markerfacecolor=face)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.tick_params("y", length=0)
        axes.locator_params("x", nbins=5)
        axes.grid(True, axis="x", color=GRID)
        axes.set_xlabel(f"difference in {measure}")
    return figure


def risk_coverage_plot(curves: Mapping[str, Mapping[str, Any]]) -> "Figure | None":
    """A line per system: the mean loss of its answers when only the share on the x axis, the surest, is given.

    Args:
        curves: system -> ``coverage`` and ``risk``, lists of equal length. More than five are cut to the first five.
    """
    shown = [(name, c) for name, c in curves.items() if c and c["coverage"]][: len(_PATTERNS)]
    if not shown:
        return None
    with style():
        figure, (axes,) = canvas(6, [2.2], legend=True, above=0.3 if len(shown) <= 3 else 0.5)
        for (name, c), colour, pattern in zip(shown, COLOURS.values(), _PATTERNS, strict=False):
            x, y = c["coverage"], c["risk"]
            dot = "o" if len(x) == 1 else None  # a line of one point would not be seen
            axes.plot(x, y, label=shortened(name), color=colour, linewidth=1.5, linestyle=pattern, marker=dot)
        axes.set_xlim(0, 1)
        axes.set_ylim(0)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        axes.locator_params("x", nbins=5)
        axes.set_xlabel("questions answered, the surest first")
        axes.set_title("mean loss of the answers given", loc="left")
        axes.grid(True, axis="both", color=GRID)
        legend(figure, axes)
    return figure
