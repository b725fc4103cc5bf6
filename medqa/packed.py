"""Linear layers whose weights are laid out for the CPU's cores once, not at every call.

A question is some fifteen tokens, the next word of an answer one: a forward reads all weights to do little with them, and a
general matrix product first copies them into the layout it works in. oneDNN takes them as they were laid out before.
"""

from typing import Any

import torch

ROWS = 16
"""Tokens that the layout is made for, about a question's; it is no slower than the general one for one or for thousands."""
MOST_BYTES = 2**30
"""Models above this (1 GiB of weights) stay as they are: the layout is a second copy of them."""


class PackedLinear(torch.nn.Module):
    """A linear layer, with or without LoRA matrices (Hu et al. 2021, arXiv:2106.09685), that is faster in inference on a CPU
    and the same everywhere else. Matrices that are switched on are added to the weights before these are laid out.

    The layout is made at the first call: weights that change later are not seen in inference.
    """

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.linear = linear
        self._has_lora = type(linear) is not torch.nn.Linear
        self._packed: dict[tuple[torch.dtype, tuple[str, ...]], tuple[Any, Any]] = {}

    @property
    def weight(self) -> torch.Tensor:
        """The wrapped layer's own, (out features, in features)."""
        return self.linear.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in features) -> (..., out features)."""
        if x.device.type != "cpu" or not torch.is_inference_mode_enabled() or torch.is_autocast_enabled("cpu"):
            return self.linear(x)
        key = (x.dtype, _switched_on(self.linear) if self._has_lora else ())  # little else: this runs at every token
        laid_out = self._packed.get(key)
        if laid_out is None:
            if x.dtype != self.weight.dtype or x.dtype not in (torch.float32, torch.bfloat16):
                return self.linear(x)
            laid_out = self._packed[key] = self._lay_out(key[1])
        return torch.ops.mkldnn._linear_pointwise(x, *laid_out, "none", [], "")

    def _lay_out(self, adapters: tuple[str, ...]) -> tuple[Any, Any]:
        """Weights in oneDNN's layout, and the bias."""
        weight = self.weight.detach()
        for name in adapters:
            if name in self.linear.lora_A:
                weight = weight + self.linear.get_delta_weight(name).to(weight.dtype)
        return torch.ops.mkldnn._reorder_linear_weight(weight, ROWS), self.linear.bias

    def __getstate__(self) -> dict[str, Any]:
        """Without the layout, which cannot be copied or sent to another process: it is made anew."""
        return {**self.__dict__, "_packed": {}}


def pack_linear_layers(model: Any) -> None:
    """Wrap the linear layers of ``model``, those with LoRA matrices as a whole, once. Nothing is done without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return
    for name, child in model.named_children():
        if type(child) is torch.nn.Linear or _has_plain_lora(child):
            setattr(model, name, PackedLinear(child))
        elif not (isinstance(child, PackedLinear) or hasattr(child, "base_layer")):  # peft's other layers stay
            pack_linear_layers(child)


def fits_twice(model: Any) -> bool:
    """Whether ``model`` is small enough for a second copy of its weights."""
    return sum(p.numel() * p.element_size() for p in model.parameters()) <= MOST_BYTES


def _has_plain_lora(module: Any) -> bool:
    """Whether all that LoRA does to ``module`` is to add a product of two matrices to its weights (DoRA and others do more)."""
    if not hasattr(module, "get_delta_weight") or type(getattr(module, "base_layer", None)) is not torch.nn.Linear:
        return False
    return not module.lora_variant and not any(module.lora_bias.values())


def _switched_on(linear: Any) -> tuple[str, ...]:
    """Names of the adapters that count in ``linear`` now and are not in its weights already."""
    return () if linear.disable_adapters or linear.merged_adapters else tuple(linear.active_adapters)
