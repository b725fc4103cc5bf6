"""The training run: LoRA matrices of a prepared model on encoded rows; evaluation, checkpoints, resume, a clean stop."""

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.arguments import TrainPlan, best_metric, training_arguments
from finetune.attention import use_packed_rows
from finetune.checkpoints import find_resume
from finetune.collate import Collator, Rows
from finetune.curriculum import base_losses
from finetune.layers import decoder_layers, prepare_layers, restore_layers
from finetune.masking import IGNORE, Encoded
from finetune.model import Compute
from finetune.packing import PackCollator, Packs, most_rows, pack_order, plan_packs
from finetune.sampling import epoch_order
from finetune.tracking import check_tracker
from medqa.errors import MedqaError
from medqa.processes import from_main, say, world_size


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
    """Real (not padding) tokens through training steps per second, of all processes; None where no step ran."""
    base_eval_loss: float | None
    """Validation loss before the first step, in nats per supervised token."""
    best_eval_loss: float | None
    best_step: int | None
    state: dict[str, Any]
    """The trainer's state: every logged figure by step."""
    parts: int = 1
    """Parts that batches were split into because memory ran out."""
    first_step_seconds: float | None = None
    """Seconds of this process' first optimiser step, compilation included."""
    signalled: bool = False
    """Whether a signal came, also if during the last step, when there was nothing left to interrupt."""


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
    answers: Callable[[Any], float] | None = None,
) -> TrainOutcome:
    """Train ``model`` (a PEFT model) on ``rows``; go on from the newest whole checkpoint of ``key`` if there is one.

    SIGTERM and Ctrl-C finish the step, save, and return with ``interrupted``; a second Ctrl-C stops at once.

    Args:
        callbacks: more of transformers' callbacks.
        answers: ROUGE-L of the model's answers to a fixed sample, where the best checkpoint is chosen by it.

    Raises:
        MedqaError: no rows to evaluate on, a tracker that is not installed, or memory that does not hold one row.
    """
    if not eval_rows:
        raise MedqaError(
            "wanted validation examples to choose the best checkpoint by, found none; see medqa ingest and split"
        )
    check_tracker(plan.report_to)
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from finetune.callbacks import Progress, Seal, Stop
    from finetune.trainer import OrderedTrainer

    kind: type[OrderedTrainer] = OrderedTrainer
    if plan.sharding == "fsdp":
        from finetune.sharded import ShardedTrainer as kind
    resume = from_main(lambda: find_resume(checkpoints, key))
    for name in resume.damaged:
        say(f"{name} is damaged; going on from {resume.checkpoint.name if resume.checkpoint else 'the beginning'}")
    if resume.checkpoint:
        say(f"resuming from {resume.checkpoint}")
    difficulty = (
        from_main(lambda: base_losses(model, rows, checkpoints, compute)) if plan.sampling == "easy_first" else None
    )
    data, order = _items(rows, plan, difficulty, pad_id)
    borders = plan.batching == "packed" and use_packed_rows(model, compute.device)
    progress = Progress(compute.device)
    metric, higher_is_better = best_metric(plan.best_by)
    layers = len(decoder_layers(model))
    prepare_layers(model, max(0, layers - plan.kept_layers) if plan.checkpointing else 0, plan.compile)
    with _stop_requests() as received:
        stop = Stop(received, plan.patience, metric, higher_is_better)
        trainer = kind(
            model=model,
            args=training_arguments(plan, compute, checkpoints, resume.checkpoint is None, model),
            data_collator=_collator(plan, pad_id, borders),
            train_dataset=data,
            eval_dataset=Rows(sorted(eval_rows, key=lambda r: len(r.input_ids))),  # least padding
            callbacks=[stop, Seal(key), progress, *callbacks],
            order=order,
            amp=_amp(compute),
            compiled=plan.compile,
            answers=answers,
        )
        for theirs in (PrinterCallback, ProgressCallback):  # both print to stdout, which belongs to --json
            trainer.remove_callback(theirs)
        try:
            trainer.train(resume_from_checkpoint=str(resume.checkpoint) if resume.checkpoint else None)
        finally:
            restore_layers(model)
    return dataclasses.replace(_outcome(trainer, stop.stopped, progress, resume.checkpoint), signalled=bool(received))


