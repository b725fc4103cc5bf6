"""Settings of the answers: the language model, and what surrounds it."""

from typing import Literal

from pydantic import Field

from medqa.settings.base import Section


def default_adapter(model: str) -> str | None:
    """The adapter that is shipped for ``model``; None for models other than the embedded one."""
    return "models/phi3-nano-medquad" if model == "models/phi3-nano" else None


class GeneratorSettings(Section):
    """The language model."""

    model: str = "models/phi3-nano"
    """A transformers folder or hub id, e.g. ``microsoft/Phi-3-mini-4k-instruct``."""
    adapter: str | None = Field(default_factory=lambda given: default_adapter(given["model"]))
    """PEFT folder for the tuned variants; the embedded model has one that is shipped, other models have none."""
    quantize: Literal["none", "nf4"] = "none"
    """``nf4`` loads the base model in 4 bits (bitsandbytes)."""
    device: str = "auto"
    """``auto`` takes CUDA when there is one."""
    max_new_tokens: int = Field(256, ge=1)
    """Longest answer, in the model's tokens."""
    batch_size: int = Field(8, ge=1)
    """Prompts generated at once by predict and eval."""
    lookup_tokens: int = Field(10, ge=0)
    """Tokens guessed from the sources at a time where one question is answered alone (chat, ask): the same answer, sooner.
    0: one token after the other."""


class RagSettings(Section):
    """Prompt, abstention and citation checks."""

    passages: int = Field(3, ge=1)
    """Passages shown to the model."""
    prompt_tokens: int = Field(1536, ge=64)
    """Longest prompt; with ``generator.max_new_tokens`` it must fit the model's context."""
    threshold: float | None = None
    """Evidence (cosine of the best passage) below which the system abstains; null takes the index's own calibration."""
    support: float = Field(0.6, ge=0, le=1)
    """Share of a sentence's content words that the cited passage must hold for the sentence to count as supported."""
