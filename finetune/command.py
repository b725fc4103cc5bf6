"""``medqa finetune generator``: settings become plain arguments here, and nowhere below."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetune.answers import mean_rouge_l
from finetune.arguments import TrainPlan
from finetune.checkpoints import checkpoint_folder, remove_checkpoints
from finetune.checks import fitting_plan, memory_load, refuse_contradictions
from finetune.examples import Example
from finetune.inputs import export_examples, load_corpus, load_examples, recipe_inputs
from finetune.lora import add_lora, go_on_lora, trainable_parameters
from finetune.masking import EncodedSet, describe_example, encode_all
from finetune.memory import read_shape
from finetune.model import (
    choose_compute,
    load_base,
    refuse_4bit_on_cpu,
    refuse_sharding,
)
from finetune.result import save_result
from finetune.tracking import check_tracker, tracking
from finetune.train import TrainOutcome, train
from medqa.adapter import KIND, MAKE, WEIGHTS, check_adapter
from medqa.base_model import base_fingerprint, load_tokenizer, portable_name, resolve_model
from medqa.errors import MedqaError
from medqa.files import sha256_file, staged_folder
from medqa.manifest import is_current, read_manifest, recipe_key
from medqa.paths import locate
from medqa.processes import from_main, join, say, world_size
from medqa.settings import FinetuneSettings, Settings


def train_generator(
    settings: Settings, config: Path | None, limit: int | None = None, export: Path | None = None
) -> dict[str, Any]:
    """Fine-tune the generator on the corpus' train split, or with ``export`` only write the examples it would learn from.

    An unchanged result is reused; an interrupted run goes on from its newest checkpoint.

    Args:
        settings: all of them.
        config: the file they came from, for the command that resumes.
        limit: train pairs used; None for all.
        export: JSONL to write instead of training.

    Returns:
        What was made, for people and ``--json``: ``reused`` or ``interrupted`` say that nothing, or not all, was done.

    Raises:
        MedqaError: nothing to train on, no base model, or a recipe this machine cannot run.
    """
    if export is not None:
        return export_examples(settings, limit, export)
    fs, gs = settings.finetune, settings.generator
    out = Path(fs.out)
    refuse_contradictions(fs)
    check_tracker(fs.report_to)
    compute = choose_compute(gs.device)
    refuse_4bit_on_cpu(gs.quantize, compute)
    if fs.compile and compute.device != "cuda":
        raise MedqaError("wanted a CUDA device for finetune.compile=true, found none; set finetune.compile=false")
    refuse_sharding(fs.sharding, compute)
    join(compute.device)
    folder = from_main(lambda: resolve_model(gs.model, settings.offline))
    base = {"name": portable_name(gs.model), "fingerprint": base_fingerprint(folder)}
    corpus = load_corpus(settings)
    inputs = recipe_inputs(settings, corpus, base["fingerprint"])
    if fs.start is not None:
        check_adapter(locate(fs.start), folder)
        inputs["start"] = sha256_file(locate(fs.start) / WEIGHTS)
    recipe = train_recipe(settings, limit)
    key = recipe_key(KIND, inputs, recipe)
    if is_current(out, KIND, key):
        return {"adapter": str(out), "reused": True, **_summary(read_manifest(out, KIND, MAKE))}

    train_examples, eval_examples = from_main(lambda: load_examples(settings, corpus, limit))
    tokenizer = load_tokenizer(folder)
    rows = encode_all(tokenizer, train_examples, fs.max_length)
    eval_rows = encode_all(tokenizer, eval_examples, fs.max_length)
    say(_describe(train_examples, rows, eval_rows))
    say(f"one example as the loss sees it:\n{describe_example(tokenizer, rows.rows[0])}\n")
    say(f"training on {compute.device} in {compute.dtype}: {compute.why}")
    load = memory_load(fs, gs.quantize, compute)
    plan = from_main(lambda: fitting_plan(train_plan(fs, settings.seed), fs, load, read_shape(folder), compute))

    _seed(settings.seed)
    base_model = load_base(folder, gs.quantize, compute, fs.upcast, fs.sharding)
    if fs.start is None:
        model, modules = add_lora(base_model, fs.targets, fs.r, fs.alpha, fs.dropout)
    else:
        model, modules = go_on_lora(base_model, locate(fs.start), fs.targets, fs.r, fs.alpha, fs.dropout)
    trainable, parameters = trainable_parameters(model)
    say(f"LoRA on {modules} modules: {trainable:,} of {parameters:,} parameters train")
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    checkpoints = checkpoint_folder(out, key)
    with tracking(out.parent / "tensorboard" / checkpoints.name):
        outcome = train(
            model,
            rows.rows,
            eval_rows.rows,
            pad_id,
            plan,
            compute,
            checkpoints,
            key,
            answers=_answers(fs, tokenizer, eval_rows, gs.max_new_tokens),
        )
    if outcome.interrupted:
        return _interrupted(outcome, checkpoints, config)

    facts = {
        "examples": _counts(train_examples, rows, eval_rows),
        "trainable": trainable,
        "modules": modules,
        "compute": f"{compute.device}, {compute.dtype}",
        "micro_batch": plan.batch_size,
        "parts": outcome.parts,
    }
    if fs.sharding == "fsdp":
        from finetune.sharded import gather_adapter

        weights = gather_adapter(model)
    else:
        weights = None

    def finish() -> dict[str, Any]:
        with staged_folder(out) as stage:
            manifest = save_result(stage, model, tokenizer, base, outcome, inputs, recipe, facts, weights)
        remove_checkpoints(out)
        return manifest

    return {"adapter": str(out), "reused": False, **_summary(from_main(finish))}


def train_recipe(settings: Settings, limit: int | None) -> dict[str, Any]:
    """The settings that decide the adapter's content; where it goes and what it is tracked with do not."""
    recipe: dict[str, Any] = settings.finetune.model_dump(
        mode="json",
        exclude={"out", "examples", "frames", "rehearsal", "start", "report_to", "kept_checkpoints", "check_memory"},
    )
    recipe |= {"seed": settings.seed, "limit": limit, "quantize": settings.generator.quantize}
    if world_size() > 1:  # each reads a batch of its own: together they make larger steps
        recipe["processes"] = world_size()
    if settings.finetune.examples is None:
        recipe |= {f"passages.{k}": v for k, v in settings.passages.model_dump(mode="json").items()}
        recipe["retrieval.encoder"] = settings.retrieval.encoder
    return recipe


