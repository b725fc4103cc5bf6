"""What can be asked about a sentence of prose, judged by its shape."""

import re

_DETERMINER = r"(?:The |A |An |Most |Many |Some )?"
_NAME = r"([A-Za-z][\w’'-]*(?: [\w’'-]+){0,5}?)"
_SIGNS = r"(?:common |early )?(?:(?:signs and )?[Ss]ymptoms|Clinical manifestations)"
_OFTEN = r"(?: (?:usually|often|commonly|typically|generally|also))?"
_ASPECT_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"^{_DETERMINER}{_SIGNS} of {_NAME} (?:include|are|may|can)\b"), "symptom"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are){_OFTEN} caused by\b"), "cause"),
    (re.compile(rf"^(?:The )?[Cc]auses? of {_NAME} (?:include|is|are)\b"), "cause"),
    (re.compile(rf"^(?:The )?[Tt]reatments? (?:of|for) {_NAME} (?:include|is|are|may|can|involve)"), "treatment"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are|can be|may be){_OFTEN} treated\b"), "treatment"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are|can be|may be){_OFTEN} diagnosed\b"), "diagnosis"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are|can be|may be){_OFTEN} (?:transmitted|spread)\b"), "spread"),
    (re.compile(rf"^(?:The )?[Rr]isk factors (?:of|for) {_NAME} (?:include|are)\b"), "risk"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are) (?:used|prescribed) (?:to|for)\b"), "use"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:works?|acts?) by\b"), "mechanism"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:is|are) (?:an?|the|one of|any|defined as|known as)\b"), "definition"),
    (re.compile(rf"^{_DETERMINER}{_NAME} (?:refers? to|occurs? when|consists? of|means)\b"), "definition"),
)  # fmt: skip
_NO_NAME = frozenset(
    (
        "it", "this", "that", "these", "those", "they", "he", "she", "there", "we", "you", "which", "such", "one",
        "here", "what", "his", "her", "its", "their",
    )
)  # fmt: skip


def lower_term(term: str) -> str:
    """``term`` as it stands inside a sentence: a small first letter, unless it may be a name."""
    return term[0].lower() + term[1:] if len(term) > 1 and term[1].islower() and " " in term else term


def match_aspect(sentence: str) -> tuple[str, str] | None:
    """(name, aspect) if ``sentence`` visibly tells an aspect of something it names."""
    for pattern, aspect in _ASPECT_PATTERNS:
        if (m := pattern.match(sentence)) and m.group(1).split()[0].lower() not in _NO_NAME:
            return m.group(1), aspect
    return None


_MODAL = re.compile(r"^((?:\S+ ){1,6}?)(can|may|must|should|will|could|might) (\w+)((?: [\w’'-]+){0,4})")
_COPULA = re.compile(r"^((?:\S+ ){1,6}?)(is|are|was|were) ((?:[\w’'-]+ ?){1,5})")
_YEAR = re.compile(r"^(In (?:the )?(?:\w+ )?\d{4}s?), ")
_BECAUSE = re.compile(r"^(.{15,90}?),? because ")
_SUBJECT = re.compile(r"^((?:[A-Z]\S+ )(?:\S+ ){0,3}?)(\w+(?:ed|es|s)) ((?:[\w’'-]+ ?){2,6})")


def span_questions(sentence: str) -> list[str]:
    """Questions made by leaving out a part of ``sentence``; none if it has no shape that we know."""
    out = []
    first = sentence.split()[0].lower()
    if first in _NO_NAME:
        return []
    if m := _MODAL.match(sentence):
        subject, modal, verb, rest = m.group(1).strip(), m.group(2), m.group(3), m.group(4)
        out += [f"What {modal} {lower_term(subject)} {verb}?", f"How {modal} {lower_term(subject)} {verb}{rest}?"]
        out += [f"Who or what {modal} {verb}{rest}?"]
    if m := _COPULA.match(sentence):
        subject, verb, rest = m.group(1).strip(), m.group(2), m.group(3).strip()
        out += [
            f"What {verb} {lower_term(subject)}?",
            f"What {verb} {rest}?",
            f"{verb.capitalize()} {lower_term(subject)} {rest}?",
        ]
    if m := _YEAR.match(sentence):
        out += [f"What happened {m.group(1)[0].lower()}{m.group(1)[1:]}?"]
    if m := _BECAUSE.match(sentence):
        out += [f"Why is it that {lower_term(m.group(1))}?", f"For what reason {lower_term(m.group(1))}?"]
    if m := _SUBJECT.match(sentence):
        out += [f"Who or what {m.group(2)} {m.group(3).strip()}?", f"What {m.group(2)} {m.group(3).strip()}?"]
    return out
