"""The generation metric: ROUGE-L of greedy answers to a fixed sample of validation rows."""

from collections.abc import Sequence
from typing import Any

from finetune.masking import IGNORE, Encoded

BATCH = 16
"""Prompts generated together."""


def mean_rouge_l(model: Any, tokenizer: Any, rows: Sequence[Encoded], max_new_tokens: int) -> float:
    """Mean ROUGE-L F1 (Lin 2004, stemmed) of the model's greedy answers against the rows' supervised text, 0 to 1.

    The prompts are the rows' own tokens, as in training; an empty answer counts 0.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    answers = greedy_answers(model, tokenizer, rows, max_new_tokens)
    wanted = [_decode(tokenizer, [label for label in row.labels if label != IGNORE]) for row in rows]
    scores = [scorer.score(w, a)["rougeL"].fmeasure for w, a in zip(wanted, answers, strict=True)]
    return sum(scores) / len(scores)


def greedy_answers(model: Any, tokenizer: Any, rows: Sequence[Encoded], max_new_tokens: int) -> list[str]:
    """The most likely continuation of each row's prompt, up to ``max_new_tokens``."""
    import torch

    from rag.prompt import end_token_id

    device = next(model.parameters()).device
    end = end_token_id(tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end
    found = []
    for start in range(0, len(rows), BATCH):
        prompts = [_prompt(row) for row in rows[start : start + BATCH]]
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        made = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=end,
            pad_token_id=pad,
        )
        found += [_decode(tokenizer, line) for line in made[:, width:].tolist()]
    return found


def _prompt(row: Encoded) -> list[int]:
    return row.input_ids[: next(i for i, label in enumerate(row.labels) if label != IGNORE)]


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()
