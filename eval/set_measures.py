"""Measures of a whole set of answers: functions of sums, so that the bootstrap can resample questions without their text."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from eval.bleu import bleu_of, bleu_statistics
from eval.chrf import chrf_of, chrf_statistics
from eval.text_metrics import strip_markers

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class SetMeasure:
    """One measure: what each answer adds to the sums, and the value of sums."""

    statistics: "np.ndarray"
    """(n, k) float64, in the order of the rows."""
    value: Callable[["np.ndarray"], "np.ndarray"]
    """(..., k) -> (...)."""


def set_measures(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, SetMeasure], dict[str, str]]:
    """The set measures of ``rows``, and for those that cannot be computed the reason.

    Returns:
        name -> measure, and name -> reason; every name of ``eval.measures`` of this kind is in exactly one.
    """
    answers = ["" if row.get("error") else strip_markers(row["answer"]) for row in rows]
    references = [row["reference"] for row in rows]
    counts = bleu_statistics(answers, references)
    found = {
        "bleu": SetMeasure(counts, partial(bleu_of, smoothing="exp")),
        "bleu_evaluate": SetMeasure(counts, partial(bleu_of, smoothing="none")),
        "chrf": SetMeasure(chrf_statistics(answers, references), chrf_of),
    }
    losses, reason = loss_statistics(rows)
    language = {"loss": loss_of, "perplexity": perplexity_of, "bits_per_byte": bits_per_byte_of}
    if losses is None:
        return found, dict.fromkeys(language, reason)
    return {**found, **{name: SetMeasure(losses, value) for name, value in language.items()}}, {}


def loss_statistics(rows: Sequence[Mapping[str, Any]]) -> "tuple[np.ndarray | None, str]":
    """(n, 3) float64 of nats, tokens and bytes; or None and the reason where a row has none.

    All or nothing: a loss over the questions that happened to have one would be of other text than the next system's.
    """
    import numpy as np

    without = sum(not row.get("lm") for row in rows)
    if without == len(rows):
        return None, "the loss of the references was not measured"
    if without:
        return None, f"{without} of {len(rows)} references have no loss"
    if not sum(row["lm"]["tokens"] for row in rows):
        return None, "no reference had room behind its prompt"
    values = [[row["lm"]["nats"], row["lm"]["tokens"], row["lm"]["bytes"]] for row in rows]
    return np.array(values, dtype=np.float64), ""


def loss_of(sums: "np.ndarray") -> "np.ndarray":
    """Nats per token, every token weighing the same: long references count for more than short ones."""
    return _ratio(sums[..., 0], sums[..., 1])


def perplexity_of(sums: "np.ndarray") -> "np.ndarray":
    """``exp`` of the loss."""
    import numpy as np

    return np.exp(loss_of(sums))


def bits_per_byte_of(sums: "np.ndarray") -> "np.ndarray":
    """Bits per UTF-8 byte of the text: unlike the loss, it compares models with different tokenizers."""
    return _ratio(sums[..., 0] / math.log(2), sums[..., 2])


def _ratio(top: "np.ndarray", bottom: "np.ndarray") -> "np.ndarray":
    """NaN for 0 / 0: a resample of nothing but references without room; the interval leaves it out."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return top / bottom
