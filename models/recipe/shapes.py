"""Shapes of the model: the same number of bytes spent on depth or on width."""

from dataclasses import dataclass
from typing import Any

from models.recipe.tokenizer import CONTEXT, VOCABULARY


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Phi-3. Heads are 64 wide."""

    hidden: int
    layers: int
    intermediate: int

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.hidden // 64

    @property
    def parameters(self) -> int:
        """Number of weights; the output layer is the embedding."""
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.intermediate + 2 * self.hidden
        return VOCABULARY * self.hidden + self.layers * layer + self.hidden


SHAPES = {
    "deep": Shape(hidden=320, layers=11, intermediate=896),
    "middle": Shape(hidden=384, layers=8, intermediate=960),
    "wide": Shape(hidden=448, layers=5, intermediate=1344),
    "toy": Shape(hidden=64, layers=2, intermediate=128),  # for a dry run on a CPU
}


def build_model(shape: Shape) -> Any:
    """A ``Phi3ForCausalLM`` with fresh weights in float32."""
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=CONTEXT,
        original_max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=4,
        pad_token_id=0,
    )
    return Phi3ForCausalLM(config)
