"""The thin edge to ``transformers.Trainer``: our order of rows, our loss, an evaluation weighted by tokens, one answer to
memory running out; the callbacks are in ``finetune.callbacks``.

Imported only where training begins, because transformers' trainer takes seconds to import.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer

from finetune.attention import plain_attention
from finetune.collate import Collator
from finetune.layers import uncompiled
from finetune.loss import summed_loss
from finetune.packing import rows_of, split_rows
from medqa.errors import MedqaError


class EpochSampler(Sampler[int]):
    """An order of items for each epoch, as a torch sampler; the trainer sets the epoch, also of a resumed run."""

    def __init__(self, count: int, order: Callable[[int], list[int]]) -> None:
        self._count, self._order, self._epoch = count, order, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Any:
        return iter(self._order(self._epoch))


class OrderedTrainer(Trainer):
    """``Trainer`` with four things of ours.

    - Items come in the order of ``order(epoch)``; the order of its own samplers a resumed run would not repeat.
    - The loss looks at supervised positions only, and every token of an optimiser step weighs the same, whatever the
      number of rows, packs or forward passes it is spread over.
    - Evaluation is never packed and never compiled, and its loss is the mean over supervised tokens, not over batches.
    - When memory runs out, the step's batches are split in two and the step is done again, from no gradients: nothing is
      lost, and the sum over the parts is the same loss.
    """

    def __init__(
        self,
        *args: Any,
        order: Callable[[int], list[int]],
        amp: torch.dtype | None,
        compiled: bool,
        answers: Callable[[Any], float] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = (
            True  # the number of supervised tokens comes with every batch, and scales the loss
        )
        self.parts = 1
        """Parts that each batch is split into; doubled when memory runs out."""
        self.real_tokens = 0
        """Tokens (not padding) through training steps of this process."""
        self._order, self._amp, self._compiled, self._answers = order, amp, compiled, answers
        self._step, self._seen = -1, list[dict[str, Any]]()

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        data: Any = train_dataset or self.train_dataset
        return EpochSampler(len(data), self._order)

    def compute_loss_context_manager(self) -> Any:
        """bf16 by our own autocast: the trainer's would copy all logits to fp32 on their way out of the model."""
        return nullcontext() if self._amp is None else torch.autocast(self.args.device.type, self._amp)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Summed loss of the batch over the supervised tokens of the whole optimiser step."""
        inputs = dict(inputs)
        labels = inputs.pop("labels")
        logits = model(**inputs, use_cache=False).logits
        loss = summed_loss(logits, labels, inputs["logits_to_keep"]) / num_items_in_batch
        # Each process divides by the tokens of all, and the gradients are averaged over processes.
        return loss * self.accelerator.num_processes

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """One batch forwards and backwards, in as many parts as memory needs."""
        if self.state.global_step != self._step:
            self._step, self._seen = self.state.global_step, []
        self._seen.append(inputs)
        self.real_tokens += inputs["tokens"]
        todo = [inputs]
        while True:
            try:
                losses = [self._in_parts(model, batch, num_items_in_batch) for batch in todo]
                return losses[-1]
            except torch.OutOfMemoryError as error:
                reason = " ".join(str(error).split())[:100]
            # Outside the handler, where the exception no longer holds the failed pass' tensors.
            self._split_further(reason)
            model.zero_grad()
            todo = self._seen  # what the step had accumulated is done again

    def _in_parts(self, model: Any, batch: dict[str, Any], count: Any) -> torch.Tensor:
        if self.parts == 1:
            return super().training_step(model, {k: v for k, v in batch.items() if k != "tokens"}, count)
        collator: Any = self.data_collator
        loss = torch.zeros((), device=self.args.device)
        for rows in split_rows(rows_of(batch), self.parts, padded="attention_mask" in batch):
            part = {k: v for k, v in collator.part(rows, self.parts).items() if k != "tokens"}
            loss = loss + super().training_step(model, part, count)
        return loss

    def _split_further(self, reason: str) -> None:
        most = max(len(rows_of(batch)) for batch in self._seen)
        if self.accelerator.num_processes > 1 or self.parts >= most:
            raise MedqaError(
                f"wanted memory for one step, found too little even in {self.parts} parts ({reason}); "
                "lower finetune.max_length, finetune.pack_length or finetune.batch_size, or set finetune.checkpointing=true"
            )
        self.parts *= 2
        print(f"out of memory ({reason}): every batch in {self.parts} parts from here on", file=sys.stderr, flush=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
        """Loss in nats per supervised token over the validation rows, and the score of generated answers where asked for."""
        began = time.perf_counter()
        model = self.model_wrapped if self.model_wrapped is not None else self.model
        was_training = model.training
        model.eval()
        with torch.no_grad(), plain_attention(self.model), uncompiled(self._compiled):
            metrics = {"eval_loss": self._eval_loss(model)}
            if self._answers is not None:
                metrics["eval_rouge_l"] = self._answers(self.model)
        model.train(was_training)
        metrics["eval_runtime"] = round(time.perf_counter() - began, 3)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _eval_loss(self, model: Any) -> float:
        rows: Any = self.eval_dataset
        size, world = self.args.eval_batch_size, self.accelerator.num_processes
        batches = [range(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
        batches += [range(0)] * (-len(batches) % world)  # as many passes in every process
        packing: Any = self.data_collator
        collate = Collator(packing.pad_id)
        total = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        for batch in batches[self.accelerator.process_index :: world]:
            items: Sequence[Any] = [rows[i] for i in batch] or [rows[0]]
            inputs = self._prepare_inputs({k: v for k, v in collate(items).items() if k != "tokens"})
            labels = inputs.pop("labels")
            with self.compute_loss_context_manager():
                logits = model(**inputs, use_cache=False).logits
                loss = summed_loss(logits, labels, inputs["logits_to_keep"])
            if batch:
                total += torch.stack([loss.double(), (labels != -100).sum().double()])
        total = self.accelerator.reduce(total, "sum")
        return float(total[0] / total[1])
