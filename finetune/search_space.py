"""What a search may choose: LoRA's shape and the learning rate. All else stays as the recipe has it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medqa.errors import MedqaError


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of everything that is searched."""

    r: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    learning_rate: float

    def as_dict(self) -> dict[str, Any]:
        """Key -> value, as they stand under ``finetune`` in a settings file."""
        return {**asdict(self), "targets": list(self.targets)}


@dataclass(frozen=True, slots=True)
class Space:
    """The values to choose from."""

    r: tuple[int, ...]
    alpha: tuple[int, ...]
    dropout: tuple[float, ...]
    targets: tuple[tuple[str, ...], ...]
    learning_rate: tuple[float, float]
    """Lowest and highest; drawn uniformly on a logarithmic scale."""

    def __post_init__(self) -> None:
        if not all((self.r, self.alpha, self.dropout, self.targets)) or not all(self.targets):
            raise MedqaError(
                "wanted at least one value for each of search.r, alpha, dropout and targets, found an empty one"
            )
        low, high = self.learning_rate
        if not 0 < low < high:
            raise MedqaError(f"wanted search.learning_rate as [lowest, highest] above 0, found [{low}, {high}]")

    def holds(self, choice: Choice) -> bool:
        """Whether ``choice`` could come out of a search of this space."""
        low, high = self.learning_rate
        return (
            choice.r in self.r
            and choice.alpha in self.alpha
            and choice.dropout in self.dropout
            and choice.targets in self.targets
            and low <= choice.learning_rate <= high
        )


def draw(trial: Any, space: Space) -> Choice:
    """The choice that ``trial`` (an Optuna trial) suggests."""
    return Choice(
        r=trial.suggest_categorical("r", list(space.r)),
        alpha=trial.suggest_categorical("alpha", list(space.alpha)),
        dropout=trial.suggest_categorical("dropout", list(space.dropout)),
        targets=_split(trial.suggest_categorical("targets", [_join(t) for t in space.targets])),
        learning_rate=trial.suggest_float("learning_rate", *space.learning_rate, log=True),
    )


def to_params(choice: Choice) -> dict[str, Any]:
    """``choice`` as Optuna stores it: single values, targets joined by ``+``."""
    return {**asdict(choice), "targets": _join(choice.targets)}


def from_params(params: dict[str, Any]) -> Choice:
    """The inverse of ``to_params``."""
    return Choice(**{**params, "targets": _split(params["targets"])})


def _join(targets: Sequence[str]) -> str:
    return "+".join(targets)


def _split(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("+"))
