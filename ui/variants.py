"""Which variants the artefacts at hand allow, and how the page names them."""

from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.records import Variant
from medqa.settings import Settings
from rag.build import has_adapter, has_model
from retrieval.generations import current

NAMES: dict[Variant, str] = {
    "tuned+rag": "Fine-tuned, with sources",
    "plain+rag": "Base model, with sources",
    "extractive": "Quotes only",
    "tuned": "Fine-tuned, no sources",
    "plain": "Base model, no sources",
}
"""Every variant in the order in which the page offers them: the most useful first."""

EXPLANATIONS: dict[Variant, str] = {
    "tuned+rag": "The fine-tuned model reads the passages found and cites them.",
    "plain+rag": "The base model reads the passages found and cites them.",
    "extractive": "No language model: the best passages, quoted word for word.",
    "tuned": "Unreliable: the fine-tuned model answers from memory.",
    "plain": "Unreliable: the base model answers from memory.",
}


def possible_variants(settings: Settings) -> tuple[Variant, ...]:
    """What the index, the model and the adapter at hand allow, in the page's order.

    Raises:
        MedqaError: no index, or a model or adapter that was asked for by name and is not there.
    """
    current(locate(settings.index))
    model = _has_model(settings)
    adapter = model and _has_adapter(settings)
    return tuple(v for v in NAMES if v == "extractive" or (model and (adapter or not v.startswith("tuned"))))


def _has_model(settings: Settings) -> bool:
    there = has_model(settings)
    if not there and "model" in settings.generator.model_fields_set:
        raise MedqaError(
            f"wanted a model folder at {settings.generator.model}, found none; "
            "set generator.model to a folder or a hub id"
        )
    return there


def _has_adapter(settings: Settings) -> bool:
    there = has_adapter(settings)
    if settings.generator.adapter and not there and "adapter" in settings.generator.model_fields_set:
        raise MedqaError(
            f"wanted an adapter at {settings.generator.adapter}, found none; make it with: medqa finetune generator, "
            "or set generator.adapter=null"
        )
    return there
