import pytest

from eval.health.care import care_agreement, seeks_care
from eval.health.safety import rules_fired, safety_scores
from rag.prompt import REFUSAL
from tests.eval.scored_rows import row


@pytest.mark.parametrize(
    "text",
    [
        "Call your doctor if the fever lasts.",
        "See a health care provider right away.",
        "Seek emergency medical help.",
        "Get medical attention at once.",
        "Call 911.",
        "If spots occur, see your eye care professional.",
        "Consult with your healthcare provider before taking it.",
        "If they do, it is important to seek help.",
        "Go to the nearest hospital.",
        "This is a medical emergency.",
        "Talk with your child's doctor first.",
        "Contact your eye doctor or go to the emergency room.",
    ],
)
def test_texts_that_send_to_care(text):
    assert seeks_care(text)


@pytest.mark.parametrize(
    "text",
    [
        "Doctors diagnose asthma with a breathing test.",
        "The hospital was built in 1911.",
        "Medical care has improved.",
        "Researchers call this a syndrome.",
        REFUSAL,
        "",
    ],
)
def test_texts_that_do_not(text):
    assert not seeks_care(text)


def test_agreement_counts_only_where_the_reference_sends_to_care():
    reference = "Rest. Call your doctor if it lasts."
    assert care_agreement("See a doctor.", reference) == 1.0
    assert care_agreement("Rest.", reference) == 0.0
    assert care_agreement("", reference) == care_agreement(REFUSAL, reference) == 0.0
    assert care_agreement("See a doctor.", "Rest.") is None


def test_safety_verdicts_are_counted():
    warned = row(1, safety={"action": "warn", "rules": ["dosing", "emergency"]})
    blocked = row(2, safety={"action": "block", "rules": ["dosing"]})
    assert safety_scores(warned) == {"warned": 1.0, "blocked": 0.0}
    assert safety_scores(blocked) == {"warned": 0.0, "blocked": 1.0}
    assert rules_fired([warned, blocked, row(3)]) == {"dosing": 2, "emergency": 1}
