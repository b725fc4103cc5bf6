"""Settings -> pipeline: the door of this stage. Below it nothing sees a settings object."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medqa.adapter import CONFIG
from medqa.base_model import is_hub_id
from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.records import Hit, Variant
from medqa.settings import Settings
from rag.generators import LocalModel, load_model
from rag.pipeline import Pipeline
from retrieval.index import Index
from retrieval.ranking import Ranking


@dataclass(frozen=True)
class FusedSearch:
    """An index with its search parameters bound; picks up a new generation between two questions."""

    index: Index
    ranking: Ranking

    def search(self, questions: Sequence[str], k: int) -> list[list[Hit]]:
        """The ``k`` best passages per question, best first."""
        self.index.reload_if_changed()
        return self.index.search(questions, k, ranking=self.ranking)


def open_model(settings: Settings, variants: Iterable[Variant]) -> LocalModel | None:
    """The language model that ``variants`` need, with its adapter if one of them is tuned; None if none needs a model."""
    needed = set(variants)
    if needed <= {"extractive"}:
        return None
    g = settings.generator
    tuned = any(v.startswith("tuned") for v in needed)
    if tuned and not g.adapter:
        raise MedqaError(
            "wanted a fine-tuned variant, found no adapter; set generator.adapter or run: medqa finetune generator"
        )
    return load_model(
        g.model,
        g.adapter if tuned else None,
        quantize=g.quantize,
        device=g.device,
        max_new_tokens=g.max_new_tokens,
        prompt_tokens=settings.rag.prompt_tokens,
        batch_size=g.batch_size,
        offline=settings.offline,
        seed=settings.seed,
        lookup_tokens=g.lookup_tokens,
    )


def open_pipeline(settings: Settings, variants: Iterable[Variant]) -> Pipeline:
    """Everything that ``variants`` need, loaded once: index and encoder, model and adapter."""
    from retrieval.command import load_ranking, open_index

    needed = set(variants)
    searcher = None
    threshold = settings.rag.threshold
    if needed - {"plain", "tuned"}:
        index = open_index(locate(settings.index), settings)
        searcher = FusedSearch(index, load_ranking(settings.retrieval, index.encoder))
        threshold = index.manifest["calibration"]["threshold"] if threshold is None else threshold
    return Pipeline(
        searcher=searcher,
        model=open_model(settings, needed),
        passages=settings.rag.passages,
        threshold=threshold,
        support=settings.rag.support,
    )


def has_model(settings: Settings) -> bool:
    """True if the base model is a folder that is there, or a hub id."""
    model = settings.generator.model
    return (locate(model) / "config.json").is_file() or is_hub_id(model)


def has_adapter(settings: Settings) -> bool:
    """True if the adapter is there."""
    adapter = settings.generator.adapter
    return adapter is not None and (locate(adapter) / CONFIG).is_file()


def default_variant(settings: Settings) -> Variant:
    """The best variant that the artefacts at hand allow: tuned+rag with an adapter, plain+rag with a model, extractive."""
    if not has_model(settings):
        return "extractive"
    return "tuned+rag" if has_adapter(settings) else "plain+rag"
