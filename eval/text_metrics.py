"""How close an answer's text is to the reference: ROUGE (rouge-score), BLEU and chrF (sacrebleu), token F1, length.

Markers and refusals are not text about medicine: markers are taken out before scoring, and a refusal scores as what it says.
An empty answer scores 0; it is never left out of a mean.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from retrieval.sentences import split_sentences

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def strip_markers(text: str) -> str:
    """``text`` without citation markers."""
    return _MARKER.sub("", text).strip()


def rouge_scores(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """F-measures per answer, in [0, 1], with the Porter stemmer (Lin, 2004; Google's rouge-score).

    ROUGE-Lsum compares sentence with sentence; rouge-score wants them on lines of their own, so they are put there.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE_TYPES), tokenizer=_Stemmed())
    scored = (scorer.score(_on_lines(r), _on_lines(strip_markers(a))) for a, r in zip(answers, references, strict=True))
    return [{name: float(s[name].fmeasure) for name in ROUGE_TYPES} for s in scored]


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


class _Stemmed:
    """rouge-score's tokens with each word stemmed once: a third of the time of its default on a corpus."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self.stem = lru_cache(maxsize=None)(PorterStemmer().stem)  # lives as long as one call of rouge_scores

    def tokenize(self, text: str) -> list[str]:
        from rouge_score.tokenize import tokenize

        return list(tokenize(text, self))


def _on_lines(text: str) -> str:
    return "\n".join(" ".join(text[s:e].split()) for s, e in split_sentences(text))


def _plain_words(text: str) -> list[str]:
    return _ARTICLE.sub(" ", _PUNCTUATION.sub("", text.lower())).split()
