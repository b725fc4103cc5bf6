"""The thin edge to ``transformers.Trainer``: an order of rows that a resumed run repeats, and three callbacks.

Imported only where training begins, because transformers' trainer takes seconds to import.
"""

import sys
import time
from pathlib import Path
from typing import Any

from torch.utils.data import Sampler
from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainingArguments

from finetune.checkpoints import seal_checkpoint
from finetune.masking import IGNORE
from finetune.sampling import Strategy, epoch_order
from medqa.processes import any_of, is_main, wait, world_size


class EpochSampler(Sampler[int]):
    """``epoch_order`` as a torch sampler; the trainer sets the epoch, also of a resumed run.

    Several processes take turns, batch by batch. The last ``blanks`` rows, which have no loss, come last: they fill the
    turns that would be left empty, so that no row is seen twice.
    """

    def __init__(self, lengths: list[int], batch: int, seed: int, strategy: Strategy, blanks: int = 0) -> None:
        self._lengths, self._batch, self._seed, self._strategy = lengths, batch, seed, strategy
        self._blanks = blanks
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Any:
        real = len(self._lengths) - self._blanks
        order = epoch_order(self._lengths[:real], self._batch, self._seed, self._epoch, self._strategy)
        return iter([*order, *range(real, len(self._lengths))])


class OrderedTrainer(Trainer):
    """``Trainer`` with ``EpochSampler`` in place of its own samplers, whose order a resumed run would not repeat."""

    def __init__(self, *args: Any, strategy: Strategy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._strategy = strategy

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        data: Any = train_dataset or self.train_dataset
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * world_size()
        blanks = sum(all(label == IGNORE for label in r.labels) for r in data.rows)
        return EpochSampler([len(r.input_ids) for r in data.rows], batch, self.args.seed, self._strategy, blanks)


class Stop(TrainerCallback):
    """Saves and stops after the step during which a signal came; evaluates after the last step, whatever its number."""

    def __init__(self, received: list[str]) -> None:
        self.received = received
        self.stopped = False

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True  # the last weights must have a chance to be the best ones
        elif any_of(bool(self.received)):  # a signal reaches several processes during different steps
            self.stopped = control.should_save = control.should_training_stop = True


class Seal(TrainerCallback):
    """Marks every checkpoint as complete."""

    def __init__(self, key: str) -> None:
        self._key = key

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """When a checkpoint has been written."""
        wait()  # each process writes its own random state
        if is_main():
            seal_checkpoint(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", self._key)


class Progress(TrainerCallback):
    """A bar for people, one line on stderr per evaluation for everyone, and the time spent in training steps alone."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Seconds in optimiser steps of this process; evaluation and saving are not in it."""
        self._bar: Any = None
        self._begun = 0.0
        self._loss: float | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Before the first step."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="fine-tune",
            unit="step",
            disable=None if is_main() else True,
        )

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Before every optimiser step."""
        self._begun = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step."""
        self.seconds += time.perf_counter() - self._begun
        self._bar.update(1)

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **others: Any) -> None:
        """When the trainer has figures."""
        logs: dict[str, float] = others["logs"]
        self._loss = logs.get("loss", self._loss)
        if "eval_loss" in logs and is_main():
            loss = "" if self._loss is None else f"loss {self._loss:.3f}, "
            line = f"step {state.global_step}/{state.max_steps}: {loss}validation loss {logs['eval_loss']:.3f}"
            tqdm.write(line, file=sys.stderr)

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After the last step."""
        self._bar.close()
