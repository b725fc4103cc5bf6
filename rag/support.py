"""Does a passage bear a sentence out? Lexical checks that cost microseconds and can be read by a person.

A sentence counts as supported when enough of its content words stand in the passage, every number in it stands there, and
its best-matching passage sentence does not differ from it in negation. The checks are blunt (they know no paraphrase), but
they err to the safe side: what fails is marked, not hidden.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medqa.records import Passage, Span

_WORD = re.compile(r"[a-z][a-z0-9'’-]*[a-z0-9]|[a-z]", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATION = re.compile(r"\b(?:no|not|never|none|without|cannot|neither|nor)\b|n['’]t\b", re.IGNORECASE)

# Function words carry no claim; counting them would let any English sentence look half supported.
_STOP = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "down",
        "during",
        "each",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


@dataclass(frozen=True, slots=True)
class Support:
    """Verdict on one sentence against one passage."""

    supported: bool
    why: str
    span: Span | None
    """The best-matching sentence of the passage; None where no content word is shared."""


def content_words(text: str) -> list[str]:
    """Lower-cased words that carry a claim, with a plural ``s`` taken off so that number does not matter."""
    words = (w.lower().replace("’", "'") for w in _WORD.findall(text))
    return [_singular(w) for w in words if w not in _STOP and not _NEGATION.search(w)]


def numbers(text: str) -> set[str]:
    """Numbers as written, thousands commas removed: ``"1,000 mg or 0.5 g"`` -> ``{"1000", "0.5"}``."""
    return {re.sub(r",(?=\d{3}\b)", "", n).rstrip(".,") for n in _NUMBER.findall(text)}


def check_support(sentence: str, passage: Passage, minimum: float) -> Support:
    """Whether ``passage`` bears ``sentence`` out; ``minimum`` is the share of content words that must stand in it.

    The passage's title counts as part of it: answers name the topic where the passage says "it".
    """
    words = content_words(sentence)
    if not words:
        return Support(False, "the sentence has no content words", None)
    span = best_sentence(words, passage)
    whole = f"{passage.title} {passage.text}"
    missing_numbers = sorted(numbers(sentence) - numbers(whole))
    if missing_numbers:
        return Support(False, f"not in the passage: {', '.join(missing_numbers)}", span)
    there = set(content_words(whole))
    missing = [w for w in words if w not in there]
    share = 1 - len(missing) / len(words)
    if share < minimum:
        named = ", ".join(dict.fromkeys(missing[:4]))
        return Support(False, f"only {share:.0%} of its words stand in the passage (not: {named})", span)
    if span and bool(_NEGATION.search(sentence)) != bool(_NEGATION.search(passage.text[slice(*span)])):
        return Support(False, "one of the two says 'not', the other does not", span)
    return Support(True, f"{share:.0%} of its words stand in the passage", span)


def best_sentence(words: Sequence[str], passage: Passage) -> Span | None:
    """Span of the passage sentence that shares most of ``words``; the first among equals; None where none is shared."""
    wanted = set(words)
    scored = [
        (len(wanted & set(content_words(passage.text[s:e]))), -n, (s, e)) for n, (s, e) in enumerate(passage.sentences)
    ]
    shared, _, span = max(scored, default=(0, 0, None))
    return span if shared else None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
