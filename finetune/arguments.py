"""How to train, as plain values, and what of it transformers' own trainer is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.model import Compute
from finetune.sampling import Strategy
from medqa.processes import say, world_size

Batching = Literal["padded", "dynamic", "packed"]
"""Rows padded to the recipe's maximum, to the longest of their batch, or packed into lines of fixed length."""


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """How to train; the meanings are those of ``medqa.settings.FinetuneSettings``."""

    learning_rate: float
    epochs: float
    max_steps: int
    warmup_steps: int
    batch_size: int
    accumulation: int
    eval_steps: int
    checkpointing: bool
    optim: str
    sampling: Strategy
    report_to: str
    seed: int
    batching: Batching = "dynamic"
    max_length: int = 1024
    pack_length: int = 4096
    compile: bool = False
    kept_layers: int = 0
    kept_checkpoints: int = 2
    best_by: Literal["loss", "rouge_l"] = "loss"
    patience: int = 0
    sharding: Literal["none", "fsdp"] = "none"


def best_metric(best_by: Literal["loss", "rouge_l"]) -> tuple[str, bool]:
    """Name of the figure that chooses the best checkpoint, and whether higher is better."""
    return f"eval_{best_by}", best_by == "rouge_l"


def training_arguments(plan: TrainPlan, compute: Compute, checkpoints: Path, fresh: bool, model: Any) -> Any:
    """The plan as transformers' ``TrainingArguments``; ``fresh`` evaluates before the first step."""
    from transformers import TrainingArguments

    several: dict[str, Any] = {}
    if plan.sharding == "fsdp":
        from finetune.sharded import decoder_layer, sharding_arguments

        several = sharding_arguments(decoder_layer(model))
    elif world_size() > 1:
        several = {"ddp_find_unused_parameters": False}
    if world_size() > 1 and compute.device == "cpu":
        several["ddp_backend"] = "gloo"
    metric, higher_is_better = best_metric(plan.best_by)
    # Evaluation is padded; a pack stands for as many rows as surely fit its length.
    eval_batch = max(1, plan.pack_length // plan.max_length) if plan.batching == "packed" else plan.batch_size
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        num_train_epochs=plan.epochs,
        max_steps=plan.max_steps,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=eval_batch,
        gradient_accumulation_steps=plan.accumulation,
        optim=plan.optim,
        use_cpu=compute.device == "cpu",
        fp16=compute.dtype == "float16",
        eval_strategy="steps",
        eval_steps=plan.eval_steps,
        eval_on_start=fresh,
        save_strategy="steps",
        save_steps=plan.eval_steps,
        save_total_limit=plan.kept_checkpoints,
        load_best_model_at_end=True,
        metric_for_best_model=metric,
        greater_is_better=higher_is_better,
        prediction_loss_only=True,
        logging_steps=max(1, plan.eval_steps // 5),
        logging_nan_inf_filter=False,  # it would wait for the GPU at every step
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=compute.device == "cuda",
        disable_tqdm=True,  # finetune.callbacks.Progress has the bar
        log_level="error",  # its warnings are about its own defaults, such as a file system's time stamps
        report_to=[] if plan.report_to == "none" else [plan.report_to],
        seed=plan.seed,
        data_seed=plan.seed,
        **several,
    )
    if world_size() == 1:
        on_one_gpu(arguments)
    return arguments


def on_one_gpu(arguments: Any) -> None:
    """Keep one process to one GPU: with several in sight the trainer would copy the model to each at every step (DataParallel),
    which is slow, makes larger steps than the recipe says, and knows nothing of packs or 4 bits."""
    if arguments.n_gpu > 1:
        say(
            f"{arguments.n_gpu} GPUs are there, one is used; all: torchrun --nproc-per-node {arguments.n_gpu} -m medqa.cli ..."
        )
        arguments._n_gpu = 1
