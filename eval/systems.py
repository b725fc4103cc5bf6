"""Who is compared: the five variants and what a config adds, each as settings of its own. The door of this stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from medqa.errors import MedqaError
from medqa.records import Variant
from medqa.settings import RetrievalSettings, Settings, SystemSettings

WITHOUT_INDEX: tuple[Variant, ...] = ("plain", "tuned")


@dataclass(frozen=True, slots=True)
class System:
    """One contender."""

    name: str
    variant: Variant
    settings: Settings
    """Those of the run with what this system changes."""

    @property
    def uses_index(self) -> bool:
        """False for variants without sources."""
        return self.variant not in WITHOUT_INDEX


def systems_of(settings: Settings) -> list[System]:
    """``eval.variants``, then ``eval.systems``.

    Raises:
        MedqaError: nothing to compare, or a system changes a key of ``retrieval`` that is not there.
    """
    found = [System(v, v, settings) for v in dict.fromkeys(settings.eval.variants)]
    found += [_further(settings, system) for system in settings.eval.systems]
    if not found:
        raise MedqaError("wanted something to compare, found none; set eval.variants or eval.systems")
    return found


def plan(systems: list[System], indexes: tuple[str, ...]) -> list[tuple[str, System]]:
    """(index, system) of every cell; systems without sources answer once, under the index name ``none``.

    Raises:
        MedqaError: a system needs an index and there is none.
    """
    if not indexes and any(s.uses_index for s in systems):
        raise MedqaError("wanted an index for the variants with sources, found none; set eval.indexes")
    cells = [("none", s) for s in systems if not s.uses_index]
    return cells + [(index, s) for index in dict.fromkeys(indexes) for s in systems if s.uses_index]


def _further(settings: Settings, system: SystemSettings) -> System:
    changed: dict[str, Any] = {"retrieval": _retrieval(settings.retrieval, system.retrieval, system.name)}
    if system.adapter is not None:
        changed["generator"] = settings.generator.model_copy(update={"adapter": system.adapter})
    rag = {k: v for k in ("passages", "threshold") if (v := getattr(system, k)) is not None}
    changed["rag"] = settings.rag.model_copy(update=rag)
    return System(system.name, system.variant, settings.model_copy(update=changed))


def _retrieval(base: RetrievalSettings, changes: Mapping[str, Any], name: str) -> RetrievalSettings:
    try:
        return RetrievalSettings.model_validate({**base.model_dump(), **changes})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise MedqaError(
            f"wanted keys of retrieval in eval.systems {name}, found {where}: {problem['msg'].lower()}; "
            f"the keys are {', '.join(RetrievalSettings.model_fields)}"
        ) from error
