"""Cleaning rules, one small function each: keep, or a reason to drop. All can be switched off or set in the configuration."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from ingest.text import fold, iterate_words, same_key, words

UNREADABLE = "unreadable row"
NOT_PUBLISHED = "published without an answer"
MISSING_QUESTION = "missing question"
MISSING_ANSWER = "missing answer"
AMBIGUOUS_QUESTION = "ambiguous question"
SHORT_QUESTION = "question too short"
SHORT_ANSWER = "answer too short"
QUESTION_IS_ANSWER = "question identical to answer"
PERSONAL_DATA = "personal data"
EXACT_DUPLICATE = "exact duplicate"
NEAR_DUPLICATE = "near-duplicate"
REPLACED = "replaced by a newer version"
REMOVED = "removed: no longer in the source"
JOINS_TWO_SIDES = "related to two splits"
REASONS = (
    UNREADABLE, NOT_PUBLISHED, MISSING_QUESTION, MISSING_ANSWER, AMBIGUOUS_QUESTION, SHORT_QUESTION, SHORT_ANSWER,
    QUESTION_IS_ANSWER, PERSONAL_DATA, EXACT_DUPLICATE, NEAR_DUPLICATE, REPLACED, REMOVED, JOINS_TWO_SIDES,
)  # fmt: skip

# What tables write for "nothing": pandas, R, SQL and spreadsheets.
_PLACEHOLDERS = frozenset({"-", "--", "?", "n/a", "#n/a", "na", "nan", "<na>", "nil", "none", "null", "tbd", "todo"})
# A question made of these words alone does not say what it is about: "Why?", "What is it?", "How is this treated?",
# "What are the symptoms?". One word from outside the list, as in "Is cancer inherited?", is enough.
_WITHOUT_TOPIC = frozenset(
    words(
        "a about all an and any are be been being but by can cause caused causes could cure cured danger dangerous "
        "did do does diagnose diagnosed diagnosis else ever for from get had happen happened happens has have having "
        "he help her him his how i if in inherited into is it its know long may me mean means might more my normal of "
        "on one or prevent prevented prevention serious she should sign signs so some something symptom symptoms tell "
        "than that the their them then there these they thing things this those to too treat treated treatment "
        "treatments us was we were what when where which who whom whose why will with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a row is cleaned; the names and defaults of ``ingest`` in the settings."""

    unicode: bool = True
    """NFKC, mojibake mended, control and invisible characters removed."""
    markup: bool = True
    """HTML tags removed, entities resolved."""
    whitespace: bool = True
    """Runs of white space folded; paragraphs and list items on lines of their own."""
    lowercase: bool = False
    unwanted: re.Pattern[str] | None = None
    """Matches are removed from question and answer."""
    drop_placeholders: bool = True
    drop_ambiguous: bool = True
    min_question_words: int = 2
    min_answer_words: int = 3
    drop_question_as_answer: bool = True


Rule = Callable[[str, str, Rules], tuple[str, str] | None]
"""Cleaned question and answer -> ``(reason, detail)`` to drop the row, None to keep it."""


def missing_question(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop what has no question, or a placeholder such as ``NaN`` for one."""
    return (MISSING_QUESTION, question) if is_missing(question, rules.drop_placeholders) else None


def missing_answer(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop what has no answer, or a placeholder such as ``n/a`` for one."""
    return (MISSING_ANSWER, answer) if is_missing(answer, rules.drop_placeholders) else None


def ambiguous_question(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop questions that do not say what they are about."""
    drop = rules.drop_ambiguous and is_ambiguous(question)
    return (AMBIGUOUS_QUESTION, "no word says what it is about") if drop else None


def short_question(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop questions below ``min_question_words``; 1 keeps all."""
    found = len(question.split())
    return (
        (SHORT_QUESTION, f"wanted {rules.min_question_words} words, found {found}")
        if found < rules.min_question_words
        else None
    )


def question_as_answer(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop rows whose answer only repeats the question."""
    if not rules.drop_question_as_answer:
        return None
    asked = words(question)
    said = list(islice(iterate_words(answer), len(asked) + 1))  # one more than asked is enough to tell
    same = said == asked if asked else same_key(question) == same_key(answer)
    return (QUESTION_IS_ANSWER, "") if same else None


def short_answer(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """Drop answers below ``min_answer_words``; 1 keeps all."""
    found = len(answer.split(maxsplit=rules.min_answer_words))
    return (
        (SHORT_ANSWER, f"wanted {rules.min_answer_words} words, found {found}")
        if found < rules.min_answer_words
        else None
    )


RULES: tuple[Rule, ...] = (
    missing_question,
    missing_answer,
    ambiguous_question,
    short_question,
    question_as_answer,
    short_answer,
)
"""In the order in which they are asked; the first reason counts."""


def find_problem(question: str, answer: str, rules: Rules) -> tuple[str, str] | None:
    """``(reason, detail)`` of the first rule that a cleaned question and answer break; None if they keep all."""
    return next((found for rule in RULES if (found := rule(question, answer, rules))), None)


def is_missing(text: str, placeholders: bool) -> bool:
    """Empty, or with ``placeholders`` something such as ``NaN`` or ``n/a``."""
    return not text.strip() or (placeholders and len(text) < 10 and fold(text) in _PLACEHOLDERS)


def is_ambiguous(question: str) -> bool:
    """True if no word of ``question`` says what it is about ("Why?", "What is it?", "What are the symptoms?")."""
    return _WITHOUT_TOPIC.issuperset(words(question))
