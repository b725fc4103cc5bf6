"""A random Phi-3 of 20,000 parameters with a tokenizer of its own: the real classes, made in milliseconds, offline."""

from pathlib import Path
from typing import Any

from rag.prompt import GROUNDED_SYSTEM, REFUSAL

SPECIALS = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]  # ids 0 to 4
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
VOCABULARY = 512
_TEXT = [
    GROUNDED_SYSTEM,
    REFUSAL,
    "Question: What is asthma? The airways of the lungs are swollen and narrow. [1] [2] [3]",
]


def tiny_tokenizer() -> Any:
    """A byte-level BPE tokenizer (nothing is unknown) with Phi-3's markers and chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(_TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=SPECIALS[0],
        eos_token=SPECIALS[4],
        pad_token=SPECIALS[0],
        chat_template=TEMPLATE,
    )


def tiny_model(seed: int = 0) -> Any:
    """A freshly initialised Phi-3 in fp32: 2 layers, hidden 32, 4 heads."""
    import torch
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        original_max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=4,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Phi3ForCausalLM(config)


def save_tiny_phi3(folder: Path, seed: int = 0) -> Path:
    """Write model and tokenizer to ``folder`` as transformers loads them, and return it."""
    tiny_model(seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
