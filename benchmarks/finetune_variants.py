"""The variants of benchmarks/finetune_gpu.py: what is trained, and how; each returns its figures."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.finetune_bench import TARGETS, WARM, Bench, clock, dtype_of, figures

RECIPE_EVAL_STEPS = 100
"""``eval_steps`` of configs/phi3-mini-qlora.yaml: one evaluation, one checkpoint and five log entries in so many steps."""


def ours(bench: Bench, kind: str, steps: int, watchers: tuple[Any, ...] = (), **changes: Any) -> dict[str, Any]:
    """Our own training run, by a plan like the recipes'; ``watchers`` are more callbacks."""
    from finetune.arguments import TrainPlan
    from finetune.lora import add_lora
    from finetune.model import Compute
    from finetune.packing import plan_packs
    from finetune.sampling import epoch_order
    from finetune.train import train

    plan = TrainPlan(
        learning_rate=2e-4, epochs=1, max_steps=WARM + steps, warmup_steps=2, batch_size=1, accumulation=1,
        eval_steps=10_000, checkpointing=True, optim="adamw_torch" if bench.tiny else "paged_adamw_8bit",
        sampling="random", report_to="none", seed=0, batching="packed", max_length=bench.max_length,
        pack_length=8192 // (8 if bench.tiny else 1), compile=not bench.tiny,
    )  # fmt: skip
    plan = replace(plan, **changes)
    rows = bench.rows(3500)
    lengths = [len(r.input_ids) for r in rows]
    watch = clock(bench, WARM, WARM + steps)
    folder = Path(tempfile.mkdtemp(dir=bench.work))
    began = bench.sync()
    model = add_lora(bench.base(kind), TARGETS, 16, 32, 0.1)[0]
    built = bench.sync() - began
    began = bench.sync()
    compute = Compute(bench.device, dtype_of(kind), "")
    train(model, rows, rows[:4], 0, plan, compute, folder, "0" * 64, [watch, *watchers])
    total = bench.sync() - began
    order = epoch_order(lengths, plan.batch_size * plan.accumulation, 0, 0, plan.sampling)
    per_step = plan.batch_size * plan.accumulation
    units = plan_packs(lengths, order, plan.pack_length) if plan.batching == "packed" else [[i] for i in order]
    timed = units[WARM * per_step : (WARM + steps) * per_step]
    tokens = sum(lengths[i] for unit in timed for i in unit)
    found = figures(bench, watch, tokens, build_s=round(built, 1), train_s_in_all=round(total, 1))
    bench.keep(kind, model)
    return found


def pauses(bench: Bench, first: int) -> Any:
    """A callback that measures what the trainer does between steps that log, evaluate or save, from step ``first`` on."""
    from transformers import TrainerCallback

    class Pauses(TrainerCallback):
        def __init__(self) -> None:
            self.logs: list[float] = []
            self.saves: list[float] = []  # with the evaluation before it, but not its passes through the model
            self.passes: list[float] = []
            self._open = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._saving = control.should_save
            if state.global_step >= first and (control.should_log or control.should_save):
                self._open = bench.sync()

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            if self._open:
                self.passes.append(metrics["eval_runtime"])

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not self._open:
                return
            passed, self._open = bench.sync() - self._open, 0.0
            if self._saving:
                self.saves.append(passed - self.passes[-1])
            else:
                self.logs.append(passed)

    return Pauses()


def overhead(bench: Bench, every: int) -> dict[str, Any]:
    """The 12 GB recipe with an evaluation and a checkpoint each ``every`` steps and five log entries between: what these cost.

    The passes of evaluation itself are not in it. ``overhead`` is the share of a step's time at the recipe's own
    ``eval_steps``; ``overhead_here`` is what was measured, with so many fewer steps to each evaluation.
    """
    watch = pauses(bench, WARM)
    found = ours(bench, "nf4", 2 * every, (watch,), eval_steps=every)
    cost = sum(watch.logs) + sum(watch.saves)
    step = (found["timed_s"] - cost - sum(watch.passes)) / (2 * every)
    log, save = sum(watch.logs) / len(watch.logs), sum(watch.saves) / len(watch.saves)
    return found | {
        "step_s": round(step, 4),
        "log_s": round(log, 4),
        "evaluation_and_checkpoint_s": round(save, 4),
        "evaluation_passes_s": round(sum(watch.passes) / len(watch.passes), 4),
        "overhead_here": round(cost / (2 * every * step), 4),
        "overhead": round((5 * log + save) / (RECIPE_EVAL_STEPS * step), 4),
    }


