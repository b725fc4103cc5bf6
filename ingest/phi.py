"""Screen for personal data (protected health information) in question/answer pairs: rule and span of every finding.

What counts
- ``e-mail``: any address, also as "jane [at] example dot com".
- ``phone``: North American numbers with separators, international ones (``+NN ...``, E.164); bare digits and local
  numbers after a label or "call me at".
- ``ssn``: ``AAA-GG-SSSS``, or nine digits with any separators after a label.
- ``mrn``: medical record, patient, insurance and member numbers, after their label.
- ``birth date``: a full date after "DOB", "date of birth", "born (on)", "birthday".
- ``name``: with a title ("Mr. John Smith", "Dr. Patel"), after an introduction ("My name is", "I am Jane Doe", "my son
  Tommy"), in a salutation or a signature; **only in letters**, except after the label "Patient name:".
- ``address``: house number, street and what follows; **only in letters**.

A text is a letter if it opens with a salutation to someone, closes with "Sincerely" or the like and a name, or speaks as a
person: outside quotation marks it says "I", "my", "me" at least once in 500 characters and at least half as often as "you".
Not counted as "I": numerals ("type I", "MPS I"), questions of a checklist ("Should I ...?"), headings ("What I need to know",
"Questions to Ask My Doctor").

What is deliberately not found
- Role mailboxes (info@, contact@, ...support@), mailboxes named after their .org, and those of .gov, .mil and .int that do not
  read first.last; at consumer providers such as gmail.com every mailbox is personal.
- Toll-free numbers (800, 888, 877, 866, 855, 844, 833, 822, +NN 800). Numbers beside the name, web address or hours of an
  institution (in a letter: in the same sentence), unless words say whose number it is ("my", "me", "cell phone").
- Numbers without a label that are no phone or SSN by shape: ids of trials, articles and genes, codes, doses, postal codes;
  ten digits in a row or parted by blanks only.
- SSNs of areas, groups and serials that are never issued. Parts of numbers ("last four digits").
- Dates of admission and other events, years alone, birthdays without a year, births before 1900, "born on or after".
- Names in articles ("As Dr. James Cheek says ..."), of diseases ("Dr. Down's syndrome"), without any of the marks above, in
  other scripts than Latin; names in lower-cased text, except after "my name is": screen before lower-casing.

The screen is a net for a person's review, not de-identification in the sense of HIPAA's Safe Harbor (45 CFR 164.514(b)(2)).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.phi_names import addresses, is_letter, names
from ingest.phi_rules import birth_dates, emails, has_long_number, phones, record_numbers, social_security_numbers
from medqa.records import Span

_FINDERS: Mapping[str, Callable[[str, bool], Iterator[Span]]] = {
    "e-mail": emails,
    "ssn": social_security_numbers,
    "mrn": record_numbers,
    "birth date": birth_dates,
    "phone": phones,
    "address": addresses,
    "name": names,
}
_WITH_LONG_NUMBERS = ("ssn", "mrn", "phone")
RULES: tuple[str, ...] = tuple(_FINDERS)
"""Names of the rules, in order of precedence: where two overlap, the earlier one names the span."""

_Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What looks like personal data: ``text[start:end]`` of the field, half-open, in characters of the cleaned text."""

    field: str
    """``question`` or ``answer``."""
    rule: str
    start: int
    end: int


def find_personal_data(question: str, answer: str) -> list[Finding]:
    """What looks like personal data in a cleaned pair: spans that do not overlap, the question's first, in text order.

    The screen of the masked text finds nothing: what masking would bring to light (it shortens a text, and so may turn it
    into a letter) is found here already. Takes time linear in the length of the text.
    """
    return [
        Finding(field, rule, start, end)
        for field, text in (("question", question), ("answer", answer))
        for start, end, rule in _screen(text)
    ]


def mask(text: str, findings: Sequence[Finding]) -> str:
    """``text`` with each span replaced by its rule in brackets, as in ``[e-mail]``; ``findings`` are those of this text."""
    return _mask(text, [(f.start, f.end, f.rule) for f in sorted(findings, key=lambda f: f.start)])


def _screen(text: str) -> list[_Span]:
    spans: list[_Span] = []
    while new := _find(_mask(text, spans)):
        spans = _merged(spans, new)
    return spans


def _find(text: str) -> list[_Span]:
    """Spans in text order, of one look at ``text``."""
    numbered, letter = has_long_number(text), is_letter(text)
    taken = bytearray(len(text))
    found: list[_Span] = []
    for rule, find in _FINDERS.items():
        for start, end in find(text, letter) if numbered or rule not in _WITH_LONG_NUMBERS else ():
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, end, rule))
    return sorted(found)


def _mask(text: str, spans: Sequence[_Span]) -> str:
    parts, last = [], 0
    for start, end, rule in spans:
        parts += [text[last:start], f"[{rule}]"]
        last = end
    return "".join([*parts, text[last:]])


def _merged(spans: Sequence[_Span], new: Sequence[_Span]) -> list[_Span]:
    """``spans`` of a text, and ``new`` ones of its masked form, as spans of the text.

    No pattern matches the brackets of a mask or what stands in them, so that the new ones lie between the masks.
    """
    merged: list[_Span] = []
    shift, old = 0, list(reversed(spans))  # shift: characters that the masks so far took away
    for start, end, rule in new:
        while old and old[-1][0] - shift < start:
            merged.append(old.pop())
            first, last, name = merged[-1]
            shift += last - first - len(f"[{name}]")
        merged.append((start + shift, end + shift, rule))
    return merged + old[::-1]
