"""What is checked of a recipe before anything is loaded: settings that contradict each other, and its size."""

from dataclasses import replace
from typing import Literal

from finetune.arguments import TrainPlan
from finetune.memory import Load, Shape, check_fit, free_memory, largest_micro_batch
from finetune.model import Compute
from medqa.errors import MedqaError
from medqa.processes import say
from medqa.settings import FinetuneSettings


def refuse_contradictions(fs: FinetuneSettings) -> None:
    """Stop where two settings cannot both be meant.

    Raises:
        MedqaError: naming the two and what to do.
    """
    packed = fs.batching == "packed"
    problems = {
        "finetune.batch_size=1 with finetune.batching=packed (a pack is the batch), found "
        f"{fs.batch_size}; set finetune.batch_size=1 and finetune.pack_length": packed and fs.batch_size > 1,
        "finetune.auto_batch=false with finetune.batching=packed, found true; set finetune.pack_length": packed
        and fs.auto_batch,
        "a sampling by order with finetune.batching=packed (there is no padding to save by length), found length; "
        "set finetune.sampling=random": packed and fs.sampling == "length",
        f"finetune.pack_length of at least finetune.max_length={fs.max_length}, found {fs.pack_length}; raise it": packed
        and fs.pack_length < fs.max_length,
        "batches of one shape for finetune.compile=true, found finetune.batching=dynamic; set finetune.batching=packed": (
            fs.compile and fs.batching == "dynamic"
        ),
        "finetune.checkpointing=true with finetune.kept_layers, found false (all layers keep their activations then); "
        "set finetune.kept_layers=0": fs.kept_layers > 0 and not fs.checkpointing,
        f"fewer finetune.warmup_steps than finetune.max_steps={fs.max_steps}, found {fs.warmup_steps}; lower them": (
            0 < fs.max_steps < fs.warmup_steps
        ),
    }
    found = [text for text, wrong in problems.items() if wrong]
    if found:
        raise MedqaError(f"wanted {found[0]}")


def memory_load(fs: FinetuneSettings, quantize: Literal["none", "nf4"], compute: Compute) -> Load:
    """What the estimate of memory needs to know of a recipe."""
    tokens = fs.pack_length if fs.batching == "packed" else fs.batch_size * fs.max_length
    return Load(
        quantize=quantize,
        bytes_per_value=4 if compute.dtype == "float32" or fs.upcast else 2,
        r=fs.r,
        targets=fs.targets,
        eight_bit_optimiser="8bit" in fs.optim,
        tokens=tokens,
        checkpointing=fs.checkpointing,
        kept_layers=fs.kept_layers,
        compiled=fs.compile,
    )


def fitting_plan(plan: TrainPlan, fs: FinetuneSettings, load: Load, shape: Shape, compute: Compute) -> TrainPlan:
    """``plan`` with the micro-batch that memory holds, if that is to be found.

    Raises:
        MedqaError: the recipe is too large for what is free; the message has the smallest change that would fit.
    """
    free = free_memory(compute.device)
    length = fs.pack_length if fs.batching == "packed" else fs.max_length
    if fs.auto_batch:
        whole = fs.batch_size * fs.accumulation
        size = largest_micro_batch(shape, load, whole, length, free)
        plan = replace(plan, batch_size=size, accumulation=whole // size)
        load = replace(load, tokens=size * length)
        say(f"{size} examples at once, {whole // size} times a step")
    if fs.check_memory:
        say(f"memory: about {check_fit(shape, load, plan.batch_size, length, free)} of {free / 2**30:.1f} GiB free")
    return plan
