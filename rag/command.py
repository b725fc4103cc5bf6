"""Bodies of the verbs ``ask`` and ``predict``."""

from pathlib import Path
from typing import Any

from medqa.manifest import recipe_key
from medqa.paths import locate
from medqa.queries import read_queries
from medqa.records import Answer, Variant
from medqa.settings import Settings
from rag.build import default_variant, open_pipeline
from rag.predict import predict
from retrieval.aspects import aspects_folder


def ask(settings: Settings, question: str, variant: Variant | None) -> Answer:
    """One question, one answer."""
    chosen = variant or default_variant(settings)
    return open_pipeline(settings, [chosen]).answer(question, chosen)


def predict_file(
    settings: Settings, queries: Path, variant: Variant | None, out: Path, limit: int | None = None
) -> dict[str, Any]:
    """Answer a file of questions; see :func:`rag.predict.predict`."""
    chosen = variant or default_variant(settings)
    wanted = read_queries(queries)[:limit]
    pipeline = open_pipeline(settings, [chosen])
    return predict(pipeline, wanted, chosen, out, batch_size=settings.generator.batch_size, key=answering_key(settings))


def answering_key(settings: Settings) -> str:
    """Hash of what decides an answer: the index's current generation, the models that rank and write, the settings."""
    inputs = {name: path.read_text(encoding="utf-8") for name, path in _markers(settings).items() if path.is_file()}
    chosen = settings.model_dump(mode="json", include={"seed", "retrieval", "generator", "rag"})
    return recipe_key("answers", inputs, chosen)


def _markers(settings: Settings) -> dict[str, Path]:
    markers = {"index": locate(settings.index) / "CURRENT"}
    if settings.generator.adapter:
        markers["adapter"] = locate(settings.generator.adapter) / "manifest.json"
    if settings.retrieval.aspects:
        markers["aspects"] = aspects_folder(settings.retrieval.aspects) / "manifest.json"
    if settings.retrieval.reranker:
        markers["reranker"] = locate(settings.retrieval.reranker) / "manifest.json"
    return markers
