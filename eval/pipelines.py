"""Systems -> pipelines: models, encoders and indexes are loaded once and shared; how long that took is remembered."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

from eval.leakage import random_split
from eval.rows import DEPTH
from eval.systems import System
from ingest.corpus import Corpus
from medqa.errors import MedqaError
from medqa.files import sha256_bytes
from medqa.paths import locate
from medqa.records import SPLITS, Answer, QAPair, Split, Variant
from medqa.settings import RetrievalSettings, Settings
from rag.build import FusedSearch, open_model
from rag.generators import LocalModel
from rag.pipeline import Pipeline
from retrieval.build import build_index
from retrieval.command import load_ranking, storage_of
from retrieval.encoder import SentenceEncoder, load_encoder
from retrieval.index import Index
from retrieval.ranking import Ranking

SPLITS_OF: dict[str, Sequence[Split]] = {"open-book": SPLITS, "held-out": ("train",), "random-split": ("train",)}
T = TypeVar("T")


@dataclass(frozen=True)
class Patient:
    """A pipeline that goes on where a question fails: its answer is empty and ``reason`` says why."""

    pipeline: Pipeline

    def answer_all(self, questions: Sequence[str], variant: Variant) -> list[Answer]:
        """One answer per question, in order."""
        try:
            return self.pipeline.answer_all(questions, variant)
        except MedqaError:
            return [self._alone(question, variant) for question in questions]

    def _alone(self, question: str, variant: Variant) -> Answer:
        try:
            return self.pipeline.answer_all([question], variant)[0]
        except MedqaError as error:
            return Answer(question, "", variant, reason=f"failed: {error}")


class Pipelines:
    """All that the systems of one run need, made when first asked for."""

    def __init__(
        self, corpus: Corpus, asked: Sequence[QAPair], folder: Path, systems: Sequence[System], run: Settings
    ) -> None:
        self._corpus, self._asked, self._folder = corpus, asked, folder
        self._seed, self._usual = run.seed, _place(run.retrieval)
        self._variants = [(_model_key(s), s.variant) for s in systems]
        self._made: dict[tuple[str, str], object] = {}
        self._model: tuple[str, LocalModel | None] | None = None
        self.seconds: dict[tuple[str, str], float] = {}
        """(kind, key) -> seconds that loading took; building an index is not loading."""

    def pipeline(self, index: str, system: System) -> Pipeline:
        """The pipeline of ``system`` over ``open-book``, ``held-out``, ``random-split`` or ``none``."""
        rag = system.settings.rag
        plain = Pipeline(None, self.model(system), rag.passages, None, rag.support)
        if index == "none":
            return plain
        searcher = FusedSearch(self.index(index, system), self.ranking(system))
        return replace(plain, searcher=searcher, threshold=self.threshold(system))

    def model(self, system: System) -> LocalModel | None:
        """The language model; one at a time stays in memory."""
        if system.variant == "extractive":
            return None
        key = _model_key(system)
        if self._model is None or self._model[0] != key:
            self._model = None  # the former one makes room first
            sharing = [variant for other, variant in self._variants if other == key]
            self._model = key, self._timed("model", key, lambda: open_model(system.settings, sharing))
        return self._model[1]

    def encoder(self, system: System) -> SentenceEncoder:
        """The encoder of the system's retriever."""
        r = system.settings.retrieval
        return self._once("encoder", r.encoder, lambda: load_encoder(r.encoder, r.batch_size, r.devices))

    def ranking(self, system: System) -> Ranking:
        """The way of ranking, its reranker loaded."""
        r = system.settings.retrieval
        return self._once("ranking", r.model_dump_json(), lambda: load_ranking(r, self.encoder(system).fingerprint))

    def index(self, name: str, system: System) -> Index:
        """The evaluation index called ``name``, built if need be."""
        folder = self.folder(name, system)

        def build() -> Path:
            self._build(name, system)
            return folder

        self._once("built", str(folder), build)
        return self._once("index", str(folder), lambda: Index.open(folder, self.encoder(system)))

    def threshold(self, system: System) -> float | None:
        """The system's own threshold, else that of its open-book index, where the validation questions have answers: what
        changes between two tables is the evidence, not the bar."""
        own = system.settings.rag.threshold
        if own is not None:
            return own
        found: float | None = self.index("open-book", system).manifest["calibration"]["threshold"]
        return found

    def retrieved(self, name: str, system: System) -> list[list[str]]:
        """Ids of the best ``DEPTH`` pairs for each question asked, best first."""
        key = f"{name} {system.settings.retrieval.model_dump_json()}"

        def search() -> list[list[str]]:
            questions = [p.question for p in self._asked]
            found = self.index(name, system).search(questions, DEPTH, "pair", ranking=self.ranking(system))
            return [[hit.passage.pair_id for hit in hits] for hits in found]

        return self._once("retrieved", key, search)

    def held(self, name: str) -> set[str]:
        """Ids of the pairs that the index called ``name`` holds."""
        wanted = set(SPLITS_OF[name])
        return {p.id for p in self._pairs(name) if p.split in wanted}

    def load_seconds(self, index: str, system: System) -> dict[str, float]:
        """What loading each part of a system took."""
        r = system.settings.retrieval
        parts = {"model": _model_key(system)} if system.variant != "extractive" else {}
        if index != "none":
            parts |= {"encoder": r.encoder, "index": str(self.folder(index, system)), "ranking": r.model_dump_json()}
        return {kind: round(self.seconds[kind, key], 3) for kind, key in parts.items() if (kind, key) in self.seconds}

    def folder(self, name: str, system: System) -> Path:
        """Where the index lies; another encoder or store than the run's own has a folder of its own."""
        place = _place(system.settings.retrieval)
        return self._folder / (name if place == self._usual else f"{name}-{sha256_bytes(place.encode())[:8]}")

    def _build(self, name: str, system: System) -> None:
        s = system.settings
        pairs, content = self._pairs(name), self._corpus.fingerprint
        if name == "random-split":
            content = sha256_bytes("\n".join([content, *sorted(self.held(name))]).encode())
        build_index(
            pairs,
            content,
            self.folder(name, system),
            self.encoder(system),
            splits=SPLITS_OF[name],
            header=s.eval.header,
            max_tokens=s.passages.max_tokens,
            keep_generations=1,
            reuse=True,
            seed=s.seed,
            storage=storage_of(s.retrieval),
            share=[*(self.folder(other, system) for other in SPLITS_OF if other != name), locate(s.index)],
        )

    def _pairs(self, name: str) -> Sequence[QAPair]:
        if name != "random-split":
            return self._corpus.pairs
        asked = {p.id for p in self._asked}
        return self._once("pairs", name, lambda: random_split(self._corpus.pairs, asked, self._seed))

    def _once(self, kind: str, key: str, make: Callable[[], T]) -> T:
        if (kind, key) not in self._made:
            self._made[kind, key] = self._timed(kind, key, make)
        return cast("T", self._made[kind, key])

    def _timed(self, kind: str, key: str, make: Callable[[], T]) -> T:
        began = time.perf_counter()
        made = make()
        self.seconds[kind, key] = time.perf_counter() - began
        return made


def _model_key(system: System) -> str:
    s = system.settings
    return f"{s.generator.model_dump_json()} {s.rag.prompt_tokens}"


def _place(options: RetrievalSettings) -> str:
    return f"{options.encoder} {storage_of(options).recipe()}"
