"""Personal data that has a shape of its own: one function per rule, from a text to half-open spans.

Every repetition is bounded and no two neighbours can match the same character without end, so the work grows linearly with
the text, whatever it holds. Cheap tests in front spare most texts the patterns. ``ingest.phi`` says what counts.
"""

import re
from collections.abc import Iterator, Mapping

from medqa.records import Span

# "1234", "1EG4", "123-4" or "06 12 3": doses, ages and counts are none of these.
_LONG_NUMBER = re.compile(r"[0-9](?:\w\w[\s-]?[0-9]|[0-9]\W{1,3}[0-9]{2}\W{1,3}[0-9])")


def has_long_number(text: str) -> bool:
    """Whether ``text`` holds what every phone, social security and record number holds: four digits close by."""
    return _LONG_NUMBER.search(text) is not None


# --- e-mail ---------------------------------------------------------------------------------------------------------
# At most 64 characters before the @ and 63 per label of the domain (RFC 5321, RFC 1035).
_EMAIL = re.compile(r"(?<![\w.%+-])(\w[\w.%+'’-]{0,63})@((?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24})(?![\w@])")
_AT = r"(?:\s?[\[({<]\s?at\s?[\])}>]\s?|\sat\s)"
_DOT = r"(?:\s?[\[({<]\s?dot\s?[\])}>]\s?|\sdot\s)"
_SPELLED_EMAIL = re.compile(
    rf"(?<![\w.+-])\w[\w.+-]{{0,63}}(?:{_DOT}[\w-]{{1,30}})?{_AT}[\w-]{{1,63}}"
    rf"(?:(?:{_DOT}|(?<=[\w-])\.)[\w-]{{2,30}}){{1,4}}(?![\w@])",
    re.IGNORECASE,
)
_ROLE_WORDS = """
    accessibility admin administration appointment appointments ask billing care clearinghouse clinic compliance
    contact contactus customerservice desk donate donotreply editor education enquiries enquiry feedback general
    help helpdesk helpline hotline hr info infocenter information inquiries inquiry jobs legal library mail mailbox
    marketing media membership news newsletter noreply office orders postmaster press privacy program public
    publications questions reception recruitment referral referrals registrar registry reply research secretary
    service services staff studies study subscribe support team trials volunteer webmail webmaster
"""
_ROLES = frozenset(_ROLE_WORDS.split())
_ENDS_IN_ROLE = re.compile(
    r"(?:info|contact|support|staff|services?|office|registry|questions|center|foundation|hotline|helpline|trials|team)$"
)
# Mailboxes at consumer providers belong to people, whatever they are called.
_CONSUMER = re.compile(
    r"(?:gmail|googlemail|yahoo|ymail|hotmail|outlook|live|msn|aol|icloud|me|mac|proton(?:mail)?|pm|gmx|web|mail|zoho|"
    r"comcast|verizon|att|sbcglobal|bellsouth|btinternet|qq|163|126|yandex|rediffmail)\.[a-z.]{2,6}"
)


