"""Attention within packed rows, and nothing across them, at the cost of the rows and not of the pack.

On a GPU torch's own flash attention takes the rows' borders; elsewhere transformers builds a mask from the restarted
positions (sdpa, eager). A dense mask over a pack of 8,192 tokens makes attention cost more than all matrix products together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "packed_rows"
"""What the attention function is called in transformers; it has no mask function there, so no mask is built."""


def packed_rows_attention(
    module: Any,
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    attention_mask: Any,
    *,
    scaling: float,
    cu_seq_lens_q: "torch.Tensor",
    max_length_q: int,
    **_: Any,
) -> "tuple[torch.Tensor, None]":
    """Causal attention within each row of one pack, as transformers calls it.

    Args:
        module: the attention layer; of its attributes only the number of query heads per key head is used.
        query: (1, heads, length, head size); ``key`` and ``value`` likewise, with as many or fewer heads.
        attention_mask: must be None: the borders say everything.
        scaling: factor of the products.
        cu_seq_lens_q: (rows + 1,) int32, where rows begin, and the length; empty rows are allowed.
        max_length_q: no row is longer.

    Returns:
        (1, length, heads, head size), and no weights.
    """
    assert attention_mask is None
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    # Rotary embedding may have made queries and keys fp32, or 4-bit layers all three; the kernel wants half precision, and
    # autocast does not know it.
    dtype = half_precision(value.dtype) if value.is_cuda else value.dtype
    q, k, v = (t.to(dtype).squeeze(0).transpose(0, 1) for t in (query, key, value))
    return flash_rows(q, k, v, cu_seq_lens_q, max_length_q, scaling).unsqueeze(0), None


def half_precision(dtype: "torch.dtype") -> "torch.dtype":
    """``dtype`` if it is fp16 or bf16, else the one that autocast computes in on a GPU."""
    import torch

    return dtype if dtype in (torch.float16, torch.bfloat16) else torch.get_autocast_dtype("cuda")


def flash_rows(
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    borders: "torch.Tensor",
    longest: int,
    scaling: float,
) -> "torch.Tensor":
    """torch's built-in flash attention, causal within ``borders``; all (length, heads, head size).

    Called below its public name: that one (``torch.nn.attention.varlen``) changed its arguments between 2.10 and 2.13.
    """
    import torch

    flash = torch.ops.aten._flash_attention_forward
    return flash(query, key, value, borders, borders, longest, longest, 0.0, True, False, scale=scaling)[0]


def use_packed_rows(model: Any, device: str) -> bool:
    """Switch ``model`` to attention by borders where ``device`` has it (CUDA, compute capability 8.0 and later).

    Elsewhere nothing changes: sdpa and eager see restarted positions. Returns whether batches need borders.
    """
    import torch

    if device != "cuda" or torch.cuda.get_device_capability() < (8, 0):
        return False
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_rows_attention)
    _config(model)._attn_implementation = NAME
    return True


@contextmanager
def plain_attention(model: Any) -> Iterator[None]:
    """Inside the block, padded batches and generation work: sdpa in place of attention by borders."""
    config = _config(model)
    name = config._attn_implementation
    if name == NAME:
        config._attn_implementation = "sdpa"
    try:
        yield
    finally:
        config._attn_implementation = name


def _config(model: Any) -> Any:
    """The configuration that the model's layers read at every call."""
    while hasattr(model, "module"):  # wrapped for several devices
        model = model.module
    return model.config
