"""Settings of the comparison: variants, further systems, the judge."""

from typing import Any, Literal

from pydantic import Field, field_validator

from medqa.records import VARIANTS, Split, Variant
from medqa.settings.base import DEMO, Section


class SystemSettings(Section):
    """A further system in the comparison: one of the five variants with something changed."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$", max_length=60)
    """What the tables call it."""
    variant: Variant
    adapter: str | None = None
    """Another ``generator.adapter``."""
    passages: int | None = Field(None, ge=1)
    """Another ``rag.passages``."""
    threshold: float | None = None
    """Another ``rag.threshold``; -1 never abstains for want of evidence."""
    retrieval: dict[str, Any] = Field({})
    """Keys of ``retrieval`` that differ, e.g. ``{fusion: rrf}`` or another ``encoder``, which gets indexes of its own."""


class JudgeSettings(Section):
    """A language model behind an OpenAI-compatible server as one more rater of a review sheet; never asked by default."""

    url: str | None = None
    """E.g. ``http://127.0.0.1:8000/v1``; a key, if the server wants one, in the environment as ``MEDQA_JUDGE_KEY``."""
    model: str = ""
    """Name of the model at the server."""
    timeout: float = Field(60.0, gt=0)
    """Seconds until a request counts as failed."""


class EvalSettings(Section):
    """The comparison of variants."""

    out: str = f"{DEMO}/eval"
    """Run folder."""
    variants: tuple[Variant, ...] = VARIANTS
    systems: tuple[SystemSettings, ...] = ()
    """Further systems, beside ``variants``."""
    indexes: tuple[Literal["open-book", "held-out", "random-split"], ...] = ("open-book", "held-out")
    """``open-book`` holds all pairs' answers, ``held-out`` those of train only, ``random-split`` what a random split would call
    train (to show how much that flatters); all leave the questions out."""
    header: str = "topic+synonyms"
    """Header of the evaluation indexes. It may not contain the question: a question must not find itself."""
    split: Split = "test"
    questions: int | None = Field(None, ge=1)
    """Questions asked, drawn with the seed; null asks all."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples behind every interval."""
    language: bool = True
    """Also measure how well each model expects the reference answers (loss, perplexity, bits per byte)."""
    bertscore: str | None = None
    """Folder of a transformers encoder for BERTScore; null leaves it out."""
    judge: JudgeSettings = JudgeSettings()

    @field_validator("systems")
    @classmethod
    def _names_differ(cls, value: tuple[SystemSettings, ...]) -> tuple[SystemSettings, ...]:
        names = [*VARIANTS, *(system.name for system in value)]
        if len(names) != len(set(names)):
            raise ValueError(f"wanted a name of its own for every system, beside {', '.join(VARIANTS)}")
        return value
