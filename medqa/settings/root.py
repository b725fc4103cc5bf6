"""The root of the settings: a section per stage, and what concerns them all."""

from medqa.records import SPLITS, Split
from medqa.settings.base import DEMO, Section
from medqa.settings.data import IngestSettings, PassageSettings, SplitSettings
from medqa.settings.evaluation import EvalSettings
from medqa.settings.generation import GeneratorSettings, RagSettings
from medqa.settings.retrieval import RetrievalSettings
from medqa.settings.training import (
    AspectsSettings,
    FinetuneSettings,
    MergeSettings,
    RerankerSettings,
    RetrieverSettings,
    SearchSettings,
)


class Settings(Section):
    """Everything; the root of a YAML file."""

    seed: int = 0
    """Decides splits, shuffles and samples."""
    offline: bool = False
    """Never contact a hub."""
    corpus: str = f"{DEMO}/corpus"
    """Corpus folder, or a plain CSV with ids for ``index build|update``."""
    index: str = f"{DEMO}/index"
    """Index folder."""
    splits: tuple[Split, ...] = SPLITS
    """Splits that go into the index."""
    ingest: IngestSettings = IngestSettings()
    split: SplitSettings = SplitSettings()
    passages: PassageSettings = PassageSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    generator: GeneratorSettings = GeneratorSettings()
    rag: RagSettings = RagSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    merge: MergeSettings = MergeSettings()
    search: SearchSettings = SearchSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    reranker: RerankerSettings = RerankerSettings()
    aspects: AspectsSettings = AspectsSettings()
    eval: EvalSettings = EvalSettings()