def count_tokens(trainer: Any, tokens: Callable[[Any], int]) -> list[int]:
    """A list that ``trainer`` fills with the real tokens of every batch."""
    seen: list[int] = []
    plain = trainer.training_step

    def counting(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(tokens(inputs))
        return plain(model, inputs, *args, **kwargs)

    trainer.training_step = counting
    return seen


def stock(bench: Bench, steps: int, padded: bool) -> dict[str, Any]:
    """What a user would write: ``Trainer``, peft's preparation, a collator; rows padded to the maximum, or to their batch."""
    import torch
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    from finetune.lora import add_lora

    rows = bench.rows(8 * (WARM + steps))
    model = add_lora(bench.base("nf4+fp32"), TARGETS, 16, 32, 0.1)[0]

    def collate(items: list[Any]) -> dict[str, Any]:
        length = bench.max_length if padded else max(len(i["input_ids"]) for i in items)
        pads = [length - len(i["input_ids"]) for i in items]
        both = list(zip(items, pads, strict=True))
        return {
            "input_ids": torch.tensor([i["input_ids"] + [0] * n for i, n in both]),
            "attention_mask": torch.tensor([[1] * (length - n) + [0] * n for n in pads]),
            "labels": torch.tensor([i["labels"] + [-100] * n for i, n in both]),
        }

    watch = clock(bench, WARM, WARM + steps)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(bench.work), max_steps=WARM + steps, per_device_train_batch_size=8, learning_rate=2e-4,
            bf16=not bench.tiny, use_cpu=bench.tiny, gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            optim="adamw_torch" if bench.tiny else "paged_adamw_8bit", lr_scheduler_type="cosine", warmup_steps=2,
            report_to=[], save_strategy="no", logging_steps=10_000, disable_tqdm=True, remove_unused_columns=False,
            label_names=["labels"], seed=0,
        ),
        train_dataset=[{"input_ids": r.input_ids, "labels": r.labels} for r in rows],
        data_collator=collate,
        callbacks=[watch],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    seen = count_tokens(trainer, lambda inputs: int(inputs["attention_mask"].sum()))
    trainer.train()
    return figures(bench, watch, sum(seen[WARM:]))


