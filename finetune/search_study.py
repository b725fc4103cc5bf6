"""The search's memory: an Optuna study in a SQLite file, which an interrupted search goes on from.

Which settings come next depends on the finished trials alone: the sampler of each is seeded by their number. A search
that was interrupted, however often, tries what the unbroken one would have tried.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.search_space import Choice, Space, draw, from_params, to_params
from medqa.errors import MedqaError

DATABASE = "study.db"
STARTUP = 5
"""Trials that run to their end whatever their losses: a median of fewer says little. Half of them precede the model of TPE."""

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One finished trial, as it is kept."""

    number: int
    choice: Choice
    state: State
    loss: float | None
    """Nats per supervised token on the validation rows, best weights; None unless complete."""
    rows: tuple[tuple[float, int], ...]
    """Summed loss and supervised tokens of each validation row; empty unless complete."""
    last_loss: float | None
    """What the trainer last saw on validation."""
    last_evaluation: int | None
    """The how manieth evaluation that was."""
    seconds: float | None
    reason: str | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one trial."""

    state: State
    loss: float | None
    rows: tuple[tuple[float, int], ...]
    seconds: float
    reason: str | None = None
    last: bool = False
    """A signal came as it ended: no trial after this one."""


class Study:
    """Ask for a trial, run it, tell what came of it."""

    def __init__(self, folder: Path, key: str, space: Space, pruner: Any, seed: int) -> None:
        """Open the study in ``folder``, or begin one.

        Raises:
            MedqaError: no Optuna, or the folder holds the study of another recipe (``key``).
        """
        optuna = import_optuna()
        folder.mkdir(parents=True, exist_ok=True)
        self._space, self._seed = space, seed
        self._study = optuna.create_study(
            storage=f"sqlite:///{(folder / DATABASE).resolve()}",
            study_name="search",
            direction="minimize",
            pruner=pruner,
            load_if_exists=True,
        )
        known = self._study.user_attrs.get("key")
        if known is None:
            self._study.set_user_attr("key", key)
        elif known != key:
            raise MedqaError(
                f"wanted the search of this recipe in {folder}, found that of another (data, base model, space or budget "
                "changed); set search.out to another folder, or delete this one"
            )
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state == optuna.trial.TrialState.RUNNING:  # the process that ran it is gone
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def finished(self) -> list[TrialRecord]:
        """All trials that need not run again, in the order in which they ran."""
        optuna = import_optuna()
        names = {optuna.trial.TrialState.COMPLETE: "complete", optuna.trial.TrialState.PRUNED: "pruned"}
        records = []
        for trial in self._study.get_trials(deepcopy=False):
            reason = trial.user_attrs.get("reason")
            if trial.state not in names and reason is None:
                continue
            last = trial.last_step
            records.append(
                TrialRecord(
                    number=trial.number,
                    choice=from_params(trial.params),
                    state=names.get(trial.state, "failed"),  # type: ignore[arg-type]
                    loss=trial.value if names.get(trial.state) == "complete" else None,
                    rows=tuple((loss, n) for loss, n in json.loads(trial.user_attrs.get("rows", "[]"))),
                    last_loss=None if last is None else trial.intermediate_values[last],
                    last_evaluation=last,
                    seconds=trial.user_attrs.get("seconds"),
                    reason=reason,
                )
            )
        return records

    def run_one(self, first: Choice | None, run: Callable[[Any, Choice], Verdict | None]) -> Verdict | None:
        """Let the sampler choose (``first`` comes before all others) and ``run`` it; None where it was interrupted.

        ``run`` gets the Optuna trial, to report to, and the choice.
        """
        optuna = import_optuna()
        done = len(self.finished())
        self._study.sampler = optuna.samplers.TPESampler(seed=self._seed * 100_003 + done, n_startup_trials=STARTUP)
        if done == 0 and first is not None:
            self._study.enqueue_trial(to_params(first))
        trial = self._study.ask()
        verdict = run(trial, draw(trial, self._space))
        states = optuna.trial.TrialState
        if verdict is None:
            self._study.tell(trial, state=states.FAIL)
            return None
        trial.set_user_attr("seconds", round(verdict.seconds, 2))
        if verdict.state == "complete":
            trial.set_user_attr("rows", json.dumps(verdict.rows))
            self._study.tell(trial, verdict.loss)
        elif verdict.state == "pruned":
            self._study.tell(trial, state=states.PRUNED)
        else:
            trial.set_user_attr("reason", verdict.reason or "unknown")
            self._study.tell(trial, state=states.FAIL)
        return verdict

    def repeats(self) -> dict[tuple[int, int], float]:
        """(trial number, seed) -> loss of that trial's settings, run again with another seed."""
        found = {}
        for name, loss in self._study.user_attrs.items():
            if name.startswith("repeat:"):
                _, number, seed = name.split(":")
                found[int(number), int(seed)] = float(loss)
        return found

    def add_repeat(self, number: int, seed: int, loss: float) -> None:
        """Keep the loss of one repetition."""
        self._study.set_user_attr(f"repeat:{number}:{seed}", loss)


def make_pruner(kind: Literal["median", "hyperband", "none"], evaluations: int) -> Any:
    """When a trial is given up: worse than the median of those before it, or by Hyperband (Li et al. 2018, JMLR 18), or never.

    Trials report at their 1st, 2nd, ... of ``evaluations`` evaluations.
    """
    optuna = import_optuna()
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=0)
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=evaluations, reduction_factor=3)
    return optuna.pruners.NopPruner()


def import_optuna() -> Any:
    """The library, quiet.

    Raises:
        MedqaError: not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise MedqaError(
            "wanted optuna for medqa finetune search, found none; install with: pip install 'medqa[train]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
