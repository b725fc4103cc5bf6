"""Will a recipe fit? An estimate of the memory of a training run from the base model's shape, before anything is loaded.

The terms are those of mixed-precision LoRA training; the factors of activations were fitted to measured runs of Phi-3-mini's
shape (benchmarks/RESULTS.md).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from medqa.errors import MedqaError
from medqa.files import read_json

GIB = 2**30
NF4_BYTES = 0.516
"""Bytes per 4-bit weight: half a byte, one 8-bit scale per 64 weights, a fp32 scale per 256 of those."""
CONTEXT = int(0.5 * GIB)
"""What CUDA and its libraries take for themselves."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a base model's configuration decides its memory."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    qkv: int
    """Width of the fused query, key and value projection."""
    attention: int
    """Width of the heads together."""
    tied: bool
    """Input and output embeddings are one matrix."""

    @property
    def linear(self) -> int:
        """Weights of the decoder layers' matrices."""
        return self.layers * (self.hidden * (self.qkv + self.attention) + 3 * self.hidden * self.intermediate)

    @property
    def embeddings(self) -> int:
        """Weights of embedding and head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)


@dataclass(frozen=True, slots=True)
class Load:
    """What of a recipe decides its memory."""

    quantize: Literal["none", "nf4"]
    bytes_per_value: int
    """2 for bf16 and fp16, 4 for fp32."""
    r: int
    targets: tuple[str, ...]
    eight_bit_optimiser: bool
    tokens: int
    """Of one forward pass, padding included: batch size times length, or the length of a pack."""
    checkpointing: bool
    kept_layers: int
    compiled: bool


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes at the peak of a training step."""

    weights: int
    adapter: int
    """LoRA matrices and their gradients, fp32."""
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(asdict(self).values())

    def __str__(self) -> str:
        terms = ", ".join(f"{name} {value / GIB:.2f}" for name, value in asdict(self).items())
        return f"{self.total / GIB:.1f} GiB ({terms})"


def read_shape(folder: Path) -> Shape:
    """The shape of the model in ``folder``, from its ``config.json``.

    Raises:
        MedqaError: a configuration that does not say it.
    """
    config = read_json(folder / "config.json")
    try:
        heads = config["num_attention_heads"]
        size = config.get("head_dim") or config["hidden_size"] // heads
        shared = config.get("num_key_value_heads") or heads
        return Shape(
            vocabulary=config["vocab_size"],
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            qkv=(heads + 2 * shared) * size,
            attention=heads * size,
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except KeyError as error:
        raise MedqaError(
            f"wanted {error} in {folder / 'config.json'}, found none; give a decoder model such as Phi-3"
        ) from error


def estimate(shape: Shape, load: Load) -> Estimate:
    """The peak of one training step, in bytes."""
    per_weight = NF4_BYTES if load.quantize == "nf4" else load.bytes_per_value
    sides = {
        "qkv_proj": shape.hidden + shape.qkv,
        "o_proj": shape.attention + shape.hidden,
        "gate_up_proj": shape.hidden + 2 * shape.intermediate,
        "down_proj": shape.intermediate + shape.hidden,
    }
    lora = shape.layers * load.r * sum(sides.get(name, 0) for name in load.targets)
    # Values that autograd keeps of one layer and token; compiled code keeps fewer of the intermediate ones.
    kept = 12 * shape.hidden + 4 * shape.intermediate
    layer = int(load.tokens * kept * load.bytes_per_value * (1.0 if load.compiled else 1.5))
    # A layer that recomputes is whole while it runs backwards; a 4-bit layer's weights are then unpacked too.
    whole = load.kept_layers + 1 if load.checkpointing else shape.layers
    entrances = load.tokens * shape.hidden * load.bytes_per_value * shape.layers if load.checkpointing else 0
    unpacked = shape.linear // shape.layers * load.bytes_per_value // 2 if load.quantize == "nf4" else 0
    return Estimate(
        weights=int(shape.linear * per_weight) + shape.embeddings * load.bytes_per_value,
        adapter=8 * lora,
        optimiser=(2 if load.eight_bit_optimiser else 8) * lora,
        activations=whole * layer + entrances + unpacked,
        # Logits and their gradient at every position, the worst case, and one slice of them in fp32 three times.
        logits=2 * load.tokens * shape.vocabulary * load.bytes_per_value
        + 12 * min(load.tokens, 1024) * shape.vocabulary,
    )


def free_memory(device: str) -> int:
    """Bytes that a process can take now: of the GPU, or of the machine."""
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0]) - CONTEXT
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise MedqaError("wanted MemAvailable in /proc/meminfo, found none; use finetune.check_memory=false")


def largest_micro_batch(shape: Shape, load: Load, rows: int, length: int, free: int) -> int:
    """The most rows of ``length`` tokens in one forward pass that fit and divide ``rows``, those of one optimiser step; at
    least 1, whether it fits or not."""
    for size in range(rows, 1, -1):
        if rows % size == 0 and estimate(shape, replace(load, tokens=size * length)).total <= free:
            return size
    return 1


def check_fit(shape: Shape, load: Load, rows: int, length: int, free: int) -> Estimate:
    """The estimate, if it is within ``free`` bytes.

    Args:
        rows: rows of one forward pass; 1 for packs.
        length: tokens of each.

    Raises:
        MedqaError: it is not; the message has the estimate and the smallest change that would fit.
    """
    found = estimate(shape, load)
    if found.total <= free:
        return found
    change = next((name for name, other in _smaller(load, rows, length) if estimate(shape, other).total <= free), None)
    remedy = (
        f"set {change}" if change else "no setting of this recipe fits; use a smaller base model or a larger device"
    )
    raise MedqaError(f"wanted about {found} for this recipe, found {free / GIB:.1f} GiB free; {remedy}")


def _smaller(load: Load, rows: int, length: int) -> Iterator[tuple[str, Load]]:
    """Changes that need less memory, the least harmful first: what costs nothing, then time, then precision, then length."""
    for kept in range(load.kept_layers - 1, -1, -1):
        yield f"finetune.kept_layers={kept}", replace(load, kept_layers=kept)
    smaller = replace(load, kept_layers=0)
    for size in _halves(rows):
        text = f"finetune.batch_size={size} with finetune.accumulation {rows // size} times as large"
        yield text, replace(smaller, tokens=size * length)
    eight = replace(smaller, eight_bit_optimiser=True)
    yield "finetune.optim=paged_adamw_8bit", eight
    least = 1 if rows > 1 else None
    for checkpointing, quantize in ((True, load.quantize), (True, "nf4")):
        settings = {"finetune.checkpointing": str(checkpointing).lower(), "generator.quantize": quantize}
        now: Mapping[str, Any] = {
            "finetune.checkpointing": str(load.checkpointing).lower(),
            "generator.quantize": load.quantize,
        }
        changed = [f"{name}={value}" for name, value in settings.items() if now[name] != value]
        base = replace(smaller, checkpointing=checkpointing, quantize=quantize)
        yield " and ".join(changed) or "finetune.kept_layers=0", base
        for size in _halves(rows):
            yield " and ".join([*changed, f"finetune.batch_size={size}"]), replace(base, tokens=size * length)
        for shorter in _halves(length):
            if shorter >= 256:
                name = "finetune.max_length" if least else "finetune.pack_length"
                more = [f"finetune.batch_size={least}"] if least else []
                yield " and ".join([*changed, *more, f"{name}={shorter}"]), replace(base, tokens=shorter)


def _halves(number: int) -> Iterator[int]:
    while number > 1:
        number //= 2
        yield number