def sft(bench: Bench, steps: int) -> dict[str, Any]:
    """trl's SFTTrainer with packing as its documentation has it: a quantised base, a LoRA configuration, batch 8.

    Packing is the default, ``bfd``: whole rows put together into packs of 1,024, and the batch's eight packs laid flat in one
    line without padding. Its documentation wants flash-attn for that and it takes sdpa without a word: transformers sees the
    positions restart and builds a dense mask over the line, so that rows do not see each other (changing one leaves the
    others' logits as they are), but attention costs what the whole line costs. The loss does not hold all logits at once
    (trl's own). Rows come tokenised, with labels on the answers alone as in the other variants.
    """
    import datasets
    import trl
    from peft import LoraConfig
    from transformers.trainer_callback import PrinterCallback

    from medqa.base_model import load_tokenizer
    from medqa.paths import PROJECT

    rows = bench.rows(3000)
    watch = clock(bench, WARM, WARM + steps)
    trainer = trl.SFTTrainer(
        model=bench.base("nf4"),
        args=trl.SFTConfig(
            output_dir=str(bench.work), max_steps=WARM + steps, per_device_train_batch_size=8, learning_rate=2e-4,
            bf16=not bench.tiny, use_cpu=bench.tiny, gradient_checkpointing=True, packing=True,
            max_length=bench.max_length, optim="adamw_torch" if bench.tiny else "paged_adamw_8bit",
            lr_scheduler_type="cosine", warmup_steps=2, report_to=[], save_strategy="no", logging_steps=10_000,
            disable_tqdm=True, seed=0,
        ),
        train_dataset=datasets.Dataset.from_list([{"input_ids": r.input_ids, "labels": r.labels} for r in rows]),
        processing_class=load_tokenizer(PROJECT / "models/phi3-nano"),
        peft_config=LoraConfig(
            r=16, lora_alpha=32, lora_dropout=0.1, target_modules=list(TARGETS), task_type="CAUSAL_LM"
        ),
        callbacks=[watch],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    shape: list[int] = []

    def real(batch: Any) -> int:
        shape[:] = batch["input_ids"].shape
        # Nothing is padding in a flat line, so that there is no mask; were there one, it would say what is.
        return int(batch.get("attention_mask", batch["input_ids"] >= 0).sum())

    seen = count_tokens(trainer, real)
    trainer.train()
    return figures(
        bench,
        watch,
        sum(seen[WARM:]),
        trl=trl.__version__,
        attention=trainer.model.config._attn_implementation,
        batch_shape=shape,
    )


def exact(bench: Bench) -> dict[str, Any]:
    """Packed attention on this device against one row at a time: relative error of losses and gradients, bf16."""
    import torch

    from finetune.attention import flash_rows

    if bench.device == "cpu":
        raise RuntimeError("needs CUDA")
    torch.manual_seed(0)
    sizes, heads, width = [300, 17, 1024, 450, 1], 32, 96
    borders = torch.tensor(
        [0, *torch.tensor(sizes).cumsum(0).tolist(), *[sum(sizes)] * 20], dtype=torch.int32, device="cuda"
    )
    q, k, v, g = (torch.randn(sum(sizes), heads, width, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    for t in (q, k, v):
        t.requires_grad_()
    out = flash_rows(q, k, v, borders, 1024, width**-0.5)
    ours = [out, *torch.autograd.grad(out, (q, k, v), g)]
    wide = [t.detach().float().requires_grad_() for t in (q, k, v)]
    pieces = zip(*(t.split(sizes) for t in wide), strict=True)
    rows = [
        torch.nn.functional.scaled_dot_product_attention(*(t.transpose(0, 1)[None] for t in piece), is_causal=True)[0]
        for piece in pieces
    ]
    truth = torch.cat([r.transpose(0, 1) for r in rows])
    theirs = [truth, *torch.autograd.grad(truth, wide, g.float())]
    errors = [((a.float() - b).norm() / b.norm()).item() for a, b in zip(ours, theirs, strict=True)]
    return dict(zip(("out", "dq", "dk", "dv"), (round(e, 5) for e in errors), strict=True))


ALWAYS = ("reference_padded_8x1024", "qlora_12gb")
"""The two that every run has, so that ratios are of one run."""
VARIANTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "reference_padded_8x1024": lambda b: stock(b, 8, padded=True),
    "qlora_12gb": lambda b: ours(b, "nf4", 16, kept_layers=0),
    "trl_sft_packing": lambda b: sft(b, 6),
    "stock_dynamic_8": lambda b: stock(b, 8, padded=False),
    "overhead": lambda b: overhead(b, 15),
    "fast_bf16_8k": lambda b: ours(b, "bf16", 12, checkpointing=False),
    "nf4_kept_6_layers": lambda b: ours(b, "nf4", 10, kept_layers=6),
    "qlora_12gb_fp16": lambda b: ours(b, "nf4+fp16", 10),
    "packed_uncompiled": lambda b: ours(b, "nf4", 5, compile=False),
    "memory_1x1024": lambda b: ours(b, "nf4", 4, batching="padded", compile=False),
    "attention_error": exact,
    "fast_bf16": lambda b: ours(b, "bf16", 16, checkpointing=False, pack_length=b.max_length * 16),
    "qlora_12gb_16k": lambda b: ours(b, "nf4", 8, pack_length=b.max_length * 16),
}
"""In the order in which they run, the ones that matter most first."""