def emails(text: str, letter: bool) -> Iterator[Span]:
    """Addresses of people."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not _institutional_mailbox(match[1].lower(), match[2].lower()):
                yield match.span()
    folded = text.lower()
    if any(sign in folded for sign in (" dot ", "dot]", "dot)", "at]", "at)")):
        for match in _SPELLED_EMAIL.finditer(text):
            yield match.span()


def _institutional_mailbox(local: str, domain: str) -> bool:
    if _CONSUMER.fullmatch(domain):
        return False
    parts = [part for part in re.split(r"[\W\d_]+", local) if part]
    if any(part in _ROLES or _ENDS_IN_ROLE.search(part) for part in parts):
        return True
    labels = domain.split(".")
    if labels[-1] in ("gov", "mil", "int") or "gov" in labels[:-1]:
        # jane.doe@nih.gov is a person, adear@nia.nih.gov none.
        return sum(len(part) > 1 for part in parts) < 2
    # resnaTA@resna.org: named after its organisation.
    return labels[-1] == "org" and len(labels[-2]) > 2 and labels[-2] in local


# --- phone ----------------------------------------------------------------------------------------------------------
_DASH = r"[-‐‑–]"
_EXTENSION = r"(?:,?\s?(?:x|ext\.?|extension)\s?\d{1,6}(?!\d))?"
_NORTH_AMERICAN = re.compile(
    rf"(?P<number>(?<![\w+])(?<!\d[-.‐‑–/])(?:\+?1(?:{_DASH}|[. ])?\s?)?"
    rf"(?:\(\d{{3}}\)(?:{_DASH}|[. ]){{0,2}}\d{{3}}(?:\s{_DASH}\s|{_DASH}|[. ])"
    rf"|\d{{3}}(?:\s?{_DASH}\s?|[./])\d{{3}}(?:\s?{_DASH}\s?|[. ]))\d{{4}}(?!\d|[-.]\d){_EXTENSION})"
)
# E.164: a country code and at most 15 digits in all; the digits are counted below.
_INTERNATIONAL = re.compile(
    rf"(?P<number>(?<![\w+])(?:\+|00)[1-9]\d{{0,2}}[-.‐‑– ]?(?:\(\d{{1,4}}\)\s?)?(?:\d[-. ])?\d{{2,12}}"
    rf"(?:[-.‐‑– /]\d{{2,8}}){{0,4}}(?!\d){_EXTENSION})"
)
_LABELLED_PHONE = re.compile(
    r"(?<![\w./-])(?:my (?:cell|mobile|home|work|number|digits)|(?:tele|cell ?|mobile ?|home ?|work ?)?phone|tel|mobile|cell|"
    r"whatsapp|fax|(?:call|text|ring|reach|contact|phone|dial|message)(?: me| us| him| her)?)\b"
    r"(?:[\s:#.,(-]|(?:number|no|is|at|on|me|us|or|home|work|cell|mobile|phone|text|under|via|back|anytime)\b){1,12}"
    r"(?P<number>(?<!\d)\+?\(?\d{2,6}\)?(?:[-.‐‑– /]{1,2}\d{2,6}){1,4}(?!\d)|(?<!\d)\d{7,13}(?!\d))",
    re.IGNORECASE,
)
_PHONE_WORDS = ("phone", "tel", "mobile", "cell", "whatsapp", "fax", "call", "text", "ring", "reach", "contact", "dial",
                "message", "my ")  # fmt: skip
_TOLL_FREE = re.compile(r"(?:00)?(?:1?8(?:00|88|77|66|55|44|33|22)\d{7}|[1-9]\d{0,2}0?800\d{5,8})")
_DATE_SHAPE = re.compile(r"\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d|(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?")
_YEARS = re.compile(r"(?:19|20)\d\d\W{1,2}(?:19|20)\d\d")
# What is printed beside the number of an institution. Names of organisations are capitalised.
_INSTITUTION = re.compile(
    r"www\.|https?:|\.gov\b|(?<![@\w.-])[\w-]{2,63}\.(?:org|com|net|edu)\b|[Tt]oll[- ][Ff]ree|\bTT[YD]\b|"
    r"[Hh]otline|[Hh]elpline|[Hh]elp [Ll]ine|[Ll]ifeline|business hours|after hours|(?<!\d)1?[-(]?8(?:00|88|77|66)[-)]|"
    r"\b(?:Academy|Administration|Agency|Alliance|Association|CDC|Centers?|Clearinghouse|Coalition|Commission|Council|"
    r"Department|FDA|Federation|Foundation|Institutes?|League|Library|NIH|Network|Organization|Partnership|Program|"
    r"Registry|Services|Society|Suite)\b"
)
_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_OWN = re.compile(
    r"\b(?:my|me|mine|I['’]m|I am|next of kin|emergency contact)\b|\b[Pp](?:atien)?t(?:['’]s)?(?: name| phone| tel| cell|:)|"
    r"\b(?:cell|mobile|home)(?: ?phone| number| tel|:)",
)


def phones(text: str, letter: bool) -> Iterator[Span]:
    """Numbers of people, and not those printed beside an institution."""
    folded = text.lower()
    patterns = (
        (_NORTH_AMERICAN, True),
        (_INTERNATIONAL, "+" in text or "00" in text),
        (_LABELLED_PHONE, any(word in folded for word in _PHONE_WORDS)),
    )
    for pattern, possible in patterns:
        for match in pattern.finditer(text) if possible else ():
            if _is_phone(match["number"]) and not _of_institution(text, *match.span("number"), letter):
                yield match.span("number")


def _is_phone(number: str) -> bool:
    digits = re.sub(r"\D", "", re.split(r"[,xe]", number)[0])
    return (
        7 <= len(digits) <= 15
        and not _TOLL_FREE.fullmatch(digits)
        and not _DATE_SHAPE.fullmatch(number)
        and not _YEARS.fullmatch(number)
    )


def _of_institution(text: str, start: int, end: int, letter: bool) -> bool:
    # 120 and 80 characters: an organisation's name and address in front, its web address or opening hours behind.
    before, after = text[max(0, start - 120) : start], text[end : end + 80]
    if _OWN.search(before[-60:]):  # a clause
        return False
    if letter:  # speaks of institutions without giving their numbers: only those of the same sentence
        before, after = _SENTENCE_END.split(before)[-1], _SENTENCE_END.split(after)[0]
    return bool(_INSTITUTION.search(before) or _INSTITUTION.search(after))


# --- social security number -----------------------------------------------------------------------------------------
# Never issued: area 000, 666 and 900-999, group 00, serial 0000 (Social Security Administration, POMS RM 10201.035).
_AREA = r"(?!000|666|9)\d{3}"
# The look-behind comes after the digits: at every character in front of them it would cost ten times as much.
_SSN = re.compile(r"((?!000|666|9)\d{3}(?<![\w-]\d{3})([-‐‑–])(?!00)\d\d\2(?!0000)\d{4})(?!\w|-\d)")
_LABELLED_SSN = re.compile(
    r"(?<!\w)(?:SSN|S\.S\.N\.?|social security|soc\.? sec\.?|SS ?(?:#|no\b|number))"
    r"(?:[\s:#=.()-]|(?:number|no|num|card|ssn|is|was|its)\b){0,12}"
    rf"(?<!\d)({_AREA}[-‐‑–. ]?(?!00)\d\d[-‐‑–. ]?(?!0000)\d{{4}})(?!\d)",
    re.IGNORECASE,
)


def social_security_numbers(text: str, letter: bool) -> Iterator[Span]:
    """US social security numbers that can have been issued."""
    folded = text.lower()
    labelled = any(
        word in folded for word in ("ssn", "s.s.n", "social sec", "soc sec", "soc. sec", "ss#", "ss #", "ss n")
    )
    for pattern in (_SSN, _LABELLED_SSN) if labelled else (_SSN,):
        for match in pattern.finditer(text):
            yield match.span(1)


# --- medical record, patient and insurance numbers ------------------------------------------------------------------
_NUMBER = r"(?:numbers?|no\b\.?|nr\b\.?|num\b\.?|id\b|ID\b|identifier|identification|#)"
_LABELLED_ID = re.compile(
    rf"(?<!\w)(?:MRN|M\.R\.N\.?|MR ?#|MBI|"
    rf"(?:(?:medical|health|hospital|patient|clinic|clinical|chart|unit|inpatient|outpatient)"
    rf"(?:['’]s)?(?:[ -](?:record|records|chart|card|file|insurance|plan|care))?|"
    rf"(?:insurance|policy|member(?:ship)?|subscriber|beneficiary|medicare|medicaid|NHS|HICN?|group|claim|payer|"
    rf"blue cross|aetna|cigna|kaiser|humana)(?:[ -](?:card|policy|member|plan|account|group|beneficiary|subscriber))?|"
    rf"health[ -]?card|med\.? rec\.?)[ -]?{_NUMBER})"
    # "MRN: 12", "insurance ID number is 12", "MRN at Saint Mary is 12"
    rf"(?:(?:[\s:#=().-]|(?:{_NUMBER}|is|was|are|on file)(?=\W)){{0,12}}|[^\d\n.;:]{{1,40}}\b(?:is|was|:)\s{{1,2}}#?)"
    r"(?<![\w])((?:\d{3,4}(?:[ -]\d{3,4}){1,3}|[A-Z]{0,6}[-/]?\d(?:[A-Z0-9]|[-/](?=[A-Z0-9])){3,22})(?!\w))",
    re.IGNORECASE,
)
_ID_WORDS = ("mrn", "m.r.n", "mr#", "mr #", "mbi", "med", "record", "patient", "hospital", "clinic", "chart", "health",
             "insurance", "policy", "member", "subscriber", "beneficiary", "nhs", "hic", "group", "claim", "payer", "unit",
             "blue cross", "aetna", "cigna", "kaiser", "humana")  # fmt: skip
_MARKED = ("#", "no", "nr", "num", "id", "mrn", "m.r.n", "mbi")
_YEAR = re.compile(r"(?:19|20)\d\d(?:[-/](?:19|20)?\d\d)?")


def record_numbers(text: str, letter: bool) -> Iterator[Span]:
    """Medical record, patient and insurance numbers behind their label."""
    folded = text.lower()
    if any(word in folded for word in _MARKED) and any(word in folded for word in _ID_WORDS):
        for match in _LABELLED_ID.finditer(text):
            number = match[1]
            if sum(map(str.isdigit, number)) >= 4 and not _YEAR.fullmatch(number) and not _DATE_SHAPE.fullmatch(number):
                yield match.span(1)


# --- birth date -----------------------------------------------------------------------------------------------------
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_BIRTH_WORDS = ("of birth", "birth date", "birth-date", "birthda", "born ", "born:", "dob", "d.o.b")
_MAYBE_DATE = re.compile(r"\d[-/. ]\d|\d{4}|[a-z]-\d\d")
_LABELLED_BIRTH = re.compile(
    r"(?<!\w)(?:D\.?O\.?B\b\.?|date of birth|birth[ -]?date|birthday|(?<!-)born)"
    r"(?:(?:\s?\([^()\n]{0,24}\))?(?:[\s:=.,#-]|(?:is|was|on|the|it['’]s)\b){0,8}|[^\d\n.;:]{1,40}\b(?:is|was|on)\s(?:the\s)?)"
    r"(?<![\w])("
    r"(?P<y1>\d{4})(?P<s1>[-/.])(?P<m1>\d\d?)(?P=s1)(?P<d1>\d\d?)"
    r"|(?P<d2>\d\d?)(?P<s2>[-/. ])(?P<m2>\d\d?)(?P=s2)(?P<y2>\d{4}|\d\d)"
    rf"|(?P<n3>{_MONTH})\s?(?P<d3>\d\d?)(?:st|nd|rd|th)?,?\s?(?P<y3>\d{{4}})"
    rf"|(?P<d4>\d\d?)(?:st|nd|rd|th)?(?:\s(?:day\s)?of|\sin)?[\s-]?(?P<n4>{_MONTH})[\s,-]{{0,2}}(?P<y4>\d{{4}}|\d\d)"
    r")(?!\w|[-/.]\d)",
    re.IGNORECASE,
)


def birth_dates(text: str, letter: bool) -> Iterator[Span]:
    """Full dates behind a label that says birth."""
    folded = text.lower()
    if any(word in folded for word in _BIRTH_WORDS) and _MAYBE_DATE.search(text):
        for match in _LABELLED_BIRTH.finditer(text):
            if _is_date({name[0]: value for name, value in match.groupdict().items() if value}):
                yield match.span(1)


def _is_date(parts: Mapping[str, str]) -> bool:
    day = int(parts["d"])
    month = int(parts["m"]) if "m" in parts else _MONTHS.index(parts["n"][:3].lower()) + 1
    year = int(parts["y"])
    ordered = (1 <= month <= 12 and 1 <= day <= 31) or ("m" in parts and 1 <= day <= 12 and 1 <= month <= 31)
    return ordered and (year < 100 or 1900 <= year <= 2099)  # born before 1900: history, not a patient
