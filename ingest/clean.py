"""Cleaning rules: a raw row becomes a pair, or is dropped for a stated reason. Nothing vanishes without one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ingest.corpus import split_synonyms
from ingest.raw import RawRow
from ingest.text import clean_answer, clean_question, fold, same_key, words
from medqa.records import QAPair

UNREADABLE = "unreadable row"
NOT_PUBLISHED = "published without an answer"
MISSING_QUESTION = "missing question"
MISSING_ANSWER = "missing answer"
AMBIGUOUS_QUESTION = "ambiguous question"
SHORT_QUESTION = "question too short"
SHORT_ANSWER = "answer too short"
QUESTION_IS_ANSWER = "question identical to answer"
EXACT_DUPLICATE = "exact duplicate"
NEAR_DUPLICATE = "near-duplicate"
REASONS = (
    UNREADABLE, NOT_PUBLISHED, MISSING_QUESTION, MISSING_ANSWER, AMBIGUOUS_QUESTION, SHORT_QUESTION, SHORT_ANSWER,
    QUESTION_IS_ANSWER, EXACT_DUPLICATE, NEAR_DUPLICATE,
)  # fmt: skip

# What tables write for "nothing": pandas, R, SQL and spreadsheets.
_PLACEHOLDERS = frozenset(
    {"", "-", "--", "?", "n/a", "#n/a", "na", "nan", "<na>", "nil", "none", "null", "tbd", "todo"}
)
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

_ID_DIGITS = 16  # 64 bits: among a million rows two share an id with a probability of 3e-8
_SHOWN = 120  # characters of question and answer shown of a dropped row


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A cleaned pair and where it came from."""

    pair: QAPair
    file: str
    row: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A row that is not in the corpus, and why."""

    file: str
    row: int
    reason: str
    """One of ``REASONS``."""
    detail: str = ""
    """The evidence: what was found, or which row it repeats."""
    question: str = ""
    answer: str = ""
    """How question and answer began."""


def clean_row(raw: RawRow, min_question_words: int, min_answer_words: int) -> CleanRow | Drop:
    """The cleaned pair, with the id as the data brought it (perhaps empty), or the first rule that the row breaks."""
    if raw.problem:
        return Drop(raw.file, raw.row, UNREADABLE, raw.problem)
    text = {name: clean_question(value) for name, value in raw.fields.items()}
    question = text.get("question", "")
    answer = clean_answer(raw.fields.get("answer", ""))
    problem = (
        (NOT_PUBLISHED, "") if raw.unanswered else find_problem(question, answer, min_question_words, min_answer_words)
    )
    if problem:
        return Drop(raw.file, raw.row, *problem, question[:_SHOWN], " ".join(answer[:_SHOWN].split()))
    pair = QAPair(
        id=text.get("id", ""),
        question=question,
        answer=answer,
        source=text.get("source") or raw.file,
        url=text.get("url", ""),
        topic=text.get("topic", ""),
        question_type=text.get("question_type", "").lower(),
        synonyms=tuple(dict.fromkeys(split_synonyms(text.get("synonyms", "")))),
    )
    return CleanRow(pair, raw.file, raw.row)


def find_problem(question: str, answer: str, min_question_words: int, min_answer_words: int) -> tuple[str, str] | None:
    """``(reason, detail)`` of the first rule that a cleaned question and answer break; None if they keep all."""
    if is_missing(question):
        return MISSING_QUESTION, question
    if is_missing(answer):
        return MISSING_ANSWER, answer
    if is_ambiguous(question):
        return AMBIGUOUS_QUESTION, "no word says what it is about"
    if (found := len(question.split())) < min_question_words:
        return SHORT_QUESTION, f"wanted {min_question_words} words, found {found}"
    if same_key(question) == same_key(answer):
        return QUESTION_IS_ANSWER, ""
    if (found := len(answer.split())) < min_answer_words:
        return SHORT_ANSWER, f"wanted {min_answer_words} words, found {found}"
    return None


def is_missing(text: str) -> bool:
    """Empty, or a placeholder such as ``NaN`` or ``n/a``."""
    return fold(text) in _PLACEHOLDERS


def is_ambiguous(question: str) -> bool:
    """True if no word of ``question`` says what it is about ("Why?", "What is it?", "What are the symptoms?")."""
    return _WITHOUT_TOPIC.issuperset(words(question))


def drop_exact_duplicates(rows: Iterable[CleanRow]) -> tuple[list[CleanRow], list[Drop]]:
    """One row per question and answer, white space and case folded.

    Kept is the row with most of the other fields filled, then of the input given first, then one in ordinary case, then
    by content: the order of rows within a file has no say.
    """
    files: dict[str, int] = {}
    best: dict[str, CleanRow] = {}
    others: dict[str, list[CleanRow]] = {}
    for row in rows:
        key = pair_hash(row.pair)
        files.setdefault(row.file, len(files))
        if key not in best:
            best[key] = row
            continue
        first, second = sorted((best[key], row), key=lambda r: (-_filled(r.pair), files[r.file], *_content(r.pair)))
        best[key] = first
        others.setdefault(key, []).append(second)
    drops = [duplicate_of(best[key], row, EXACT_DUPLICATE) for key, repeated in others.items() for row in repeated]
    return list(best.values()), drops


def duplicate_of(kept: CleanRow, row: CleanRow, reason: str) -> Drop:
    """The drop of ``row`` because ``kept`` already says it."""
    pair = row.pair
    shown = " ".join(pair.answer[:_SHOWN].split())
    return Drop(row.file, row.row, reason, f"of {kept.file} row {kept.row}", pair.question[:_SHOWN], shown)


def with_ids(rows: Sequence[CleanRow]) -> tuple[list[CleanRow], bool]:
    """Rows with their final ids, and whether those are the data's own.

    The data's ids count if every row has one and none repeats; otherwise every id is a hash of question and answer.
    """
    counts = Counter(row.pair.id for row in rows)
    own = "" not in counts and len(counts) == len(rows)
    if own:
        return list(rows), True
    return [replace(row, pair=replace(row.pair, id=pair_hash(row.pair))) for row in rows], False


def pair_hash(pair: QAPair) -> str:
    """Hash of question and answer, white space and case folded: independent of file, row and machine."""
    text = f"{fold(pair.question)}\0{fold(pair.answer)}"
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def _filled(pair: QAPair) -> int:
    return sum(map(bool, (pair.id, pair.source, pair.url, pair.topic, pair.question_type, pair.synonyms)))


def _content(pair: QAPair) -> tuple[int, tuple[str, ...]]:
    texts = (pair.question, pair.answer)
    in_one_case = sum(text.isupper() or text.islower() for text in texts)
    return in_one_case, (*texts, pair.id, pair.source, pair.url, pair.topic, pair.question_type, *pair.synonyms)
