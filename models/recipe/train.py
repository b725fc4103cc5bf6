"""Train the embedded reader from scratch: training stream, optimisation, export, reading test.

    python -m models.recipe.corpus --texts modules.jsonl.xz --out models/phi3-nano   (the tokenizer, first)
    torchrun --nproc-per-node 2 -m models.recipe.train --texts modules.jsonl.xz --out models/phi3-nano --tokens 1053

The second phase goes on from there: ``--phase sharp --resume --tokens 101 --seed 1 --learning-rate 1.5e-3``.

One GPU does as well (``python -m models.recipe.train``). The data of every step depends on phase, seed, number of GPUs,
code and input file alone. A dry run on a CPU: ``--shape toy --tokens 0.03 --rows 2 --workers 1``.
"""

import argparse
import math
import multiprocessing
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medqa.files import read_json
from models.recipe.corpus import build_library
from models.recipe.export import export
from models.recipe.library import Library
from models.recipe.mix import shard
from models.recipe.phases import PHASES
from models.recipe.shapes import SHAPES, build_model
from models.recipe.tokenizer import CONTEXT

_STARTED = time.monotonic()
Batch = tuple[NDArray[np.uint16], NDArray[np.uint8]]

EARLY, LATE = (0.1, 0.3, 1.0, 1.0), (0.02, 0.1, 1.0, 2.0)
"""Loss weights of prompt, prose, answer and answer opening: language first, then choosing and copying."""

PLAN_EVERY = 50
"""Steps between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run was made with."""

    texts: str
    """The textbook modules, ``.jsonl.xz``."""
    out: str
    """Folder to write; holds the tokenizer already."""
    tokens: float
    """Training length in millions of tokens."""
    minutes: float
    """A guard: if the tokens do not fit into this time (minutes), the run is planned shorter, once and for good."""
    seed: int
    shape: str
    rows: int
    """Rows of 2,048 tokens per step and GPU."""
    learning_rate: float
    """Peak, for both optimisers."""
    decay: float
    """Part of the run in which the learning rate falls to zero; 0 where another run goes on from this one."""
    optimiser: str
    """``muon`` (matrices of the layers; the rest AdamW) or ``adamw``."""
    workers: int
    """Processes per GPU that make data."""
    phase: str
    """Key of ``PHASES``: what the stream is made of."""
    resume: bool
    """Go on from the weights in ``out``."""
    gpus: int
    """Processes that train together."""

    @property
    def step_tokens(self) -> int:
        """Tokens per step over all GPUs."""
        return self.rows * CONTEXT * self.gpus

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return max(1, round(self.tokens * 1e6 / self.step_tokens))


_SHARED: tuple[Library, Any] | None = None


def stream(settings: Settings, rank: int, library: Library, tokenizer: Any) -> Generator[Batch, None, None]:
    """An empty batch once the workers are forked, then one batch (ids, kinds) per step for GPU ``rank``, in order."""
    global _SHARED
    _SHARED = (library, tokenizer)  # inherited by the forks: pickling it for every batch would cost more than the batch
    indexes = range(rank, settings.steps * settings.gpus, settings.gpus)
    with multiprocessing.get_context("fork").Pool(settings.workers) as pool:
        batches = pool.imap(partial(_make_shard, settings), indexes)
        yield np.zeros(0, np.uint16), np.zeros(0, np.uint8)  # the workers run; the GPU may be touched from now on
        yield from batches


def _make_shard(settings: Settings, index: int) -> Batch:
    assert _SHARED is not None
    return shard(settings.seed, index, (settings.rows, CONTEXT), *_SHARED, PHASES[settings.phase])


def weighted_loss(model: Any, ids: Any, weights: Any) -> Any:
    """Mean next-token loss, each token counted by its weight. ids, weights: (rows, length)."""
    import torch
    from torch.nn import functional

    embedded = model.model.embed_tokens(ids)
    if ids.is_cuda:
        embedded = embedded.to(torch.bfloat16)  # autocast leaves the residual stream in float32, at twice the traffic
    hidden = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, :-1]).float()
    losses = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    w = weights[:, 1:].flatten()
    return (losses * w).sum() / w.sum()


