"""What the page needs of the other stages, loaded once: pipeline, index facts, questions to begin with."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from medqa.manifest import read_manifest
from medqa.paths import locate
from medqa.records import Answer, Passage, Variant
from medqa.settings import Settings
from rag.build import open_pipeline
from rag.pipeline import Pipeline
from retrieval.contents import KIND, read_passages
from retrieval.encoder import EMBEDDED
from retrieval.generations import current
from ui.render import LABEL_LENGTH
from ui.variants import possible_variants

EXAMPLES = 5
"""Buttons on the empty page."""


@dataclass(frozen=True)
class Loaded:
    """A pipeline that several browser sessions share, and what the page says about it."""

    pipeline: Pipeline
    variants: tuple[Variant, ...]
    """Those that the artefacts at hand allow, the most useful first."""
    examples: tuple[str, ...]
    facts: Callable[[], Sequence[tuple[str, str]]]
    """Names and values of the index as it is now."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, question: str, variant: Variant, passages: int, on_text: Callable[[str], None]) -> Answer:
        """One answer at a time: the model is not safe for concurrent calls."""
        with self.lock:
            return replace(self.pipeline, passages=passages).answer(question, variant, on_text)


def load(settings: Settings) -> Loaded:
    """Everything that the page needs; takes seconds (index, encoder, model).

    Raises:
        MedqaError: something is missing, damaged or does not fit together.
    """
    variants = possible_variants(settings)
    pipeline = open_pipeline(settings, variants)
    index = locate(settings.index)
    encoder = settings.retrieval.encoder

    def facts() -> list[tuple[str, str]]:
        return index_facts(read_manifest(current(index), KIND, f"medqa index build --index {index}"), encoder)

    return Loaded(pipeline, variants, example_questions(read_passages(current(index)), EXAMPLES), facts)


def index_facts(manifest: Mapping[str, Any], encoder: str) -> list[tuple[str, str]]:
    """Names and values for the page, from an index's manifest."""
    name = "all-MiniLM-L6-v2 (embedded)" if encoder == EMBEDDED else encoder
    built = datetime.fromisoformat(manifest["created"]).strftime("%Y-%m-%d %H:%M UTC")
    return [
        ("Question/answer pairs", f"{manifest['pairs']:,}"),
        ("Passages", f"{manifest['passages']:,}"),
        ("Built", built),
        ("Encoder", name),
    ]


def example_questions(passages: Sequence[Passage], wanted: int) -> tuple[str, ...]:
    """Up to ``wanted`` questions that the index can answer, spread over it: other titles, and other types while there are any.

    The question is the first part of a passage's header; where headers have none, the title makes one.
    """
    seen_titles: set[str] = set()
    seen_types: set[str] = set()
    chosen: list[str] = []
    for number in range(wanted):
        start = number * len(passages) // wanted
        fresh = [
            (p, q)
            for p in (*passages[start:], *passages[:start])
            if p.title not in seen_titles and (q := _question(p)) and q not in chosen
        ]
        best = next((pq for pq in fresh if pq[0].question_type not in seen_types), fresh[0] if fresh else None)
        if best is None:
            break
        passage, question = best
        seen_titles.add(passage.title)
        seen_types.add(passage.question_type)
        chosen.append(question)
    return tuple(chosen)


def _question(passage: Passage) -> str:
    """The question behind a passage; empty where there is none that fits a button."""
    first = passage.header.split(" | ")[0].strip()
    if not first.endswith("?"):
        first = f"What should I know about {passage.title}?" if passage.title else ""
    return first if len(first) <= LABEL_LENGTH else ""
