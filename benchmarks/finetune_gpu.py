"""QLoRA on Phi-3-mini's true shape, one call on one GPU: tokens per second, memory, time to the first step, all in one run.

    python benchmarks/finetune_gpu.py --rows ROWS.json.xz --out FIGURES.json

Needs a CUDA GPU and bitsandbytes, no network: the 3.8B parameters are random, so speed and memory mean something and losses do
not. ``ROWS.json.xz`` comes from benchmarks/finetune_rows.py (lengths of MedQuAD's rows; their content is random here). Each
variant trains some steps; the first ones, with compilation, are not timed. One that fails becomes null with its reason.
``--tiny`` runs everything on a CPU with a toy shape, to see that it runs.
"""

import argparse
import gc
import importlib.util
import json
import lzma
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.phi3_mini_shape import SHAPE
from medqa.environment import prepare

TINY = SHAPE | {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
TINY |= {"num_attention_heads": 4, "num_key_value_heads": 4}
TARGETS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
MAX_LENGTH = 1024
WARM = 3
"""Optimiser steps before the clock starts: compilation, and the allocator finding its size."""


class Bench:
    """The rows, the device, and the base model of the running variant."""

    def __init__(self, lengths: list[list[int]], tiny: bool, work: Path) -> None:
        import torch

        self.tiny, self.work = tiny, work
        self.device = "cpu" if tiny else "cuda"
        rng = random.Random(0)
        top = (TINY if tiny else SHAPE)["vocab_size"] - 1
        scale = 8 if tiny else 1
        self.sizes = [(max(2, p // scale), max(2, a // scale)) for p, a in lengths]
        self.max_length = MAX_LENGTH // scale
        rng.shuffle(self.sizes)
        self._ids = lambda n: [rng.randint(5, top) for _ in range(n)]
        self._base: Any = None
        self._kind = ""
        self.dtype = torch.bfloat16

    def rows(self, count: int) -> list[Any]:
        """``count`` encoded rows of MedQuAD's lengths and random content."""
        from finetune.masking import IGNORE, Encoded

        made = []
        for prompt, answer in self.sizes[:count]:
            ids = self._ids(prompt + answer)
            made.append(Encoded(ids, [IGNORE] * prompt + ids[prompt:]))
        return made

    def model(self, kind: str, dropout: float = 0.1) -> Any:
        """A PEFT model on a random base: ``nf4``, ``nf4+fp32`` (norms, head and embeddings upcast by peft) or ``bf16``."""
        from finetune.lora import add_lora

        self.drop()
        self._base = random_base(TINY if self.tiny else SHAPE, kind != "bf16", self.device)
        if kind == "nf4+fp32":
            from peft import prepare_model_for_kbit_training

            self._base = prepare_model_for_kbit_training(self._base, use_gradient_checkpointing=False)
        return add_lora(self._base, TARGETS, 16, 32, dropout)[0]

    def drop(self) -> None:
        """Forget the model and what was compiled for it."""
        import torch

        self._base = None
        gc.collect()
        torch._dynamo.reset()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def sync(self) -> float:
        """The time, once the device has done what it was given."""
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def random_base(shape: dict[str, int], quantised: bool, device: str) -> Any:
    """A Phi-3 of ``shape`` with random bf16 weights, its linear modules but the head in NF4 (double quantisation) if asked."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Phi3ForCausalLM(
            Phi3Config(**shape, bos_token_id=0, eos_token_id=4, pad_token_id=0, tie_word_embeddings=False)
        )
    torch.set_default_dtype(torch.float32)
    model.config.use_cache = False
    model.requires_grad_(False)
    if quantised:
        import bitsandbytes as bnb

        for name, module in list(model.named_modules()):
            if isinstance(module, torch.nn.Linear) and name != "lm_head":
                parent, _, leaf = name.rpartition(".")
                with torch.device("meta"):  # its own first weights would be drawn, and thrown away
                    small = bnb.nn.Linear4bit(
                        module.in_features,
                        module.out_features,
                        bias=False,
                        compute_dtype=torch.bfloat16,
                        quant_type="nf4",
                    )
                small.weight = bnb.nn.Params4bit(
                    module.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
                ).to(device)
                setattr(model.get_submodule(parent), leaf, small)
        model.is_loaded_in_4bit = True  # what peft and the trainer ask
    return model


def clock(bench: Bench, first: int, last: int) -> Any:
    """A callback that notes when optimiser step ``first`` was done, ``last`` was, and how long the very first took."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.begun = self.start = self.end = self.first_step = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 0:
                self.begun = bench.sync()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 1:
                self.first_step = bench.sync() - self.begun
            if state.global_step == first:
                self.start = bench.sync()
            if state.global_step == last:
                self.end = bench.sync()

    return Clock()


def figures(bench: Bench, watch: Any, tokens: int, **more: Any) -> dict[str, Any]:
    """What one variant came to; ``tokens`` are the real ones between the clock's two points."""
    import torch

    peak = round(torch.cuda.max_memory_allocated() / 2**30, 2) if bench.device == "cuda" else None
    reserved = round(torch.cuda.max_memory_reserved() / 2**30, 2) if bench.device == "cuda" else None
    seconds = watch.end - watch.start
    return {
        "tokens_per_s": round(tokens / seconds),
        "peak_gib": peak,
        "reserved_gib": reserved,
        "first_step_s": round(watch.first_step, 1),
        "timed_s": round(seconds, 2),
        "tokens": tokens,
        **more,
    }


def ours(bench: Bench, kind: str, steps: int, **changes: Any) -> dict[str, Any]:
    """Our own training run, by a plan like the recipes'."""
    from finetune.model import Compute
    from finetune.packing import plan_packs
    from finetune.sampling import epoch_order
    from finetune.train import TrainPlan, train

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
    model = bench.model(kind)
    built = bench.sync() - began
    if bench.device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    began = bench.sync()
    train(model, rows, rows[:4], 0, plan, Compute(bench.device, "bfloat16", ""), folder, "0" * 64, [watch])  # type: ignore[arg-type]
    total = bench.sync() - began
    order = epoch_order(lengths, plan.batch_size * plan.accumulation, 0, 0, plan.sampling)
    per_step = plan.batch_size * plan.accumulation
    units = plan_packs(lengths, order, plan.pack_length) if plan.batching == "packed" else [[i] for i in order]
    timed = units[WARM * per_step : (WARM + steps) * per_step]
    tokens = sum(lengths[i] for unit in timed for i in unit)
    return figures(bench, watch, tokens, build_s=round(built, 1), train_s_in_all=round(total, 1))


def stock(bench: Bench, steps: int, padded: bool) -> dict[str, Any]:
    """What a user would write: ``Trainer``, peft's preparation, a collator; rows padded to the maximum, or to their batch."""
    import torch
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    rows = bench.rows(8 * (WARM + steps))
    model = bench.model("nf4+fp32")

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
    seen: list[int] = []
    plain = trainer.training_step

    def counting(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(int(inputs["attention_mask"].sum()))
        return plain(model, inputs, *args, **kwargs)

    trainer.training_step = counting
    trainer.train()
    return figures(bench, watch, sum(seen[WARM:]))


def sft(bench: Bench, steps: int) -> dict[str, Any]:
    """trl's SFTTrainer with packing, as its documentation has it, over the same rows."""
    import datasets
    import trl

    from medqa.base_model import load_tokenizer
    from medqa.paths import PROJECT

    rows = bench.rows(3000)
    model = bench.model("nf4+fp32")
    watch = clock(bench, WARM, WARM + steps)
    trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            output_dir=str(bench.work), max_steps=WARM + steps, per_device_train_batch_size=1, learning_rate=2e-4,
            bf16=not bench.tiny, use_cpu=bench.tiny, gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False}, packing=True, max_length=4 * bench.max_length,
            optim="adamw_torch" if bench.tiny else "paged_adamw_8bit", warmup_steps=2, report_to=[], save_strategy="no",
            logging_steps=10_000, disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_list([{"input_ids": r.input_ids} for r in rows]),
        processing_class=load_tokenizer(PROJECT / "models/phi3-nano"),
        callbacks=[watch],
    )  # fmt: skip
    seen: list[int] = []
    plain = trainer.training_step

    def counting(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(int((inputs["labels"] != -100).sum() + 0))
        return plain(model, inputs, *args, **kwargs)

    trainer.training_step = counting
    trainer.train()
    return figures(bench, watch, sum(seen[WARM:]))


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


VARIANTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "attention_error": exact,
    "reference_padded_8x1024": lambda b: stock(b, 8, padded=True),
    "qlora_12gb": lambda b: ours(b, "nf4", 16, kept_layers=0),
    "fast_bf16": lambda b: ours(b, "bf16", 16, checkpointing=False, pack_length=b.max_length * 16),
    "qlora_12gb_16k": lambda b: ours(b, "nf4", 8, pack_length=b.max_length * 16),
    "nf4_kept_6_layers": lambda b: ours(b, "nf4", 10, kept_layers=6),
    "stock_dynamic_8": lambda b: stock(b, 8, padded=False),
    "memory_1x1024": lambda b: ours(b, "nf4", 4, batching="padded", compile=False),
    "fast_bf16_8k": lambda b: ours(b, "bf16", 12, checkpointing=False),
    "packed_uncompiled": lambda b: ours(b, "nf4", 5, compile=False),
    "trl_sft_packing": lambda b: sft(b, 6),
}


def main() -> None:
    """Run the variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    parser.add_argument("--seconds", type=float, default=420, help="no variant begins later than this")
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    prepare(offline=True)
    import torch
    import transformers

    began = time.perf_counter()
    lengths = json.loads(lzma.decompress(chosen.rows.read_bytes()))["lengths"]
    found: dict[str, Any] = {
        "card": "CPU" if chosen.tiny else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bitsandbytes": importlib.util.find_spec("bitsandbytes") is not None,
        "mean_length": round(sum(map(sum, lengths)) / len(lengths), 1),
    }
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(lengths, chosen.tiny, Path(work))
        for name in chosen.only:
            if time.perf_counter() - began > chosen.seconds:
                found[name] = {"tokens_per_s": None, "reason": "no time left"}
                continue
            try:
                found[name] = VARIANTS[name](bench)
            except Exception as error:  # one variant's failure is a result; the others go on
                found[name] = {
                    "tokens_per_s": None,
                    "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}",
                }
            bench.drop()
            chosen.out.write_text(json.dumps(found, indent=1))
            print(f"{time.perf_counter() - began:6.0f} s  {name}: {json.dumps(found[name])}", flush=True)
    base = found.get("reference_padded_8x1024", {}).get("tokens_per_s")
    for name in chosen.only:
        rate = found[name].get("tokens_per_s")
        ratio = f"{rate / base:.2f}" if base and rate else "null"
        print(f"| {name} | {rate} | {ratio} | {found[name].get('peak_gib')} | {found[name].get('first_step_s')} |")


if __name__ == "__main__":
    main()
