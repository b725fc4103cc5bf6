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
        self._packed: dict[tuple[str, ...], Any] = {}

    @property
    def weight(self) -> torch.Tensor:
        """The wrapped layer's own, (out features, in features)."""
        return self.linear.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in features) -> (..., out features)."""
        same = x.device.type == "cpu" and x.dtype == self.weight.dtype and x.dtype in (torch.float32, torch.bfloat16)
        if not same or not torch.is_inference_mode_enabled() or torch.is_autocast_enabled("cpu"):
            return self.linear(x)
        adapters = _switched_on(self.linear)
        if adapters not in self._packed:
            weight = self.weight.detach()
            for name in adapters:
                weight = weight + self.linear.get_delta_weight(name).to(weight.dtype)
            self._packed[adapters] = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        return torch.ops.mkldnn._linear_pointwise(x, self._packed[adapters], self.linear.bias, "none", [], "")

    def __getstate__(self) -> dict[str, Any]:
        """Without the layout, which cannot be copied or sent to another process: it is made anew."""
        return {**self.__dict__, "_packed": {}}


def pack_linear_layers(model: Any) -> None:
    """Wrap the linear layers of ``model``, those with LoRA matrices as a whole. Nothing is done without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return
    for name, child in model.named_children():
        if type(child) is torch.nn.Linear or _has_plain_lora(child):
            setattr(model, name, PackedLinear(child))
        elif not hasattr(child, "base_layer"):  # what else peft made of a layer is left alone
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
    """Names of the adapters whose matrices count in ``linear`` now and are not in its weights already."""
    if getattr(linear, "disable_adapters", True) or linear.merged:
        return ()
    return tuple(name for name in linear.active_adapters if name in linear.lora_A)
