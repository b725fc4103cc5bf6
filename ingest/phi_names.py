"""Personal data that only its surroundings tell: names and street addresses in letters, and what makes a text a letter.

Bounded repetitions only, as in ``ingest.phi_rules``. ``ingest.phi`` says what counts.
"""

import re
from collections.abc import Iterator

from medqa.records import Span

# --- building blocks ---------------------------------------------------------------------------------------------------
_CAPITAL = "A-ZÀ-ÖØ-ÞŁŚŠŽĆČĐŞŻ"
_SMALL = "a-zß-öø-ÿ\u0101-\u024f"
_PART = rf"(?:[{_CAPITAL}]['’])?[{_CAPITAL}][{_SMALL}]{{1,20}}(?:[-'’]?[{_CAPITAL}][{_SMALL}]{{1,20}})?(?!\w)"
_PARTICLE = r"(?:van|von|de|del|da|der|den|di|du|la|le|bin|al|ten) "
_PARTICLES = rf"(?:{_PARTICLE}){{0,2}}"
_INITIAL = rf"[{_CAPITAL}]\.? ?(?=[{_CAPITAL}]|{_PARTICLE})"
_SMALL_NAME = rf"(?:{_PART} |{_INITIAL}){{0,2}}{_PARTICLES}{_PART}(?:,? (?:Jr|Sr)\b\.?)?"
_NAME = rf"(?:{_SMALL_NAME}|(?:[{_CAPITAL}]{{2,20}} ){{0,2}}[{_CAPITAL}]{{3,20}}(?!\w))"  # also all in capitals
_FULL_NAME = rf"{_PART} (?:{_PART} |{_INITIAL}){{0,2}}{_PARTICLES}{_PART}"
_CLOSING_WORDS = (
    "sincerely",
    "regards",
    "wishes",
    "respectfully",
    "faithfully",
    "truly",
    "cordially",
    "cheers",
    "love",
)
_CLOSING = (
    r"(?:\A|[\n.!?,–—-]\s?)(?i:(?:yours )?(?:sincerely|respectfully|faithfully|truly|cordially|cheers|love)|"
    r"(?:with )?(?:my )?(?:best |kind |kindest |warm |many )?(?:regards|wishes))(?: yours)?[\s,.!–—-]{1,4}"
)

# --- letters --------------------------------------------------------------------------------------------------------
# 400 characters: a long sentence; an inch sign opens no longer quotation.
_QUOTED = re.compile(r'"[^"\n]{0,400}"|“[^“”\n]{0,400}”')
_VERBS = (
    "[a-z]{2,12}ed|already|also|always|am|began|believe|broke|came|can|can['’]?t|cannot|could|currently|did|didn['’]?t|do|"
    "don['’]?t|drink|eat|even|feel|fell|felt|found|gave|get|go|got|had|have|hear|heard|hope|hurt|just|keep|kept|know|live|"
    "lost|made|might|must|need|never|now|often|only|read|really|recently|said|saw|see|should|smoke|still|suffer|take|think|"
    "thought|told|took|understand|use|want|was|went|will|wish|woke|wonder|work|worry|would"
)
_SAYS_I = re.compile(rf"\b[Ii](?:['’](?:m|ve|d|ll)\b|(?:m|ve)\b|\s(?:{_VERBS})\b)")
# In front of "I": a numeral ("type I", "MPS I", "IGF-I"), the question of a checklist ("Should I ...?") or a heading
# ("What I need to know about Gas").
_NO_PERSON = re.compile(
    r"(?:[-A-Z'’]\s?|\b(?:[Tt]ypes?|class|stage|phase|grade|group|factor|[Dd]o|[Dd]id|[Cc]an|[Ww]ill|[Cc]ould|[Ss]hould|"
    r"[Ww]ould|[Mm]ay|[Ww]hat)\s)\Z"
)
# Not the headings "Questions to Ask My Doctor".
_SAYS_MY = re.compile(r"\b(?:my|My\s(?=[a-z]|[A-Z]{2})|me|myself|mine)\b")
_SAYS_YOU = re.compile(r"(?<![Tt]hank )\b[Yy]ou(?:rs?|rself)?\b")
_SALUTATION = re.compile(
    r"\s{0,3}(?:[Dd]ear|Hi|Hello|Hey)\s(?:Mrs?\b|Ms\b|Miss\b|Dr\b|Doctor\b|Sir\b|Madam\b|[A-Z][a-z]{1,20}\s?,)"
)
_CLOSED = re.compile(rf"{_CLOSING}{_NAME}")
_HINTS = (" i ", " i'", " i’", " im ", " ive ", " my ", " myself", " me ", " me.", " me,", " me?", " mine ")


