"""Settings of the corpus: cleaning, splits, passages."""

import re
from typing import Literal

from pydantic import Field, field_validator

from medqa.settings.base import Section


class IngestSettings(Section):
    """Reading and cleaning; every rule can be switched off or set."""

    columns: dict[str, str] = Field({})
    """Our column name -> the name in the file, e.g. ``{question: Frage}``."""
    unicode: bool = True
    """Unicode NFKC, mojibake mended, control and invisible characters removed."""
    markup: bool = True
    """HTML tags removed, entities resolved."""
    whitespace: bool = True
    """Runs of white space folded; paragraphs and list items of an answer on lines of their own."""
    lowercase: bool = False
    """Keep questions and answers in lower case; people read them, so the default keeps their case."""
    unwanted: str | None = None
    """Regular expression; what it matches is removed from questions and answers."""
    drop_placeholders: bool = True
    """``NaN``, ``n/a`` and the like count as missing; empty questions and answers always do."""
    drop_ambiguous: bool = True
    """Drop questions that do not say what they are about ("Why?", "What is it?")."""
    min_question_words: int = Field(2, ge=1)
    """Questions below this many words are dropped ("Asthma?"); 1 keeps all."""
    min_answer_words: int = Field(3, ge=1)
    """Answers below this many words are dropped; three keeps "It is inherited"; 1 keeps all."""
    drop_question_as_answer: bool = True
    """Drop rows whose answer only repeats the question."""
    drop_exact_duplicates: bool = True
    """Keep one row per question and answer, white space and case folded."""
    phi: Literal["none", "report", "mask", "drop"] = "report"
    """What is done with rows that look like personal data."""
    boilerplate: int = Field(5, ge=2)
    """Answers under at least this many questions are counted as boilerplate in the report; they are kept."""
    near_duplicate: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of word 3-shingles at or above which two questions-and-answers count as near-duplicates: at 0.8
    about one word in 27 may differ."""
    drop_near_duplicates: bool = False
    """Keep one row per near-duplicate set; otherwise they are kept, together, in one split."""
    semantic: float | None = Field(None, gt=0, le=1)
    """Cosine of the embedded question-and-answer at or above which two rows also count as near-duplicates; null does not
    embed anything. 0.95 finds rewordings of the same text."""

    @field_validator("unwanted")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"wanted a regular expression ({error})") from error
        return value


class SplitSettings(Section):
    """Train, validation, test."""

    by: Literal["topic", "cluster"] = "topic"
    """``topic`` closes groups under near-duplication and topic; ``cluster`` under near-duplication only."""
    synonyms: bool = True
    """Two topics that share a name or a synonym count as one topic."""
    two_sided: Literal["train", "drop"] = "train"
    """In an update: what becomes of a new row that is related to rows of two splits."""
    validation: float = Field(0.1, ge=0, lt=0.5)
    """Share of rows."""
    test: float = Field(0.1, ge=0, lt=0.5)
    """Share of rows."""


class PassageSettings(Section):
    """Cutting answers into passages."""

    header: str = "question+topic+synonyms"
    """What is embedded in front of a passage: parts joined by ``+``, of question, topic, synonyms; or ``none``."""
    max_tokens: int = Field(128, ge=16)
    """Longest passage text in the encoder's tokens (about 100 words): three fit a 2,048-token prompt with room to spare."""
