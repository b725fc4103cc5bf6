"""The training run: LoRA matrices of a prepared model on encoded rows; evaluation, checkpoints, resume, a clean stop."""

import dataclasses
import importlib.util
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetune.checkpoints import find_resume
from finetune.collate import Collator, Rows
from finetune.masking import IGNORE, Encoded
from finetune.model import Compute
from finetune.sampling import Strategy
from medqa.errors import MedqaError
from medqa.processes import from_main, say, world_size

KEPT_CHECKPOINTS = 2
"""The newest, to resume from, and the best so far."""


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
    report_to: Literal["none", "tensorboard"]
    seed: int
    sharding: Literal["none", "fsdp"] = "none"


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What a run came to; the model passed in holds the best weights unless it was interrupted."""

    interrupted: bool
    step: int
    max_steps: int
    resumed_from: int
    """Step of the checkpoint it went on from; 0 for a fresh start."""
    seconds: float
    """Seconds in optimiser steps of this process, evaluation and saving not counted."""
    tokens_per_second: float | None
    """Real (not padding) tokens through training steps per second; None where no step ran."""
    base_eval_loss: float | None
    """Validation loss before the first step, in nats per supervised token."""
    best_eval_loss: float | None
    best_step: int | None
    state: dict[str, Any]
    """The trainer's state: every logged figure by step."""


def train(
    model: Any,
    rows: Sequence[Encoded],
    eval_rows: Sequence[Encoded],
    pad_id: int,
    plan: TrainPlan,
    compute: Compute,
    checkpoints: Path,
    key: str,
    callbacks: Sequence[Any] = (),
) -> TrainOutcome:
    """Train ``model`` (a PEFT model) on ``rows``; go on from the newest whole checkpoint of ``key`` if there is one.

    SIGTERM and Ctrl-C finish the step, save, and return with ``interrupted``; a second Ctrl-C stops at once.

    Raises:
        MedqaError: no rows to evaluate on, or a tracker that is not installed.
    """
    if not eval_rows:
        raise MedqaError(
            "wanted validation examples to choose the best checkpoint by, found none; see medqa ingest and split"
        )
    if plan.report_to == "tensorboard" and importlib.util.find_spec("tensorboard") is None:
        raise MedqaError(
            "wanted tensorboard for finetune.report_to, found none; install it or set finetune.report_to=none"
        )
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from finetune.trainer import OrderedTrainer, Progress, Seal, Stop

    kind: type[OrderedTrainer] = OrderedTrainer
    if plan.sharding == "fsdp":
        from finetune.sharded import ShardedTrainer as kind
    resume = from_main(lambda: find_resume(checkpoints, key))
    for name in resume.damaged:
        say(f"{name} is damaged; going on from {resume.checkpoint.name if resume.checkpoint else 'the beginning'}")
    if resume.checkpoint:
        say(f"resuming from {resume.checkpoint}")
    progress = Progress()
    with _stop_requests() as received:
        stop = Stop(received)
        trainer = kind(
            model=model,
            args=_arguments(plan, compute, checkpoints, resume.checkpoint is None, model),
            data_collator=Collator(pad_id),
            train_dataset=Rows([*rows, *blank_rows(len(rows), plan.batch_size * world_size(), pad_id)]),
            eval_dataset=Rows(sorted(eval_rows, key=lambda r: len(r.input_ids))),  # least padding
            callbacks=[stop, Seal(key), progress, *callbacks],
            strategy=plan.sampling,
        )
        for theirs in (PrinterCallback, ProgressCallback):  # both print to stdout, which belongs to --json
            trainer.remove_callback(theirs)
        trainer.train(resume_from_checkpoint=str(resume.checkpoint) if resume.checkpoint else None)
    return _outcome(trainer, stop.stopped, progress.seconds, resume.checkpoint)


def blank_rows(count: int, turn: int, pad_id: int) -> list[Encoded]:
    """Rows without loss that fill up ``count`` to a multiple of ``turn``, the rows that all processes read at once.

    Without them the last turn would be filled with rows of the first. One process needs none.
    """
    return [Encoded([pad_id], [IGNORE])] * (-count % turn) if world_size() > 1 else []


def _arguments(plan: TrainPlan, compute: Compute, checkpoints: Path, fresh: bool, model: Any) -> Any:
    from transformers import TrainingArguments

    several: dict[str, Any] = {}
    if plan.sharding == "fsdp":
        from finetune.sharded import decoder_layer, sharding_arguments

        several = sharding_arguments(decoder_layer(model))
    elif world_size() > 1:
        several = {"ddp_find_unused_parameters": False}
    if world_size() > 1 and compute.device == "cpu":
        several["ddp_backend"] = "gloo"

    # transformers 5.17 knows only the old name, 5.23 warns of it.
    names = {f.name for f in dataclasses.fields(TrainingArguments)}
    prefix = "activation" if "activation_checkpointing" in names else "gradient"
    checkpointing: dict[str, Any] = {f"{prefix}_checkpointing": plan.checkpointing}
    if plan.checkpointing:
        checkpointing[f"{prefix}_checkpointing_kwargs"] = {"use_reentrant": False}
    return TrainingArguments(
        output_dir=str(checkpoints),
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.warmup_steps,
        num_train_epochs=plan.epochs,
        max_steps=plan.max_steps,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=plan.batch_size,
        gradient_accumulation_steps=plan.accumulation,
        optim=plan.optim,
        use_cpu=compute.device == "cpu",
        bf16=compute.dtype == "bfloat16",
        fp16=compute.dtype == "float16",
        eval_strategy="steps",
        eval_steps=plan.eval_steps,
        eval_on_start=fresh,
        save_strategy="steps",
        save_steps=plan.eval_steps,
        save_total_limit=KEPT_CHECKPOINTS,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        prediction_loss_only=True,
        logging_steps=max(1, plan.eval_steps // 5),
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=compute.device == "cuda",
        disable_tqdm=True,  # finetune.trainer.Progress has the bar
        log_level="error",  # its warnings are about its own defaults, such as a file system's time stamps
        report_to=[] if plan.report_to == "none" else [plan.report_to],
        seed=plan.seed,
        data_seed=plan.seed,
        **checkpointing,
        **several,
    )


def _outcome(trainer: Any, interrupted: bool, seconds: float, checkpoint: Path | None) -> TrainOutcome:
    state = dataclasses.asdict(trainer.state)
    best = state.pop("best_model_checkpoint", None)
    state["best_model_checkpoint"] = Path(best).name if best else None  # the folder is a path of this machine
    history = state["log_history"]
    resumed_from = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    tokens = state["num_input_tokens_seen"] - trainer._initial_num_input_tokens_seen
    return TrainOutcome(
        interrupted=interrupted,
        step=state["global_step"],
        max_steps=state["max_steps"],
        resumed_from=resumed_from,
        seconds=round(seconds, 2),
        tokens_per_second=round(tokens / seconds, 1) if seconds else None,
        base_eval_loss=next((e["eval_loss"] for e in history if e["step"] == 0 and "eval_loss" in e), None),
        best_eval_loss=state["best_metric"],
        best_step=state["best_global_step"],
        state=state,
    )


@contextmanager
def _stop_requests() -> Iterator[list[str]]:
    """Names of the signals received inside the block; the second one raises KeyboardInterrupt."""
    received: list[str] = []

    def note(number: int, _: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(signal.Signals(number).name)
        say(f"{received[0]}: saving after this step; once more stops at once")

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield received
        return
    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