def train_plan(fs: FinetuneSettings, seed: int) -> TrainPlan:
    """The settings of the training run as plain values."""
    return TrainPlan(
        learning_rate=fs.learning_rate,
        epochs=fs.epochs,
        max_steps=fs.max_steps,
        warmup_steps=fs.warmup_steps,
        batch_size=fs.batch_size,
        accumulation=fs.accumulation,
        eval_steps=fs.eval_steps,
        checkpointing=fs.checkpointing,
        optim=fs.optim,
        sampling=fs.sampling,
        report_to=fs.report_to,
        seed=seed,
        sharding=fs.sharding,
        batching=fs.batching,
        max_length=fs.max_length,
        pack_length=fs.pack_length,
        compile=fs.compile,
        kept_layers=fs.kept_layers,
        kept_checkpoints=fs.kept_checkpoints,
        best_by=fs.best_by,
        patience=fs.patience,
    )


def _answers(
    fs: FinetuneSettings, tokenizer: Any, eval_rows: EncodedSet, max_new_tokens: int
) -> Callable[[Any], float] | None:
    """The generation metric on the first rows of a fixed sample, where the best checkpoint is chosen by it."""
    if fs.best_by != "rouge_l":
        return None
    sample = eval_rows.rows[: fs.answer_examples]
    return lambda model: mean_rouge_l(model, tokenizer, sample, max_new_tokens)


def _counts(examples: Sequence[Example], rows: EncodedSet, eval_rows: EncodedSet) -> dict[str, Any]:
    return {
        "train": len(rows.rows),
        "validation": len(eval_rows.rows),
        "by_kind": dict(sorted(Counter(e.kind for e in examples).items())),
        "tokens": rows.tokens,
        "supervised": rows.supervised,
        "truncated": rows.truncated,
        "left_out": rows.left_out,
    }


def _describe(examples: Sequence[Example], rows: EncodedSet, eval_rows: EncodedSet) -> str:
    counts = _counts(examples, rows, eval_rows)
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts["by_kind"].items())
    return (
        f"{counts['train']} training examples ({kinds}), {rows.tokens:,} tokens, {rows.supervised:,} of them supervised; "
        f"{rows.truncated} shortened, {rows.left_out} left out as too long; {counts['validation']} validation examples"
    )


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    names = (
        "base_eval_loss", "best_eval_loss", "best_step", "steps", "tokens_per_second", "train_seconds", "first_step_seconds",
    )  # fmt: skip
    return {"base": manifest["base"]["name"], **{name: manifest[name] for name in names}}


def _interrupted(outcome: TrainOutcome, checkpoints: Path, config: Path | None) -> dict[str, Any]:
    several = f"torchrun --nproc-per-node {world_size()} -m medqa.cli" if world_size() > 1 else "medqa"
    command = f"{several} finetune generator" + (f" --config {config}" if config else "")
    say(f"stopped at step {outcome.step} of {outcome.max_steps}, saved in {checkpoints}; go on with: {command}")
    return {"interrupted": True, "step": outcome.step, "checkpoints": str(checkpoints), "resume": command}


def _seed(seed: int) -> None:
    from transformers import set_seed

    set_seed(seed)
