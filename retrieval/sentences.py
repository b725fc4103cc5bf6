"""Text -> sentences, as character spans of the original text.

Only white space is ever a boundary, so the spans hold every other character by construction. The rules know the layout of
MedQuAD's answers (bullets ``    - text``, paragraphs divided by blank lines or long runs of spaces) and the full stops of
medical prose that end nothing: abbreviations, initials, enumerations.
"""

import re

from medqa.records import Span

# White space that could end a sentence: after closing punctuation, more than one character wide, a line end, or before a
# bullet. Everything else is the space between two words and is never looked at again.
_CANDIDATE = re.compile(r"\s{2,}|(?<=[.!?:;)\]\"'”’…])\s|[\n\r]|\s(?=[•‣▪●◦])")
_BULLET = re.compile(r"[•‣▪●◦]|[-–*]\s|\(?\d{1,2}[.)]\s")
_TERMINAL = re.compile(r"[.!?…]+[)\]\"'”’]*$")
_OPENING = re.compile(r"[\"'“‘(\[]*[A-Z0-9À-ÖØ-ÞΑ-Ω]")
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)]|[-–*•‣▪●◦]")
_LAST_WORD = re.compile(r"([^\s(\[\"'“‘]+)\.[)\]\"'”’]*$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEVER_LAST = _words(
    "dr mr mrs ms prof st vs e.g i.e eg ie cf approx fig figs no nos vol vols pp ca gen col sgt rev dept viz resp ave"
)
"""Abbreviations that a name, a number or the rest of the sentence follows."""
_BEFORE_NUMBER = _words("no nos fig figs vol vols pp ca")
"""Of those, the ones that are also words or ends when no number follows ("The answer is no.")."""
_SOMETIMES_LAST = _words("etc u.s u.k e.u a.m p.m inc ltd co corp jr sr m.d ph.d r.n d.o al b.c a.d")
"""Abbreviations that also end sentences: the next word decides."""
_LETTERED = _words(
    "vitamin vitamins hepatitis type types group groups class stage grade factor category influenza strain figure table "
    "appendix part phase subtype schedule protein complex and or immunoglobulin"
)
"""After these words a single capital is a label ("hepatitis B."), not the initial of a name ("J. Smith")."""
_STARTERS = _words(
    "the a an this that these those it its he she they we you in on at for if when while as after before since some most "
    "many other there however but and or to your people what how why who where is are do does can talk ask"
)
"""Words that, capitalised, almost always open a sentence."""

_LAYOUT_WIDTH = 4
"""Spaces in a row that stand for a lost line break in MedQuAD; two or three are only untidy typing."""
_SHORT_LINE = 50
"""Characters below which a line without a full stop is a heading or list item, not prose wrapped at some column."""


def split_sentences(text: str) -> list[Span]:
    """Spans of the sentences of ``text``: in order, disjoint, without outer white space; together they hold every
    character that is not white space."""
    spans: list[Span] = []
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    for gap in _CANDIDATE.finditer(text, start, end):
        left, right = gap.span()
        if left > start and _is_boundary(text, start, left, right):
            spans.append((start, left))
            start = right
    if start < end:
        spans.append((start, end))
    return spans


def _is_boundary(text: str, start: int, left: int, right: int) -> bool:
    """Whether the gap ``[left, right)`` ends the sentence that began at ``start``."""
    if _ENUMERATOR.fullmatch(text, start, left):
        return False  # "1." and "-" belong to what follows
    before = text[max(start, left - 40) : left]  # long enough for any abbreviation with the word before it
    gap = text[left:right]
    bullet = bool(_BULLET.match(text, right))
    if gap.count("\n") + gap.count("\r") - gap.count("\r\n") > 1 or (len(gap) >= _LAYOUT_WIDTH and "\n" not in gap):
        return True
    if "\n" in gap or "\r" in gap:
        return bullet or before[-1] in ".!?:;…" or left - _line_start(text, left) < _SHORT_LINE
    if bullet and text[right] in "•‣▪●◦":
        return True
    if bullet and text[right] in "-–*" and (before[-1] in ".!?:;" or len(gap) > 1):
        return True
    return _ends_sentence(before, text[right : right + 40])


def _line_start(text: str, position: int) -> int:
    return max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1


def _ends_sentence(before: str, after: str) -> bool:
    if not _TERMINAL.search(before) or not _OPENING.match(after):
        return False
    word = _LAST_WORD.search(before)
    if word is None or before.rstrip(")]\"'”’").endswith(("!", "?", "…", "..")):
        return True
    last = word.group(1).lower()
    next_word = re.split(r"\W", after.lstrip("\"'“‘(["), maxsplit=1)[0].lower()
    if last in _BEFORE_NUMBER:
        return not after[0].isdigit()
    if last in _NEVER_LAST:
        return False
    if last in _SOMETIMES_LAST:
        return next_word in _STARTERS
    if len(last) == 1 and last.isalpha() and word.group(1).isupper():
        return next_word in _STARTERS or _word_before(before, word.start()) in _LETTERED
    return True


def _word_before(text: str, position: int) -> str:
    words = text[:position].split()
    return words[-1].lower().strip("(),;:") if words else ""