def is_letter(text: str) -> bool:
    """Whether ``text`` opens with a salutation, closes with a signature or speaks as a person, as defined in ``ingest.phi``."""
    end = text[-300:]  # a closing, a name, an address
    if _SALUTATION.match(text) or (any(word in end.lower() for word in _CLOSING_WORDS) and _CLOSED.search(end)):
        return True
    words = f" {text} ".replace("\n", " ").lower()
    if not any(hint in words for hint in _HINTS):
        return False  # nearly all of an encyclopedia
    spoken = _QUOTED.sub(" ", text)
    said = sum(1 for _ in _SAYS_MY.finditer(spoken)) + sum(
        1 for i in _SAYS_I.finditer(spoken) if not _NO_PERSON.search(spoken[max(0, i.start() - 12) : i.start()])
    )
    return 500 * said >= max(1, len(spoken)) and 2 * said >= sum(1 for _ in _SAYS_YOU.finditer(spoken))


# --- street address -------------------------------------------------------------------------------------------------
_ADDRESS = re.compile(
    rf"\d{{1,5}}[A-Za-z]?\s(?:[NSEW]\.?\s|North\s|South\s|East\s|West\s)?"
    rf"(?:(?:[{_CAPITAL}][\w'’.-]{{1,20}}|\d{{1,3}}(?:st|nd|rd|th))\s){{1,3}}"
    r"(?:Street|Avenue|Road|Drive|Lane|Boulevard|Court|Place|Way|Terrace|Circle|Close|Crescent|Parkway|Trail|Square|"
    r"(?:Highway|Hwy|Route)(?: \d{1,4})?|(?:St|Ave|Rd|Dr|Ln|Blvd|Ct|Pl|Cir|Pkwy)\b\.?)(?!\w)"
    r"(?:,?\s(?:Apt|Apartment|Unit|Flat|Suite|Ste|#)\.?\s?#?\w{1,6})?"
    rf"(?:,(?:\s(?:St\.|[{_CAPITAL}][{_SMALL}'’-]{{1,20}})){{1,3}},?(?:\s[A-Z]{{2}}\b)?(?:\s\d{{5}}(?:-\d{{4}})?)?(?<!,))?"
)
_IN_NUMBER = re.compile(r"[\w.,/+-]\Z")


def addresses(text: str, letter: bool) -> Iterator[Span]:
    """House number, street, and unit, city, state and code where they follow; in letters only."""
    for match in _ADDRESS.finditer(text) if letter else ():
        if not _IN_NUMBER.search(text[max(0, match.start() - 1) : match.start()]):
            yield match.span()


