"""Pairs of an answer and a reference that share words, punctuation, figures and markup: what metrics have to agree on."""

import random

# None of them is changed by the Porter stemmer, so that a second implementation needs none.
WORDS = [
    "asma",
    "gut",
    "pan",
    "lung",
    "toe",
    "rib",
    "skin",
    "bad",
    "cold",
    "ill",
    "no",
    "is",
    "of",
    "at",
    "500",
    "0.5",
    "3",
]
MARKS = [".", ",", "!", "?", ";", "-", "(", ")", '"', "&amp;", "%", "…", "µg", "é", "5-HT", "1,000", "e.g."]


def text(rng, most):
    parts = []
    for _ in range(rng.randrange(most)):
        parts.append(rng.choice(WORDS if rng.random() < 0.8 else MARKS))
    return (" " if rng.random() < 0.9 else "").join(parts)


def pairs(number, seed=0, most=40):
    """``number`` answers and references; an answer keeps a run of its reference, so that long n-grams match too."""
    rng = random.Random(seed)
    answers, references = [], []
    for _ in range(number):
        reference = text(rng, most) or "gut"
        words = reference.split()
        start = rng.randrange(len(words))
        answer = " ".join([text(rng, most // 2), *words[start : start + rng.randrange(12)], text(rng, most // 4)])
        answers.append(" ".join(answer.split()))
        references.append(reference)
    return answers, references
