"""What every variant of benchmarks/finetune_gpu.py stands on: rows, a base of random weights, and a clock."""

import gc
import random
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks.phi3_mini_shape import SHAPE

TINY = SHAPE | {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
TINY |= {"num_attention_heads": 4, "num_key_value_heads": 4}
TARGETS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
MAX_LENGTH = 1024
WARM = 3
"""Optimiser steps before the clock starts: compilation, and the allocator finding its size."""


class Bench:
    """The rows, the device, and the base model of the running variant."""

    def __init__(self, lengths: list[list[int]], tiny: bool, work: Path) -> None:
        self.tiny, self.work = tiny, work
        self.device: Literal["cpu", "cuda"] = "cpu" if tiny else "cuda"
        rng = random.Random(0)
        top = (TINY if tiny else SHAPE)["vocab_size"] - 1
        scale = 8 if tiny else 1
        self.sizes = [(max(2, p // scale), max(2, a // scale)) for p, a in lengths]
        self.max_length = MAX_LENGTH // scale
        rng.shuffle(self.sizes)
        self._ids = lambda n: [rng.randint(5, top) for _ in range(n)]
        self._kept: tuple[str, Any] | None = None

    def rows(self, count: int) -> list[Any]:
        """``count`` encoded rows of MedQuAD's lengths and random content."""
        from finetune.masking import IGNORE, Encoded

        made = []
        for prompt, answer in self.sizes[:count]:
            ids = self._ids(prompt + answer)
            made.append(Encoded(ids, [IGNORE] * prompt + ids[prompt:]))
        return made

    def base(self, kind: str) -> Any:
        """A random base: ``nf4``, ``nf4+fp32`` (norms, head and embeddings upcast by peft), ``nf4+fp16`` (for cards without
        bf16) or ``bf16``; the last variant's where that left one of the same kind untouched."""
        model = self._kept[1] if self._kept and self._kept[0] == kind else None
        self._kept = None
        self.forget()
        if model is not None:
            return model
        model = random_base(TINY if self.tiny else SHAPE, kind != "bf16", self.device, dtype_of(kind))
        if kind in ("nf4+fp32", "nf4+fp16"):  # as our own loading does for fp16
            from peft import prepare_model_for_kbit_training

            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        self.forget()  # the peak is to be training's, not that of the weights before they were quantised
        return model

    def keep(self, kind: str, model: Any) -> None:
        """Offer the base of ``model``, a PEFT model that our own training is done with, to the next variant.

        Only our own: the others' trainers patch the base's methods, which taking off the adapter does not undo.
        """
        base = model.unload()
        base.config._attn_implementation = "sdpa"  # as new; attention by borders is chosen by each run
        self._kept = (kind, base)

    def forget(self) -> None:
        """Give memory back, forget what was compiled, and start counting memory anew."""
        import torch

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


def dtype_of(kind: str) -> str:
    """The precision in which a base of ``kind`` computes."""
    return "float16" if kind.endswith("fp16") else "bfloat16"


def random_base(shape: dict[str, int], quantised: bool, device: str, dtype: str) -> Any:
    """A Phi-3 of ``shape`` with random weights in ``dtype``; if asked, its linear modules but the head are in NF4 (double
    quantisation)."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    computed = getattr(torch, dtype)
    torch.set_default_dtype(computed)
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
                        compute_dtype=computed,
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
