import pytest

from rag.safety import CRISIS, EMERGENCY, check_question

FIRES = {
    "My father has crushing chest pain": "emergency-breathing-or-chest",
    "he can't breathe, what should I do": "emergency-breathing-or-chest",
    "I have chest pain spreading to my arm": "emergency-breathing-or-chest",
    "I think my mother is having a stroke": "emergency-stroke-or-collapse",
    "my husband passed out and his face is drooping": "emergency-stroke-or-collapse",
    "my son swallowed a battery": "emergency-poisoning-or-bleeding",
    "my wife took too many pills": "emergency-poisoning-or-bleeding",
    "the cut on my hand won't stop bleeding": "emergency-poisoning-or-bleeding",
    "I want to kill myself": "self-harm",
    "I have been hurting myself": "self-harm",
    "How many ibuprofen tablets can I take?": "dosing",
    "What is the maximum dose of aspirin?": "dosing",
}
QUIET = [
    "What are the symptoms of a heart attack?",
    "What causes chest pain?",
    "Is chest pain a symptom of asthma?",
    "She had a stroke two years ago, what can she eat?",
    "How is an overdose treated?",
    "What is suicide prevention?",
    "Who is at risk for a stroke?",
    "Why does my chest hurt when I cough?",
    "How many people are affected by asthma?",
    "What are the treatments for epilepsy?",
]


@pytest.mark.parametrize(("question", "rule"), FIRES.items())
def test_rules_fire_for_a_person_in_trouble(question, rule):
    verdict = check_question(question)
    assert rule in verdict.rules
    assert verdict.action == ("block" if rule == "self-harm" else "warn")
    assert verdict.message


@pytest.mark.parametrize("question", QUIET)
def test_rules_stay_quiet_for_questions_about_a_topic(question):
    assert check_question(question).action == "allow"


def test_blocking_rule_wins_over_a_warning():
    verdict = check_question("I want to kill myself, I took too many pills")
    assert verdict.action == "block"
    assert verdict.message == CRISIS != EMERGENCY
    assert verdict.rules == ("self-harm", "emergency-poisoning-or-bleeding")
