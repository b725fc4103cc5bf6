"""How well a model expects the reference answer, given the prompt it is asked with: nats, tokens, bytes.

The loss is over the answer's tokens alone, without the prompt and without the ``<|end|>`` behind it, so that bits per byte are
those of the text. Sums are kept, not means: the loss of a set is the nats of all its tokens over their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medqa.records import Hit
from rag.generators import LocalModel
from rag.prompt import neutralise

CHUNK = 512
"""Positions whose logits exist at once: 512 of Phi-3's 32,064 words are 66 MB in fp32, whole answers would be gigabytes."""


@dataclass(frozen=True, slots=True)
class TextLoss:
    """Loss of one text after its prompt."""

    nats: float
    """Sum of -ln p over the tokens of the text."""
    tokens: int
    bytes: int
    """UTF-8 bytes of the text, or of the part of it that fitted."""
    truncated: bool
    """True where the end of the text did not fit behind the prompt; the part that did is what was measured."""


def reference_losses(
    local: LocalModel,
    questions: Sequence[str],
    hits: Sequence[Sequence[Hit] | None],
    references: Sequence[str],
    batch_size: int,
) -> list[TextLoss]:
    """The loss of every reference answer, given the prompt with which ``local`` answers its question.

    Args:
        local: the model as a variant uses it (adapter on or off).
        questions: one per reference.
        hits: the passages shown, or None for a closed-book prompt.
        references: plain text, without markers: a model that was taught to cite is surprised by their absence, with sources
            more than without.
        batch_size: rows in the model at once.
    """
    prompts = [local.prompt(question, found)[0] for question, found in zip(questions, hits, strict=True)]
    with local.opened() as (model, tokenizer):
        longest = int(model.config.max_position_embeddings)
        return text_losses(model, tokenizer, prompts, references, max_tokens=longest, batch_size=batch_size)


def text_losses(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    texts: Sequence[str],
    *,
    max_tokens: int,
    batch_size: int,
    chunk: int = CHUNK,
) -> list[TextLoss]:
    """The loss of ``texts[i]`` as the answer to ``prompts[i]``, equal to a loop over single rows up to rounding.

    Args:
        model: a causal language model of transformers, with an adapter or without, whose logits are its output embedding of
            its decoder's last hidden state and nothing else (as Phi-3's are).
        tokenizer: its tokenizer.
        prompts: token ids up to the assistant marker (``rag.prompt.render``).
        texts: reference answers; control tokens in them are neutralised as everywhere.
        max_tokens: longest prompt and text together; longer texts are cut and marked.
        batch_size: rows in the decoder at once.
        chunk: positions in the output embedding at once.
    """
    from tqdm import tqdm

    items = [_fit(tokenizer, p, neutralise(t), max_tokens) for p, t in zip(prompts, texts, strict=True)]
    nats = [0.0] * len(items)
    with tqdm(total=len(items), desc="loss of references", unit="text", disable=None, leave=False) as bar:
        for batch in _by_length([len(p) + len(ids) for p, ids, _, _ in items], batch_size):
            rows = [(items[i][0], items[i][1]) for i in batch]
            for i, found in zip(batch, _batch_nats(model, rows, chunk), strict=True):
                nats[i] = found
            bar.update(len(batch))
    return [TextLoss(n, len(ids), size, cut) for n, (_, ids, size, cut) in zip(nats, items, strict=True)]


def _fit(tokenizer: Any, prompt: Sequence[int], text: str, max_tokens: int) -> tuple[list[int], list[int], int, bool]:
    """Prompt, the text's tokens that fit behind it, their bytes, and whether some did not."""
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    room = max(0, max_tokens - len(prompt))
    if len(ids) <= room:
        return list(prompt), ids, len(text.encode()), False
    kept = ids[:room]
    return list(prompt), kept, len(tokenizer.decode(kept).encode()) if kept else 0, True


def _batch_nats(model: Any, rows: Sequence[tuple[Sequence[int], Sequence[int]]], chunk: int) -> list[float]:
    """Sum of -ln p of each row's text; 0 for a text without tokens."""
    import torch

    width = max(len(p) + len(ids) for p, ids in rows)
    inputs = torch.zeros((len(rows), width), dtype=torch.long)  # padded on the right: causal rows never see it
    mask = torch.zeros_like(inputs)
    for n, (prompt, ids) in enumerate(rows):
        size = len(prompt) + len(ids)
        inputs[n, :size] = torch.tensor([*prompt, *ids])
        mask[n, :size] = 1
    device = model.device
    with torch.inference_mode():
        decoder, head = model.get_decoder(), model.get_output_embeddings()
        hidden = decoder(input_ids=inputs.to(device), attention_mask=mask.to(device), use_cache=False)[0]
        # The state at position t predicts token t + 1.
        states = torch.cat([hidden[n, len(p) - 1 : len(p) + len(ids) - 1] for n, (p, ids) in enumerate(rows)])
        targets = torch.tensor([t for _, ids in rows for t in ids], device=device)
        losses = [
            torch.nn.functional.cross_entropy(
                head(states[at : at + chunk]).float(), targets[at : at + chunk], reduction="none"
            )
            for at in range(0, len(targets), chunk)
        ]
    flat = torch.cat(losses).double().cpu() if losses else torch.zeros(0, dtype=torch.float64)
    return [float(part.sum()) for part in flat.split([len(ids) for _, ids in rows])]


def _by_length(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices in batches of like length, the longest first: what does not fit in memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    for start in range(0, len(order), size):
        yield order[start : start + size]
