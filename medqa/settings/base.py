"""What every section of the settings stands on."""

from pydantic import BaseModel, ConfigDict

DEMO = "runs/demo"
"""Where ``make demo`` puts its artefacts; the sections default to it, so that ``medqa ask`` works right after it."""


class Section(BaseModel):
    """What all sections have in common: unknown keys are errors, and no value changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
