"""Settings of all that is trained: generator, retriever, reranker, aspects."""

from typing import Literal

from pydantic import Field

from medqa.settings.base import DEMO, Section


class FinetuneSettings(Section):
    """Fine-tuning of the generator."""

    out: str = f"{DEMO}/adapter"
    """Folder of the finished adapter; checkpoints lie in ``checkpoints/`` beside it until it is finished."""
    examples: str | None = None
    """JSONL of ready-made examples (as ``finetune generator --export`` writes) instead of building them from the corpus."""
    rehearsal: str | None = None
    """JSONL of further training examples, of what the model can do already and would unlearn on one corpus alone: other
    tasks, other passages. All of them are used; a third of all examples is a good share."""
    start: str | None = None
    """Adapter to go on from, of the same base, rank, scale and modules, instead of fresh matrices: new data, or other
    questions, without learning everything anew."""
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
    draws: int = Field(1, ge=1)
    """Training examples per pair, each with a kind, sources and an order of its own: three draws in one epoch take as long as
    one in three, and show a question once with its passage and once without."""
    people: float = Field(0.0, ge=0, le=1)
    """Share of the questions that are asked in someone's own words (key words, a message with a story), where the question
    type is known: a model that has met a corpus' own templates alone refuses whatever is asked otherwise."""
    frames: str | None = None
    """JSON with further ways to ask for ``people``: an object, question type -> sentence frames with ``{t}`` for the topic.
    The built-in ones are a dozen each for MedQuAD's question types."""


class SearchSettings(Section):
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


class MergeSettings(Section):
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


class QuestionForms(Section):
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
    aspects: str | None = "auto"
    """Aspects that judge the lists on which it is measured: as ``retrieval.aspects``."""
    headed_only: bool = False
    """Learn from passages under a header alone, and leave others in use where the search has put them: what it learns
    from a corpus' answers harms the order of texts that stand for themselves."""
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
