"""Linear layers whose weights are laid out for the CPU's cores once, not at every call.

A question is some fifteen tokens: a forward reads 42 MB of weights to do little with them, and a general matrix product first
copies them into the layout it works in. oneDNN takes them as they were laid out before.
"""

from typing import Any

import torch
from torch.nn import functional

ROWS = 16
"""Tokens that the layout is made for, a question's; it is no slower than the general one for thousands."""


class PackedLinear(torch.nn.Module):
    """A ``torch.nn.Linear`` that is faster in inference in fp32 on a CPU, and the same everywhere else."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._packed: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in features) -> (..., out features)."""
        fast = torch.is_inference_mode_enabled() and x.dtype == self.weight.dtype == torch.float32
        if not fast or x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return functional.linear(x, self.weight, self.bias)
        if self._packed is None:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), ROWS)
        return torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")

    def __getstate__(self) -> dict[str, Any]:
        """Without the layout, which cannot be copied or sent to another process: it is made anew."""
        return {**self.__dict__, "_packed": None}


def pack_linear_layers(model: torch.nn.Module) -> None:
    """Replace the linear layers of ``model``; names and values of its parameters stay. Nothing is done without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is torch.nn.Linear:
                setattr(module, name, PackedLinear(child))
