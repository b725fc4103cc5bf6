"""Raw rows become cleaned rows or drops: every row read is one or the other. Exact duplicates and ids are settled here."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ingest.corpus import split_synonyms
from ingest.raw import RawRow
from ingest.rules import EXACT_DUPLICATE, NOT_PUBLISHED, UNREADABLE, Rules, find_problem
from ingest.spool import Spool
from ingest.text import clean_question, clean_text, fold, tidy_line, tidy_paragraphs
from medqa.records import QAPair

_ID_DIGITS = 16  # 64 bits: among a million rows two share an id with a probability of 3e-8
_SHOWN = 120  # characters of question and answer shown of a dropped row


@dataclass(frozen=True, slots=True)
class CleanRow:
    """A cleaned pair and where it came from."""

    pair: QAPair
    file: str
    row: int


Packed = tuple[Any, ...]


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


class Rows:
    """Cleaned rows with their final ids, in the order of these; read from disk when asked for."""

    def __init__(self, spool: Spool[Packed], numbers: np.ndarray, ids: Sequence[str]) -> None:
        self._spool = spool
        self._numbers = numbers
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> CleanRow:
        file, row, _, *fields = self._spool[int(self._numbers[i])]
        return CleanRow(QAPair(self.ids[i], *fields), file, row)

    def __iter__(self) -> Iterator[CleanRow]:
        return (self[i] for i in range(len(self)))

    def subset(self, places: Sequence[int]) -> "Rows":
        """The rows at ``places``, in that order."""
        return Rows(self._spool, self._numbers[np.asarray(places, np.int64)], [self.ids[i] for i in places])


def pack(row: CleanRow) -> Packed:
    """``row`` as it lies on a spool: a plain tuple is written and read three times as fast as the records."""
    p = row.pair
    return (
        row.file, row.row,
        p.id, p.question, p.answer, p.source, p.url, p.topic, p.question_type, p.synonyms, p.split, p.cluster,
    )  # fmt: skip


def unpack(packed: Packed) -> CleanRow:
    """What ``pack`` packed."""
    file, row, *fields = packed
    return CleanRow(QAPair(*fields), file, row)


def clean_row(raw: RawRow, rules: Rules) -> CleanRow | Drop:
    """The cleaned pair, with the id as the data brought it (perhaps empty), or the first rule that the row breaks."""
    if raw.problem:
        return Drop(raw.file, raw.row, UNREADABLE, raw.problem)
    question, answer = clean_texts(raw.fields.get("question", ""), raw.fields.get("answer", ""), rules)
    problem = (NOT_PUBLISHED, "") if raw.unanswered else find_problem(question, answer, rules)
    if problem:
        return Drop(raw.file, raw.row, *problem, *shown(question, answer))
    text = {n: clean_question(v) for n, v in raw.fields.items() if n not in ("question", "answer")}
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


def restyle_row(row: CleanRow, rules: Rules) -> CleanRow | Drop:
    """The row in lower case and without unwanted characters, as far as ``rules`` ask for it; the rest may be too little.

    Apart from ``clean_row``, because names are told by their capitals, and have to be looked for in between.
    """
    if not (rules.lowercase or rules.unwanted):
        return row
    question, answer = row.pair.question, row.pair.answer
    if rules.lowercase:
        question, answer = question.lower(), answer.lower()
    if rules.unwanted:
        question, answer = rules.unwanted.sub("", question), rules.unwanted.sub("", answer)
    if rules.whitespace:
        question, answer = tidy_line(question), tidy_paragraphs(answer)
    problem = find_problem(question, answer, rules)
    if problem:
        return Drop(row.file, row.row, *problem, *shown(question, answer))
    return replace(row, pair=replace(row.pair, question=question, answer=answer))


def clean_texts(question: str, answer: str, rules: Rules) -> tuple[str, str]:
    """Question and answer normalised."""
    question, answer = (clean_text(text, rules.unicode, rules.markup) for text in (question, answer))
    if rules.whitespace:
        return tidy_line(question), tidy_paragraphs(answer)
    return question.strip(), answer.strip()


def shown(question: str, answer: str) -> tuple[str, str]:
    """How a dropped row's question and answer begin, each on one line."""
    return " ".join(question[:_SHOWN].split()), " ".join(answer[:_SHOWN].split())


class Deduplicator:
    """Finds exact duplicates (white space and case folded) among rows as they come, keeping one row of each kind.

    Kept is the row with most of the other fields filled, then of the input given first, then one in ordinary case, then
    by content: the order of rows within a file has no say.
    """

    def __init__(self, spool: Spool[Packed]) -> None:
        self._spool = spool
        self._files: dict[str, int] = {}
        self._best: dict[int, int] = {}  # hash of question and answer -> number of the best row so far
        self._others: dict[int, list[int]] = {}

    def add(self, number: int, row: CleanRow) -> None:
        """Take up the row that the spool holds under ``number``."""
        self._files.setdefault(row.file, len(self._files))
        key = int(pair_hash(row.pair), 16)
        best = self._best.setdefault(key, number)
        if best != number:
            worse = max((best, number), key=lambda n: self._rank(unpack(self._spool[n])))
            self._best[key] = number if worse == best else best
            self._others.setdefault(key, []).append(worse)

    def kept(self) -> np.ndarray:
        """Numbers of the rows kept."""
        return np.fromiter(self._best.values(), np.int64, len(self._best))

    def drops(self) -> Iterator[Drop]:
        """One drop for each of the other rows."""
        for key, numbers in self._others.items():
            best = unpack(self._spool[self._best[key]])
            yield from (duplicate_of(best, unpack(self._spool[number]), EXACT_DUPLICATE) for number in numbers)

    def _rank(self, row: CleanRow) -> tuple[object, ...]:
        return (-_filled(row.pair), self._files[row.file], *_content(row.pair), row.row)


def duplicate_of(kept: CleanRow, row: CleanRow, reason: str) -> Drop:
    """The drop of ``row`` because ``kept`` already says it."""
    detail = f"of {kept.file} row {kept.row}"
    return Drop(row.file, row.row, reason, detail, *shown(row.pair.question, row.pair.answer))


def with_ids(spool: Spool[Packed], numbers: np.ndarray, may_own: bool) -> tuple[Rows, bool]:
    """The rows of ``spool`` under ``numbers`` with their final ids, and whether those are the data's own.

    The data's ids count if ``may_own``, every row has one and none repeats; otherwise every id is a hash of question and
    answer.
    """
    own: list[str] = []
    hashes: list[str] = []
    for number in numbers.tolist():
        pair = unpack(spool[number]).pair
        own.append(pair.id)
        hashes.append(pair_hash(pair))
    are_own = may_own and "" not in own and len(set(own)) == len(own)
    ids = own if are_own else _distinct(hashes, spool, numbers)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return Rows(spool, numbers[order], [ids[i] for i in order]), are_own


def _distinct(hashes: list[str], spool: Spool[Packed], numbers: np.ndarray) -> list[str]:
    """``hashes``, those of repeated rows (kept on demand) numbered ``-2``, ``-3`` ... in the order of their content."""
    counts = Counter(hashes)
    repeated = [i for i, value in enumerate(hashes) if counts[value] > 1]
    rows = {i: unpack(spool[int(numbers[i])]) for i in repeated}
    seen: Counter[str] = Counter()
    for i in sorted(repeated, key=lambda i: (*_content(rows[i].pair), rows[i].file, rows[i].row)):
        seen[hashes[i]] += 1
        if (nth := seen[hashes[i]]) > 1:
            hashes[i] = f"{hashes[i]}-{nth}"
    return hashes


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
