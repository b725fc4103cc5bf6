"""The trainer's side of pruning. Imported only where training begins: transformers' trainer takes seconds to import."""

from typing import Any

from transformers import TrainerCallback, TrainingArguments


class Report(TrainerCallback):
    """Tells an Optuna trial every validation loss, those from before an interruption too, and stops where it is hopeless."""

    def __init__(self, trial: Any) -> None:
        self._trial = trial
        self._told: set[int] = set()
        self.pruned = False

    def on_evaluate(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """After every evaluation."""
        for entry in state.log_history:
            step = entry["step"]
            if step > 0 and "eval_loss" in entry and step not in self._told:  # step 0 is the same for all
                self._told.add(step)
                self._trial.report(entry["eval_loss"], len(self._told))
        if self._told and state.global_step < state.max_steps and self._trial.should_prune():
            self.pruned = control.should_training_stop = True