# --- names ----------------------------------------------------------------------------------------------------------
_TITLE = r"(?:[Mm]rs?|[Mm]s|Miss|Mx|[Dd]r|[Pp]rof)"
_SPOKEN_TITLE = (
    r"(?:Mister|[Dd]octor|[Pp]rofessor|[Nn]urse)"  # no abbreviation: a full stop behind it ends the sentence
)
_RELATIVE = (
    r"(?:(?:ex-?|late |little |older |younger |eldest |oldest |youngest |best |twin |grand|step|great-)?"
    r"(?:son|daughter|father|mother|dad|mom|mum|brother|sister|husband|wife|partner|fianc[eé]e?|boyfriend|girlfriend|"
    r"child|boy|girl|baby|friend|uncle|aunt|cousin|nephew|niece|grandma|grandpa|neighbou?r|boss)"
    r"|doctor|physician|surgeon|cardiologist|oncologist|dermatologist|neurologist|psychiatrist|psychologist|therapist|"
    r"pediatrician|GP|nurse|dentist|gyna?ecologist|urologist|specialist|endocrinologist)"
)
_THANKS = r"thanks?(?: you)?(?: so much| very much| a lot| in advance| again| for your (?:help|time))?"
_MARKED_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b({_TITLE}(?:\. ?| ){_NAME})",
        rf"\b(?<!\b[Aa] )(?<![Tt]he )(?<![Yy]our )(?<![Mm]y )({_SPOKEN_TITLE} {_SMALL_NAME})",
        rf"\b(?i:(?:first |last |full |sur)?name(?:['’]s| is| was|:)|they call me|i am called|call me|i go by)\s({_NAME})",
        rf"\b(?i:I['’ ]?a?m|this is|writing (?:is|as)|signed),?\s({_FULL_NAME})(?!\s[{_CAPITAL}])",
        rf"\b(?i:my {_RELATIVE})(?:['’]s name is|,? (?:is )?(?:named|called)|,? whose name is|,)? ({_SMALL_NAME})",
        rf"\b(?i:my {_RELATIVE}) (?:is|was)\s({_FULL_NAME})",
        rf"(?:\A|\n)\s?(?i:dear|hi|hello|hey|good (?:morning|afternoon|evening))[ ,]\s?({_NAME})(?=\s?[,:!.\n-])",
        rf"\b(?i:hi|hello|hey),? ({_SMALL_NAME}) here\b",
        rf"\b(?i:hi|hello|hey)[,.!]? (?i:I['’ ]?a?m|this is) ({_SMALL_NAME})",
        rf"{_CLOSING}({_NAME})",
        rf"\b(?i:{_THANKS})[\s,.!–—-]{{1,4}}({_NAME})(?=[\s.!]{{0,3}}\Z)",
        rf"(?:\n|[.!?])\s?(?:[–—]|--)\s?({_SMALL_NAME})(?=[\s.!]{{0,3}}\Z)",  # one hyphen begins a list item
    )
)
_PATIENT_NAME = re.compile(rf"(?i:\b(?:patient|pt)(?:['’]s)? name|\bname of (?:the )?patient)\s?[:=]\s?({_NAME})")
# All in lower case, as people type: one or two words up to a mark or a new clause.
_TYPED_NAME = re.compile(
    r"\b[Mm]y name(?:['’]?s| is) ([a-z]{2,15}(?: [a-z]{2,15})??)(?=[,.;!\n]| and (?:i|my)\b| i(?:['’]?m)? |$)"
)
_OTHER_WORDS = frozenset(
    ("a", "also", "an", "and", "at", "for", "here", "in", "is", "it", "not", "of", "on", "still", "the", "to")
)
# Behind or inside the name: a disease, test or scale that is named after a person.
_EPONYM = re.compile(
    r"(?:['’]s?)?\s(?i:syndrome|disease|disorder|sign|test|method|procedure|operation|technique|score|scale|criteria|"
    r"classification|diet|formula|exercise|palsy|ana?emia|lymphoma|sarcoma|sclerosis|cancer|diabetes|arthritis)"
)
_NO_NAME_WORDS = """
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october
    november december sir madam sirs everyone everybody all team friends there again god jesus lord you your this the they
    what when where why how is it he she we and but please thank thanks hello hi dear also anyway google pepper seuss who
    scholl oz type stage grade phase american african asian indian chinese mexican european british english irish french
    german italian jewish muslim christian catholic hispanic latino caucasian white black native rh alzheimer parkinson crohn
    hodgkin down tourette huntington addison cushing graves
"""
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())
_TITLES = frozenset(
    ("mr", "mrs", "ms", "miss", "mx", "mister", "dr", "doctor", "doctors", "doc", "prof", "professor", "nurse")
)


def names(text: str, letter: bool) -> Iterator[Span]:
    """Names behind a title, an introduction, a salutation or a closing, in letters; behind "Patient name:" anywhere."""
    folded = text.lower()
    if any(sign in folded for sign in ("name:", "name :", "name=", "patient:")):
        yield from (match.span(1) for match in _PATIENT_NAME.finditer(text))
    if not letter:
        return
    for pattern in _MARKED_NAMES:
        for match in pattern.finditer(text):
            start, end = match.start(1), match.start(1) + _length(match[1])
            if end > start and not _is_eponym(text, start, end) and not _in_street(text, start):
                yield start, end
    for match in _TYPED_NAME.finditer(text):
        if not _OTHER_WORDS & set(match[1].split()):
            yield match.span(1)


def _length(name: str) -> int:
    """Characters up to the first word that is no name ("Dr. Patel Monday"); 0 if only titles stand in front of it."""
    length = 0
    for word in re.finditer(r"\S+", name):
        bare = word[0].strip(".,").lower()
        if bare in _NO_NAMES:
            break
        if bare not in _TITLES:
            length = word.end()
    return length


def _is_eponym(text: str, start: int, end: int) -> bool:
    return bool(_EPONYM.search(text[start:end]) or _EPONYM.match(text, end))


def _in_street(text: str, start: int) -> bool:
    """Whether "Dr" at ``start`` ends a street, as in 12 Maple Dr Springfield."""
    return bool(re.search(r"\d\s(?:[A-Z][\w.'’]{1,20}\s){1,3}\Z", text[max(0, start - 70) : start]))
