"""All settings of a run, one section per stage. They come from one YAML file and ``--set section.key=value``.

Unknown keys are errors that name the nearest valid one. Sections are turned into plain arguments where a verb begins; no
class below that line sees a settings object.
"""

from medqa.settings.base import DEMO
from medqa.settings.data import IngestSettings, PassageSettings, SplitSettings
from medqa.settings.evaluation import EvalSettings, JudgeSettings, SystemSettings
from medqa.settings.generation import GeneratorSettings, RagSettings, default_adapter
from medqa.settings.load import load_settings
from medqa.settings.retrieval import RetrievalSettings
from medqa.settings.root import Settings
from medqa.settings.training import (
    AspectsSettings,
    FinetuneSettings,
    MergeSettings,
    QuestionForms,
    RerankerSettings,
    RetrieverSettings,
    SearchSettings,
)

__all__ = [
    "DEMO",
    "AspectsSettings",
    "EvalSettings",
    "FinetuneSettings",
    "GeneratorSettings",
    "IngestSettings",
    "JudgeSettings",
    "MergeSettings",
    "PassageSettings",
    "QuestionForms",
    "RagSettings",
    "RerankerSettings",
    "RetrievalSettings",
    "RetrieverSettings",
    "SearchSettings",
    "Settings",
    "SplitSettings",
    "SystemSettings",
    "default_adapter",
    "load_settings",
]