def _items(
    rows: Sequence[Encoded], plan: TrainPlan, difficulty: Sequence[float] | None, pad_id: int
) -> tuple[Rows | Packs, Callable[[int], list[int]]]:
    """What the loader draws from, and the order for each epoch; blanks that fill up the last turn come last."""
    lengths = [len(row.input_ids) for row in rows]
    turn = plan.batch_size * world_size()  # items that all processes read at once

    def rows_in_order(epoch: int) -> list[int]:
        return epoch_order(lengths, turn * plan.accumulation, plan.seed, epoch, plan.sampling, difficulty)

    if plan.batching != "packed":
        blanks = blank_rows(len(rows), turn, pad_id)
        last = range(len(rows), len(rows) + len(blanks))
        return Rows([*rows, *blanks]), lambda epoch: [*rows_in_order(epoch), *last]
    packs = plan_packs(lengths, rows_in_order(0), plan.pack_length)
    say(
        f"packed {len(rows):,} rows into {len(packs):,} lines of {plan.pack_length:,} tokens, "
        f"{sum(lengths) / len(packs) / plan.pack_length:.1%} full"
    )
    blanks = blank_rows(len(packs), turn, pad_id)
    blank_packs = [[len(rows) + n] for n in range(len(blanks))]
    last = range(len(packs), len(packs) + len(blanks))
    data = Packs([*rows, *blanks], [*packs, *blank_packs])
    return data, lambda epoch: [*pack_order(len(packs), plan.seed, epoch), *last]


def _collator(plan: TrainPlan, pad_id: int, borders: bool) -> Collator | PackCollator:
    if plan.batching == "packed":
        longest = min(plan.max_length, plan.pack_length)
        return PackCollator(pad_id, plan.pack_length, longest, most_rows(plan.pack_length), borders)
    return Collator(pad_id, plan.max_length if plan.batching == "padded" else None)


def _amp(compute: Compute) -> Any:
    """Type of our autocast; fp16 is the trainer's own affair, as it needs its loss scaling."""
    import torch

    return torch.bfloat16 if compute.dtype == "bfloat16" else None


def blank_rows(count: int, turn: int, pad_id: int) -> list[Encoded]:
    """Rows without loss that fill up ``count`` items to a multiple of ``turn``, the items that all processes read at once.

    Without them the last turn would be filled with rows of the first. One process needs none.
    """
    return [Encoded([pad_id], [IGNORE])] * (-count % turn) if world_size() > 1 else []


def _outcome(trainer: Any, interrupted: bool, progress: Any, checkpoint: Path | None) -> TrainOutcome:
    import torch

    state = dataclasses.asdict(trainer.state)
    best = state.pop("best_model_checkpoint", None)
    state["best_model_checkpoint"] = Path(best).name if best else None  # the folder is a path of this machine
    history = state["log_history"]
    best_step = state["best_global_step"]
    losses = {e["step"]: e["eval_loss"] for e in history if "eval_loss" in e}
    tokens = trainer.accelerator.reduce(torch.tensor(trainer.real_tokens, device=trainer.args.device), "sum").item()
    return TrainOutcome(
        interrupted=interrupted,
        step=state["global_step"],
        max_steps=state["max_steps"],
        resumed_from=int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        seconds=round(progress.seconds, 2),
        tokens_per_second=round(tokens / progress.seconds, 1) if progress.seconds else None,
        base_eval_loss=losses.get(0),
        best_eval_loss=losses.get(best_step),
        best_step=best_step,
        state=state,
        parts=trainer.parts,
        first_step_seconds=progress.first_step,
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
