"""Three pictures of a search: trials in order, loss by each setting, finalists over seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.search_ranking import Finalist, Ranked
from finetune.search_report import NAMES

TRIALS, SETTINGS, FINALISTS = "trials.png", "settings.png", "finalists.png"


def save_plots(folder: Path, ranked: Sequence[Ranked], best: Sequence[Finalist]) -> list[str]:
    """Write the pictures that there is something to show in; their names."""
    complete = sorted((r for r in ranked if r.loss is not None), key=lambda r: r.record.number)
    if not complete:
        return []
    _trials(folder / TRIALS, ranked, complete)
    _settings(folder / SETTINGS, complete)
    if not best:
        return [TRIALS, SETTINGS]
    _finalists(folder / FINALISTS, best)
    return [TRIALS, SETTINGS, FINALISTS]


def _trials(path: Path, ranked: Sequence[Ranked], complete: Sequence[Ranked]) -> None:
    figure = _figure(7, 4)
    axes = figure.add_subplot(xlabel="trial", ylabel="validation loss (nats per token)")
    numbers = [r.record.number for r in complete]
    values = [r.loss.value for r in complete if r.loss]
    axes.errorbar(numbers, values, yerr=_errors(complete), fmt="o", capsize=3, label="complete, 95 % over rows")
    best_so_far = [min(values[: i + 1]) for i in range(len(values))]
    axes.step(numbers, best_so_far, where="post", color="0.4", label="best so far")
    pruned = [
        (r.record.number, r.record.last_loss) for r in ranked if r.record.state == "pruned" and r.record.last_loss
    ]
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color="0.6", label="pruned, where it stopped")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _settings(path: Path, complete: Sequence[Ranked]) -> None:
    figure = _figure(14, 3.4)
    values = [r.loss.value for r in complete if r.loss]
    for axes, name in zip(figure.subplots(1, len(NAMES), sharey=True), NAMES, strict=True):
        settings = [getattr(r.record.choice, name) for r in complete]
        labels = ["+".join(s) if isinstance(s, tuple) else s for s in settings]
        places: list[Any] = labels
        if name == "learning_rate":
            axes.set_xscale("log")
        else:  # few values: side by side, not to scale
            kinds = sorted(set(labels))
            places = [kinds.index(label) for label in labels]
            axes.set_xticks(range(len(kinds)), [str(k).replace("+", "\n") for k in kinds], fontsize=8)
        axes.errorbar(places, values, yerr=_errors(complete), fmt="o", alpha=0.6, capsize=2)
        axes.set_xlabel(name)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("validation loss")
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


def _errors(complete: Sequence[Ranked]) -> list[list[float]]:
    """Distances of the interval's ends from the value, as matplotlib wants them; the bootstrap always has both."""
    intervals = [r.loss for r in complete if r.loss]
    low = [max(0.0, i.value - i.low) for i in intervals if i.low is not None]
    high = [max(0.0, i.high - i.value) for i in intervals if i.high is not None]
    return [low, high]


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: it would choose a window system and keep global state
    return figure
