"""How close an answer's text is to the reference: ROUGE (rouge-score) and BLEU (sacrebleu).

Markers and refusals are not text about medicine: markers are taken out before scoring, and a refusal scores as what it says.
An empty answer scores 0; it is never left out of a mean.
"""

import re
from collections.abc import Sequence
from typing import Any

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")
_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")


def strip_markers(text: str) -> str:
    """``text`` without citation markers."""
    return _MARKER.sub("", text).strip()


def rouge_scores(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """F-measures per answer, in [0, 1], with the Porter stemmer (Lin, 2004; Google's rouge-score)."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE_TYPES), use_stemmer=True)
    scored = (scorer.score(r, strip_markers(a)) for a, r in zip(answers, references, strict=True))
    return [{name: float(s[name].fmeasure) for name in ROUGE_TYPES} for s in scored]


def corpus_bleu(answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """BLEU-4 over all answers, in [0, 1], and the signature that says how it was computed (Post, 2018; sacrebleu)."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    score = metric.corpus_score([strip_markers(a) for a in answers], [list(references)])
    return {"bleu": float(score.score) / 100, "signature": str(metric.get_signature())}
