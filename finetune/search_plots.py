"""Three pictures of a search: trials in order, loss by each setting, finalists over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.search_ranking import Finalist, Interval, Ranked
from finetune.search_report import NAMES

TRIALS, SETTINGS, FINALISTS = "trials.png", "settings.png", "finalists.png"


def save_plots(folder: Path, ranked: Sequence[Ranked], best: Sequence[Finalist]) -> list[str]:
    """Write the pictures that there is something to show in; their names."""
    complete = sorted((r for r in ranked if r.loss is not None), key=lambda r: r.record.number)
    if not complete:
        return []
    _trials(folder / TRIALS, complete)
    _settings(folder / SETTINGS, complete)
    if not best:
        return [TRIALS, SETTINGS]
    _finalists(folder / FINALISTS, best)
    return [TRIALS, SETTINGS, FINALISTS]


@dataclass(frozen=True, slots=True)
class _Points:
    """What is drawn for complete trials."""

    values: list[float]
    errors: list[list[float]]
    """Distances of the intervals' ends from the values, as matplotlib wants them."""
    label: str


def _points(complete: Sequence[Ranked]) -> _Points:
    """Differences to the recipe on the same rows where there is one to compare with, else losses.

    Rows differ much more than trials do: the interval of a loss would hide every difference, that of a difference does not.
    """
    paired = any(r.against_recipe for r in complete)
    recipe = Interval(0.0, 0.0, 0.0)
    intervals = [(r.against_recipe or recipe) if paired else r.loss for r in complete]
    ends = [(i.value, i.low, i.high) for i in intervals if i is not None and i.low is not None and i.high is not None]
    return _Points(
        values=[value for value, _, _ in ends],
        errors=[[max(0.0, value - low) for value, low, _ in ends], [max(0.0, high - value) for value, _, high in ends]],
        label="validation loss, minus the recipe's" if paired else "validation loss",
    )


def _trials(path: Path, complete: Sequence[Ranked]) -> None:
    from matplotlib.ticker import MaxNLocator

    points = _points(complete)
    figure = _figure(7, 4)
    axes = figure.add_subplot(xlabel="trial", ylabel=f"{points.label} (nats per token)")
    numbers = [r.record.number for r in complete]
    axes.errorbar(numbers, points.values, yerr=points.errors, fmt="o", capsize=3, label="complete, 95 % over rows")
    best_so_far = [min(points.values[: i + 1]) for i in range(len(points.values))]
    axes.step(numbers, best_so_far, where="post", color="0.4", label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _settings(path: Path, complete: Sequence[Ranked]) -> None:
    from matplotlib.ticker import NullFormatter

    points = _points(complete)
    figure = _figure(14, 3.4)
    for axes, name in zip(figure.subplots(1, len(NAMES), sharey=True), NAMES, strict=True):
        settings = [getattr(r.record.choice, name) for r in complete]
        labels = ["+".join(s) if isinstance(s, tuple) else s for s in settings]
        places: list[Any] = labels
        if name == "learning_rate":
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())  # on a narrow axis its labels overlap
        else:  # few values: side by side, not to scale
            kinds = sorted(set(labels))
            places = [kinds.index(label) for label in labels]
            axes.set_xticks(range(len(kinds)), [str(k).replace("+", "\n") for k in kinds], fontsize=8)
            axes.set_xlim(-0.5, len(kinds) - 0.5)
        axes.errorbar(places, points.values, yerr=points.errors, fmt="o", alpha=0.6, capsize=2)
        axes.set_xlabel(name)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel(points.label, fontsize=9)
    figure.savefig(path)


def _finalists(path: Path, best: Sequence[Finalist]) -> None:
    figure = _figure(6, 1.2 + 0.6 * len(best))
    axes = figure.add_subplot(xlabel="validation loss (nats per token)")
    for place, finalist in enumerate(best):
        mean = finalist.mean
        if mean.low is not None and mean.high is not None:
            axes.plot([mean.low, mean.high], [place, place], "-", color="0.6", linewidth=6, alpha=0.5)
        axes.plot(finalist.losses, [place] * len(finalist.losses), "o", color="C0", alpha=0.7)
        axes.plot(mean.value, place, "|", color="black", markersize=16)
    axes.set_yticks(range(len(best)), [f"trial {f.record.number}" for f in best])
    axes.invert_yaxis()
    axes.set_title("each dot one seed; bar: mean with its 95 % interval", fontsize=9)
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: it would choose a window system and keep global state
    return figure
