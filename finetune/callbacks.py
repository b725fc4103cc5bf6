"""What happens at the edges of training steps: stopping, sealing checkpoints, showing progress."""

import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainingArguments

from finetune.checkpoints import seal_checkpoint
from medqa.processes import any_of, wait


class Stop(TrainerCallback):
    """Saves and stops after the step during which a signal came, or when nothing has improved for long enough; evaluates
    after the last step, whatever its number."""

    def __init__(self, received: list[str], patience: int, metric: str, higher_is_better: bool) -> None:
        self.received = received
        self.stopped = False
        self._patience, self._metric, self._sign = patience, metric, 1 if higher_is_better else -1

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True  # the last weights must have a chance to be the best ones
        elif any_of(bool(self.received)):  # a signal reaches several processes during different steps
            self.stopped = control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every evaluation."""
        # From the history, which a resumed run has too.
        scores = [self._sign * entry[self._metric] for entry in state.log_history if self._metric in entry]
        if self._patience and len(scores) - 1 - scores.index(max(scores)) >= self._patience:
            tqdm.write(f"stopping early: no better {self._metric} in {self._patience} evaluations", file=sys.stderr)
            control.should_training_stop = True


class Seal(TrainerCallback):
    """Marks every checkpoint as complete."""

    def __init__(self, key: str) -> None:
        self._key = key

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """When a checkpoint has been written."""
        wait()  # each process writes its own random state
        if state.is_world_process_zero:
            seal_checkpoint(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", self._key)


class Progress(TrainerCallback):
    """A bar for people, one line on stderr per evaluation for everyone, and the time spent in training steps alone."""

    def __init__(self, device: str) -> None:
        self.seconds = 0.0
        """Seconds in optimiser steps of this process; evaluation and saving are not in it."""
        self.first_step: float | None = None
        """Seconds of the first of them, compilation included."""
        self._device = device
        self._bar: Any = None
        self._begun = 0.0
        self._loss: float | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Before the first step."""
        shown = None if state.is_world_process_zero else True
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc="fine-tune", unit="step", disable=shown)

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Before every optimiser step."""
        if not self._begun:
            self._begun = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step."""
        if self.first_step is None:
            self.first_step = self._stop_watch()
        elif control.should_evaluate or control.should_save or control.should_training_stop:
            self._stop_watch()
        self._bar.update(1)

    def _stop_watch(self) -> float:
        """Add the time since the watch began: a GPU runs behind, so it is waited for, but not at every step."""
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
        passed = time.perf_counter() - self._begun
        self.seconds += passed
        self._begun = 0.0
        return passed

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **others: Any) -> None:
        """When the trainer has figures."""
        logs: dict[str, float] = others["logs"]
        self._loss = logs.get("loss", self._loss)
        if "eval_loss" in logs and state.is_world_process_zero:
            loss = "" if self._loss is None else f"loss {self._loss:.3f}, "
            rouge = f", ROUGE-L {logs['eval_rouge_l']:.3f}" if "eval_rouge_l" in logs else ""
            line = f"step {state.global_step}/{state.max_steps}: {loss}validation loss {logs['eval_loss']:.3f}{rouge}"
            tqdm.write(line, file=sys.stderr)

    def on_train_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After the last step."""
        if self._begun:
            self._stop_watch()
        self._bar.close()
