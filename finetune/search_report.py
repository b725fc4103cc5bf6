"""The search for people (Markdown) and for machines (JSON)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import yaml

from finetune.search_ranking import Finalist, Interval, Ranked
from finetune.search_space import Choice

NAMES = ("r", "alpha", "dropout", "targets", "learning_rate")


def winner(ranked: Sequence[Ranked], best: Sequence[Finalist]) -> Choice | None:
    """The finalist with the lowest mean; without finalists the best complete trial; None where none is complete."""
    if best:
        return best[0].record.choice
    return next((r.record.choice for r in ranked if r.record.state == "complete"), None)


def markdown(ranked: Sequence[Ranked], best: Sequence[Finalist], facts: Mapping[str, Any], plots: Sequence[str]) -> str:
    """report.md: verdict, finalists, all trials."""
    chosen = winner(ranked, best)
    parts = ["# Search for LoRA settings", _setting(facts)]
    parts.append(
        "No trial ran to its end."
        if chosen is None
        else f"**Best settings:** {_describe(chosen)}. {_verdict(ranked, best)}"
    )
    if best:
        parts += ["## Finalists, several seeds each", _finalist_table(best)]
    parts += ["## All trials", _trial_table(ranked), _legend(), *(f"![{name}]({name})" for name in plots)]
    return "\n\n".join(parts) + "\n"


def as_json(ranked: Sequence[Ranked], best: Sequence[Finalist], facts: Mapping[str, Any]) -> dict[str, Any]:
    """trials.json."""
    chosen = winner(ranked, best)
    return {
        **facts,
        "best": None if chosen is None else chosen.as_dict(),
        "finalists": [
            {"trial": f.record.number, **f.record.choice.as_dict(), "losses": list(f.losses), "mean": asdict(f.mean)}
            for f in best
        ],
        "trials": [_trial_json(r) for r in ranked],
    }


def best_yaml(choice: Choice, where: str) -> str:
    """The winner as a settings file's ``finetune`` section."""
    text = yaml.safe_dump({"finetune": choice.as_dict()}, sort_keys=False)
    return f"# Found by the search in {where}: copy these keys into a recipe.\n{text}"


def _setting(facts: Mapping[str, Any]) -> str:
    states = ", ".join(f"{n} {state}" for state, n in facts["states"].items() if n)
    return (
        f"{sum(facts['states'].values())} trials ({states}), each on the same {facts['rows']} rows with "
        f"{facts['supervised_tokens']:,} supervised tokens; losses in nats per supervised token on {facts['validation_rows']} "
        "validation rows."
    )


def _verdict(ranked: Sequence[Ranked], best: Sequence[Finalist]) -> str:
    """How sure the first place is, in one sentence."""
    if len(best) >= 2 and best[0].mean.high is not None and best[1].mean.low is not None:
        apart = best[0].mean.high < best[1].mean.low
        return (
            "Over seeds its interval lies below that of the second."
            if apart
            else "Over seeds its interval overlaps that of the second: the difference between them may be chance."
        )
    return "It was run with one seed: how far another one would move it is not known."


def _finalist_table(best: Sequence[Finalist]) -> str:
    head = [
        "| trial | " + " | ".join(NAMES) + " | mean loss [95 % over seeds] | runs |",
        "|---" * (len(NAMES) + 3) + "|",
    ]
    rows = [
        f"| {f.record.number} | {_cells(f.record.choice)} | {_number(f.mean)} | {', '.join(f'{x:.4f}' for x in f.losses)} |"
        for f in best
    ]
    return "\n".join(head + rows)


def _trial_table(ranked: Sequence[Ranked]) -> str:
    head = [
        "| rank | trial | " + " | ".join(NAMES) + " | loss [95 % over rows] | against the recipe | state |",
        "|---" * (len(NAMES) + 5) + "|",
    ]
    rows = [
        f"| {r.rank} | {r.record.number} | {_cells(r.record.choice)} | {_loss(r)} | "
        f"{'–' if r.against_recipe is None else _number(r.against_recipe, '+')} | {_state(r)} |"
        for r in ranked
    ]
    return "\n".join(head + rows)


def _loss(ranked: Ranked) -> str:
    if ranked.loss is not None:
        return _number(ranked.loss)
    last = ranked.record.last_loss
    return "–" if last is None else f"{last:.4f} at evaluation {ranked.record.last_evaluation}"


def _state(ranked: Ranked) -> str:
    return f"failed: {ranked.record.reason}" if ranked.record.state == "failed" else ranked.record.state


def _cells(choice: Choice) -> str:
    return f"{choice.r} | {choice.alpha} | {choice.dropout:g} | {'+'.join(choice.targets)} | {choice.learning_rate:.3g}"


def _describe(choice: Choice) -> str:
    return (
        f"r {choice.r}, alpha {choice.alpha}, dropout {choice.dropout:g}, targets {', '.join(choice.targets)}, "
        f"learning rate {choice.learning_rate:.3g}"
    )


def _number(interval: Interval, sign: str = "") -> str:
    text = f"{interval.value:{sign}.4f}"
    if interval.low is None or interval.high is None:
        return f"{text} ({interval.reason})"
    return f"{text} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


def _legend() -> str:
    return (
        "Intervals over rows: percentile bootstrap of the validation rows; they say how the figure depends on which questions "
        "were asked, not on the seed. Against the recipe: paired, the same rows under both. A pruned trial was given up at the "
        "evaluation shown; its loss there is the trainer's and not comparable with finished ones."
    )


def _trial_json(ranked: Ranked) -> dict[str, Any]:
    record = ranked.record
    return {
        "rank": ranked.rank,
        "trial": record.number,
        "state": record.state,
        "reason": record.reason if record.state != "pruned" else f"pruned at evaluation {record.last_evaluation}",
        **record.choice.as_dict(),
        "loss": None if ranked.loss is None else asdict(ranked.loss),
        "against_recipe": None if ranked.against_recipe is None else asdict(ranked.against_recipe),
        "last_loss": record.last_loss,
        "last_evaluation": record.last_evaluation,
        "seconds": record.seconds,
    }