def build_optimisers(model: Any, settings: Settings) -> list[Any]:
    """Muon for the matrices of the layers, AdamW for embedding and norms; or AdamW for all."""
    import torch

    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not m for m in matrices)]
    adam = partial(torch.optim.AdamW, lr=settings.learning_rate, betas=(0.9, 0.95), fused=torch.cuda.is_available())
    if settings.optimiser == "adamw":
        return [adam([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}])]
    # match_rms_adamw scales Muon's step to AdamW's size, so that one learning rate serves both
    muon = torch.optim.Muon(matrices, lr=settings.learning_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return [muon, adam(others, weight_decay=0.0)]


def learning_rate(peak: float, step: int, steps: int, decay: float) -> float:
    """A hundred steps up, flat, then straight down to zero over the last ``decay`` (0 to 1) of the run."""
    down = min(1.0, (1 - step / steps) / decay) if decay else 1.0
    return peak * min(1.0, (step + 1) / 100) * down


class Clock:
    """Shortens the plan if the tokens do not fit into the time; all GPUs follow the first one's clock."""

    def __init__(self, settings: Settings, device: Any) -> None:
        self.steps = settings.steps
        self._limit = settings.minutes * 60
        self._device = device
        self._together = settings.gpus > 1
        self._last = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the process started."""
        return time.monotonic() - _STARTED

    def look(self, done: int) -> None:
        """After ``done`` steps: how many fit at the pace of the last few? The first look starts the watch."""
        import torch

        now = time.monotonic()
        pace, self._last = (now - self._last) / PLAN_EVERY, now
        if done <= PLAN_EVERY:
            return  # compilation is in it
        fitting = done + int((self._limit - self.elapsed) / pace)
        plan = torch.tensor(max(done + 1, min(self.steps, fitting)), device=self._device)
        if self._together:
            torch.distributed.broadcast(plan, 0)
        self.steps = int(plan.item())


def train(model: Any, batches: Iterator[Batch], settings: Settings, device: Any) -> dict[str, Any]:
    """Run all steps; returns step count, tokens, seconds and the loss over the last steps."""
    import torch

    model.to(device).train()
    optimisers = build_optimisers(model, settings)
    compiled = torch.compile(weighted_loss) if device.type == "cuda" else weighted_loss
    tables = [torch.tensor(weights, device=device) for weights in (EARLY, LATE)]
    clock = Clock(settings, device)
    losses: list[Any] = []
    for step, (ids, kinds) in enumerate(batches):
        if step >= clock.steps:
            break
        for group in (g for optimiser in optimisers for g in optimiser.param_groups):
            group["lr"] = learning_rate(settings.learning_rate, step, clock.steps, settings.decay)
        x = torch.from_numpy(ids.astype(np.int32)).to(device).long()
        weights = tables[step >= PHASES[settings.phase].early * clock.steps][torch.from_numpy(kinds).to(device).long()]
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = compiled(model, x, weights)
        loss.backward()
        _average_gradients(model, settings.gpus)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        if (step + 1) % PLAN_EVERY == 0:
            clock.look(step + 1)
            _progress(step + 1, clock, losses[-1].item(), settings)
    last = torch.stack(losses[-50:]).float().mean().item()
    return {
        "steps": len(losses),
        "tokens": len(losses) * settings.step_tokens,
        "seconds": round(clock.elapsed, 1),
        "final_loss": round(last, 4) if math.isfinite(last) else None,
        "shortened_by_clock": clock.steps < settings.steps,
    }


def _average_gradients(model: Any, gpus: int) -> None:
    if gpus > 1:
        import torch.distributed as dist

        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= gpus


def _progress(done: int, clock: Clock, loss: float, settings: Settings) -> None:
    if int(os.environ.get("RANK", "0")) == 0:
        speed = done * settings.step_tokens / clock.elapsed / 1e6
        print(f"{clock.elapsed:6.0f} s  step {done}/{clock.steps}  loss {loss:.3f}  {speed:.2f} Mtok/s", flush=True)


def run(settings: Settings) -> None:
    """The whole recipe, in each of the processes."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rank = int(os.environ.get("RANK", "0"))
    torch.manual_seed(settings.seed)
    torch.set_float32_matmul_precision("high")
    texts, out = Path(settings.texts), Path(settings.out)
    library = build_library(texts)
    tokenizer = AutoTokenizer.from_pretrained(out)
    batches = stream(settings, rank, library, tokenizer)
    next(batches)  # forks the workers before anything touches the GPU: doing so afterwards is not safe
    device = torch.device(f"cuda:{rank}" if torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if settings.gpus > 1:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32) if settings.resume else None
    model = model or build_model(SHAPES[settings.shape])
    result = train(model, batches, settings, device)
    batches.close()  # ends the workers, who may be far ahead
    if settings.gpus > 1:
        torch.distributed.destroy_process_group()
    if rank == 0:
        previous = read_json(out / "recipe.json")["runs"] if settings.resume else []
        export(model, tokenizer, out, texts, [*previous, {"settings": asdict(settings), "result": result}])
        print(result, flush=True)


def main() -> None:
    """Command line."""
    gpus = int(os.environ.get("WORLD_SIZE", "1"))  # set by torchrun
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tokens", type=float, default=2000.0)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shape", choices=SHAPES, default="middle")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--learning-rate", type=float, default=2.5e-3)
    parser.add_argument("--decay", type=float, default=0.6)
    parser.add_argument("--phase", choices=PHASES, default="wide")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--optimiser", choices=("muon", "adamw"), default="muon")
    parser.add_argument("--workers", type=int, default=max(1, multiprocessing.cpu_count() // gpus - 1))
    run(Settings(**vars(parser.parse_args()), gpus=gpus))


if __name__ == "__main__":
    main()
