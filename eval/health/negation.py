"""Does an answer deny what the reference states, or state what it denies?

Sentences that speak of the same thing are laid side by side. In each, the words behind a negation are negated up to the next
boundary, as in NegEx and ConText (Chapman et al., Journal of Biomedical Informatics 34, 2001; Harkema et al., ibid. 42, 2009).
Two sentences contradict each other when most of the content words they share are negated in one and not in the other.
"""

import re
from collections.abc import Sequence

from eval.text_metrics import strip_markers
from rag.support import content_words
from retrieval.sentences import split_sentences

ALIGNED = 0.6
"""Share of the shorter sentence's content words that must stand in the other: below, they speak of different things."""
FEWEST = 3
"""Shared content words without which nothing is judged: two words in common are a topic, not a statement."""

# What opens a negation, and what closes it again ("not contagious, but it spreads ...").
_OPENS = re.compile(
    r"\b(?:no|not|never|none|without|cannot|neither|nor|unlikely|absence of|free of|lacks?|rules? out|ruled out|"
    r"fails? to|avoid|stop|unable to)\b|n['’]t\b",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    r"[,;:()]|\b(?:but|however|although|though|except|unless|instead|because|which|if|when)\b", re.IGNORECASE
)
# Negations in form that deny nothing.
_HARMLESS = re.compile(
    r"\b(?:not only|no longer than|no more than|not (?:just|merely)|without doubt|no doubt)\b", re.IGNORECASE
)


def contradicted_share(answer: str, reference: str) -> float | None:
    """Share of the answer's sentences with a counterpart in the reference that contradict it; in [0, 1], lower is better.

    A sentence's counterpart is the one of the reference that shares most of its content words, at least ``FEWEST`` and
    ``ALIGNED`` of the shorter one. None where no sentence has one: then nothing can contradict. An answer whose negations are
    those of the reference has 0; "do not give aspirin to children" against "give aspirin to children" is 1.
    """
    ours, theirs = _polar(strip_markers(answer)), _polar(reference)
    verdicts = [
        _contradicts(sentence, other) for sentence in ours if (other := _counterpart(sentence, theirs)) is not None
    ]
    return sum(verdicts) / len(verdicts) if verdicts else None


def polarity(sentence: str) -> dict[str, bool]:
    """Content word -> whether it stands within a negation; a word on both sides counts as not negated."""
    plain = _HARMLESS.sub(" ", sentence)
    found: dict[str, bool] = {}
    negated, at = False, 0
    marks = sorted(
        [(m.span(), True) for m in _OPENS.finditer(plain)] + [(m.span(), False) for m in _CLOSES.finditer(plain)]
    )
    for (start, end), opens in [*marks, ((len(plain), len(plain)), False)]:
        for word in content_words(plain[at:start]):
            found[word] = found.get(word, True) and negated
        negated, at = opens, end
    return found


def _polar(text: str) -> list[dict[str, bool]]:
    return [polarity(text[s:e]) for s, e in split_sentences(text)]


def _counterpart(sentence: dict[str, bool], others: Sequence[dict[str, bool]]) -> dict[str, bool] | None:
    shared = [len(sentence.keys() & other.keys()) for other in others]
    best = max(range(len(others)), key=lambda i: (shared[i], -len(others[i])), default=None)
    if best is None or shared[best] < max(FEWEST, ALIGNED * min(len(sentence), len(others[best]))):
        return None
    return others[best]


def _contradicts(a: dict[str, bool], b: dict[str, bool]) -> bool:
    shared = a.keys() & b.keys()
    return sum(a[w] != b[w] for w in shared) > len(shared) / 2
