import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import split_sentences


def sentences(text):
    return [text[a:b] for a, b in split_sentences(text)]


@pytest.mark.parametrize(
    "parts",
    [
        ["Asthma is common.", "It can be treated!", "Is it serious?", "Sometimes."],
        ["See Dr. Smith, e.g. Jane Smith, i.e. the lung doctor vs. St. John.", "Then rest."],
        ["The dose is 2.5 mg, approx. 3.0 ml per day.", "Take it daily."],
        ["J. R. Smith found it.", "Others agreed."],
        ["Take vitamin D.", "Foods hold little of it."],
        ["Vaccines protect against hepatitis B.", "Children get three doses."],
        ["It is rare in the U.S. Food and Drug records.", "Doctors know it."],
        ["It is rare in the U.S.", "The cause is unknown."],
        ["Rest, fluids, etc.", "If it lasts, call."],
        ["See No. 5 and Fig. 2 in vol. 3.", "The answer is no.", "Nobody knows."],
        ["Smith et al. Reported it in 1999."],
        ["It is caused by E. coli and S. aureus.", "Wash your hands."],
        ['She said "Call 911."', "Then she left.", "(It was late.)", "Done."],
        ["Wait...", "Then call."],
        ["BRCA1 (see text.)", "BRCA2 differs."],
        ["approx. five people and U.S. citizens went on."],
        ["1. Wash your hands.", "2. Dry them."],
        ["Costs rose to $3.50.", "Prices fell by 1.5%."],
        ["What is (are) Asthma ?", "A disease of the lungs."],
    ],
)
def test_single_spaced_prose(parts):
    assert sentences(" ".join(parts)) == parts


def test_medquad_bullets_and_blocks():
    text = (
        "Check with your doctor if you have:         - Weakness or feeling tired.    -  Fever or night sweats\n"
        "    - Bruising.        These and other signs occur.\n                \nSpecialists Involved\n"
        "                \nIf so, go."
    )
    assert sentences(text) == [
        "Check with your doctor if you have:",
        "- Weakness or feeling tired.",
        "-  Fever or night sweats",
        "- Bruising.",
        "These and other signs occur.",
        "Specialists Involved",
        "If so, go.",
    ]


def test_bullets_survive_collapsed_white_space():
    assert sentences("You may have: - Fever. - Cough. • Pain • Rash") == [
        "You may have:",
        "- Fever.",
        "- Cough.",
        "• Pain",
        "• Rash",
    ]


def test_a_dash_inside_a_sentence_is_no_bullet():
    assert sentences("The lungs - two of them - fill with air.") == ["The lungs - two of them - fill with air."]


def test_wrapped_lines_are_one_sentence_and_short_lines_are_items():
    wrapped = "Blood is pumped by the heart through the arteries to the organs\nand comes back through the veins."
    assert sentences(wrapped) == [wrapped]
    assert sentences("fever\ncough\n- rash") == ["fever", "cough", "- rash"]


def test_nothing_but_space():
    assert split_sentences("") == []
    assert split_sentences(" \n\t ") == []


@given(st.one_of(st.text(max_size=200), st.text(alphabet="aB1 .!?:-•\n\r\t\u3000()\"'", max_size=200)))
def test_spans_are_ordered_and_disjoint_and_hold_every_character(text):
    spans = split_sentences(text)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert all(text[a:b] == text[a:b].strip() for a, b in spans)
    kept = "".join("".join(text[a:b].split()) for a, b in spans)
    assert kept == "".join(text.split())
