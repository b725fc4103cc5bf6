"""How close an answer's text is to the reference: BLEU and chrF (sacrebleu), token F1, length; ROUGE is in ``eval.rouge``.

Markers and refusals are not text about medicine: markers are taken out before scoring, and a refusal scores as what it says.
An empty answer scores 0; it is never left out of a mean.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def strip_markers(text: str) -> str:
    """``text`` without citation markers."""
    return _MARKER.sub("", text).strip()


def corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """BLEU-4 over all answers, in [0, 1], and the signature that says how it was computed (Post, 2018; sacrebleu)."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    score = metric.corpus_score([strip_markers(a) for a in answers], [list(references)])
    return {"bleu": float(score.score) / 100, "signature": str(metric.get_signature())}


def corpus_chrf(answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """chrF2 over all answers, in [0, 1], with its signature (Popović, 2015; sacrebleu)."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    score = metric.corpus_score([strip_markers(a) for a in answers], [list(references)])
    return {"chrf": float(score.score) / 100, "signature": str(metric.get_signature())}


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of shared words, in [0, 1] (SQuAD: Rajpurkar et al., EMNLP 2016).

    Words are lower-cased, without punctuation and articles, and counted as often as they occur; their order does not matter.
    1 where neither side has a word, 0 where one has none.
    """
    ours, theirs = _plain_words(strip_markers(answer)), _plain_words(reference)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))


def length_ratio(answer: str, reference: str) -> float | None:
    """Words of the answer per word of the reference; None where the reference has none."""
    wanted = len(reference.split())
    return len(strip_markers(answer).split()) / wanted if wanted else None


def _plain_words(text: str) -> list[str]:
    return _ARTICLE.sub(" ", _PUNCTUATION.sub("", text.lower())).split()
