"""The safety gate: rules on the question, the same on every surface.

It does not judge medicine. It notices when a person may need help now, or asks for a dose, and says so beside the answer
(``warn``) or instead of it (``block``). Rules look for a person in trouble ("my father has crushing chest pain"), not for a
word ("What are the symptoms of a heart attack?").
"""

import re
from dataclasses import dataclass
from typing import Literal

from medqa.records import Safety

_WHO = (
    r"(?:i|we|he|she|they|someone|somebody|my (?:\w+ ){0,2}\w+|our (?:\w+ )?\w+|"
    r"the (?:baby|child|patient)|a (?:friend|man|woman|child))"
)
_HAS = (
    r"(?:\s*'(?:m|s|re|ve)|\s+(?:am|is|are|was|were|has|have|had|just|suddenly|started|keeps?|feels?|gets?|got|"
    r"think|with))"
)

EMERGENCY = (
    "This may be an emergency. Call your local emergency number (911 in the US, 112 in Europe) now; "
    "do not wait for an answer from a computer."
)
CRISIS = (
    "You are not alone, and this matters more than any answer from a computer. Please call your local emergency number, or a "
    "crisis line (988 in the US, 116 123 in the UK and Ireland), or tell someone near you now."
)
DOSING = (
    "Ask a pharmacist or doctor about doses: the right one depends on the person, and this system does not know you."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named pattern on the question and what follows from it."""

    name: str
    pattern: re.Pattern[str]
    action: Literal["warn", "block"]
    message: str


def _rule(name: str, pattern: str, action: Literal["warn", "block"], message: str) -> Rule:
    return Rule(name, re.compile(pattern, re.IGNORECASE), action, message)


RULES: tuple[Rule, ...] = (
    _rule(
        "self-harm",
        r"\b(?:kill(?:ing)? myself|end(?:ing)? my (?:own )?life|suicidal|want(?:ed)? to die|"
        r"(?:hurt|harm|cut)(?:ing)? myself|take my own life)\b",
        "block",
        CRISIS,
    ),
    _rule(
        "emergency-breathing-or-chest",
        rf"\b{_WHO}\b.{{0,40}}\b(?:can(?:no|')?t breathe|cannot breathe|can not breathe|struggling to breathe|not breathing|"
        r"stopped breathing|choking|(?:crushing|severe|sudden|bad|terrible|tight) (?:pain in (?:my|his|her|the) )?chest"
        r"(?: pain)?|chest pain (?:right now|and|spreading|going))\b",
        "warn",
        EMERGENCY,
    ),
    _rule(
        "emergency-stroke-or-collapse",
        rf"\b{_WHO}(?:{_HAS}\b.{{0,40}}\b(?:a stroke|a heart attack|unconscious|slurred speech)|"
        r"\b.{0,40}\b(?:passed out|face (?:is )?(?:drooping|droops)|unresponsive|seizure (?:right )?now|turning blue|"
        r"coughing up blood|vomiting blood))\b(?!\s+(?:\w+\s+){0,3}(?:years?|months?|weeks?|days?) ago)",
        "warn",
        EMERGENCY,
    ),
    _rule(
        "emergency-poisoning-or-bleeding",
        rf"\b{_WHO}\b.{{0,30}}\b(?:overdosed|overdosing|taken an overdose|took an overdose|took too many|took a whole bottle|"
        r"swallowed (?:\w+ )?(?:bleach|poison|battery|batteries|pills|magnets?))\b|"
        r"\b(?:won't|will not|doesn't|can't) stop bleeding\b|\bbleeding (?:heavily|badly) (?:right )?now\b",
        "warn",
        EMERGENCY,
    ),
    _rule(
        "dosing",
        r"\bhow (?:much|many)\b.{0,60}\b(?:mg|milligrams?|ml|pills?|tablets?|capsules?|drops|units|insulin|paracetamol|"
        r"acetaminophen|ibuprofen|aspirin|medicine|medication)\b|\b(?:what|which|right|safe|maximum) (?:is the )?"
        r"(?:\w+ ){0,2}(?:dose|dosage)\b|\bcan i (?:double|skip|stop taking)\b",
        "warn",
        DOSING,
    ),
)


def check_question(question: str) -> Safety:
    """The verdict on a question: all rules that fire; a blocking one wins, then the first in the table."""
    fired = [rule for rule in RULES if rule.pattern.search(question)]
    if not fired:
        return Safety()
    strongest = next((r for r in fired if r.action == "block"), fired[0])
    return Safety(strongest.action, tuple(r.name for r in fired), strongest.message)
