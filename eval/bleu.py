"""BLEU (Papineni et al., ACL 2002) from what each answer adds to its counts, so that a resample needs no text.

One reference per answer. Two ways of saying what an n-gram order without any match is worth are in use, and they are the only
difference here between the two libraries:

- ``none``: the score is 0, as ``evaluate`` computes it by default (its script runs the one of TensorFlow's NMT tutorial
  over the tokens of mteval-13a);
- ``exp``: the k-th empty order counts as 2^-k matches, sacrebleu's default.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

ORDERS = 4


def tokens_13a(text: str) -> list[str]:
    """Tokens of mteval-v13a, which both libraries use (their code is the same)."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return str(Tokenizer13a()(text)).split()


def bleu_statistics(answers: Sequence[str], references: Sequence[str]) -> "np.ndarray":
    """(n, 10) float64: matches of 1- to 4-grams, n-grams of the answer, tokens of the answer and of the reference."""
    import numpy as np

    rows = [_row(tokens_13a(a.rstrip()), tokens_13a(r.rstrip())) for a, r in zip(answers, references, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2 * ORDERS + 2)


def bleu_of(sums: "np.ndarray", smoothing: Literal["none", "exp"]) -> "np.ndarray":
    """BLEU in [0, 1] of summed statistics (..., 10): the geometric mean of the n-gram precisions times the brevity penalty.

    0 where the answers are empty, share no word with the references, or are all shorter than four tokens (then an order has
    no n-grams to be precise about).
    """
    import numpy as np

    sums = np.asarray(sums, dtype=np.float64)
    matches, totals = sums[..., :ORDERS], sums[..., ORDERS : 2 * ORDERS]
    length, wanted = sums[..., -2], sums[..., -1]
    precisions = matches / np.maximum(totals, 1)
    if smoothing == "exp":
        empty = (matches == 0) & (totals > 0)
        precisions = np.where(empty, 0.5 ** np.cumsum(empty, axis=-1) / np.maximum(totals, 1), precisions)
    judged = (matches[..., 0] > 0) & (precisions > 0).all(axis=-1)
    logs = np.log(np.where(judged[..., None], precisions, 1.0)).mean(axis=-1)
    brevity = np.minimum(0.0, 1 - wanted / np.maximum(length, 1))
    return np.where(judged, np.exp(logs + brevity), 0.0)


def bleu_parts(sums: "np.ndarray") -> dict[str, Any]:
    """What BLEU is made of, under the names of ``evaluate``: precisions, brevity penalty and lengths of summed statistics."""
    length, wanted = float(sums[-2]), float(sums[-1])
    return {
        "precisions": [float(m) / float(t) if t else 0.0 for m, t in zip(sums[:ORDERS], sums[ORDERS:-2], strict=True)],
        "brevity_penalty": math.exp(min(0.0, 1 - wanted / length)) if length else 0.0,
        "length_ratio": length / wanted if wanted else None,
        "translation_length": int(length),
        "reference_length": int(wanted),
    }


def _row(answer: Sequence[str], reference: Sequence[str]) -> list[int]:
    matches, totals = [], []
    for order in range(1, ORDERS + 1):
        ours, theirs = _grams(answer, order), _grams(reference, order)
        matches.append((ours & theirs).total())
        totals.append(max(0, len(answer) - order + 1))
    return [*matches, *totals, len(answer), len(reference)]


def _grams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(order)), strict=False))
