"""Factors by which effects are also given: for which questions does it help?"""

from collections.abc import Mapping
from typing import Any

from medqa.errors import MedqaError

FACTORS = ("question_type", "topic_frequency", "source", "length")

# Upper ends of the classes and their names. Topics: MedQuAD's median topic has 3 pairs; words: its quartiles are about
# 70, 140, 250.
_TOPICS = ((1, "1 pair of the topic"), (3, "2 or 3"), (8, "4 to 8"))
_WORDS = ((70, "up to 70 words"), (140, "71 to 140"), (250, "141 to 250"))


def level_of(row: Mapping[str, Any], factor: str) -> str:
    """The class of a row (``eval.rows``) under a factor of ``FACTORS``; ``not given`` where the data do not say.

    - ``question_type``, ``source``: as the corpus has them;
    - ``topic_frequency``: by the pairs of the corpus with the question's topic: well-trodden ground or not;
    - ``length``: by the words of the reference answer.

    Raises:
        MedqaError: no such factor.
    """
    if factor in ("question_type", "source"):
        return row.get(factor) or "not given"
    if factor == "topic_frequency":
        return _class(row["topic_rows"], _TOPICS, "more than 8") if row.get("topic_rows") else "not given"
    if factor == "length":
        return _class(len(row["reference"].split()), _WORDS, "more than 250")
    raise MedqaError(f"wanted a factor of {', '.join(FACTORS)}, found {factor!r}; choose one of them")


def _class(value: int, ends: tuple[tuple[int, str], ...], beyond: str) -> str:
    return next((name for end, name in ends if value <= end), beyond)
