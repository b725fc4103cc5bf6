"""Decoder layers one by one: which recompute their activations, and which are compiled.

Compiling a layer instead of the model takes one compilation for all layers and leaves the rest of the model as it is.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any


def decoder_layers(model: Any) -> list[Any]:
    """The decoder layers of a causal language model, with or without LoRA, in order."""
    return list(model.get_base_model().model.layers)


def prepare_layers(
    model: Any, recompute: int, compiled: bool, backend: "str | Callable[..., Any]" = "inductor"
) -> None:
    """Let the first ``recompute`` layers recompute their activations in the backward pass, and compile all if ``compiled``.

    Recomputing happens around the compiled code: one graph forwards, the same once more, one backwards. transformers' own
    switch is not used, because it lies inside the compiled part in some versions and around it in others.
    """
    import torch

    layers = decoder_layers(model)
    plain = inspect.unwrap(type(layers[0]).forward)  # below transformers' checkpointing
    code = torch.compile(plain, backend=backend, dynamic=False) if compiled else plain
    for number, layer in enumerate(layers):
        layer.forward = partial(_forward, layer, code, number < recompute)


def restore_layers(model: Any) -> None:
    """Undo ``prepare_layers``."""
    for layer in decoder_layers(model):
        layer.__dict__.pop("forward", None)


def _forward(layer: Any, code: Callable[..., Any], recompute: bool, *args: Any, **kwargs: Any) -> Any:
    import torch
    from torch.utils.checkpoint import checkpoint

    if recompute and layer.training and torch.is_grad_enabled():
        return checkpoint(partial(code, layer, **kwargs), *args, use_reentrant=False)
    return code(layer, *args, **kwargs)


@contextmanager
def uncompiled(compiled: bool) -> Iterator[None]:
    """Inside the block compiled layers run as they are written: evaluation has other shapes at every batch."""
    import torch

    with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
        yield
