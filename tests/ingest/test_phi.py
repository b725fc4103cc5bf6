import re
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.phi import RULES, Finding, find_personal_data, mask
from ingest.phi_names import is_letter

LETTER = "I have had gout for years. "


def found(text, rule=None):
    return [text[f.start : f.end] for f in find_personal_data(text, "") if rule in (None, f.rule)]


@pytest.mark.parametrize(
    ("rule", "text", "wanted"),
    [
        ("e-mail", "Write to jane.doe@gmail.com.", "jane.doe@gmail.com"),
        ("e-mail", "<o'brien_7@uni-bonn.de>", "o'brien_7@uni-bonn.de"),
        ("e-mail", "jane [at] doe [dot] com", "jane [at] doe [dot] com"),
        ("e-mail", "it is jane.doe at gmail dot com!", "jane.doe at gmail dot com"),
        ("e-mail", "info@gmail.com", "info@gmail.com"),  # at a consumer provider: a person's
        ("e-mail", "jane.doe@nih.gov", "jane.doe@nih.gov"),
        ("phone", "617-555-0123", "617-555-0123"),
        ("phone", "at (617) 555-0123 ext. 4 daily", "(617) 555-0123 ext. 4"),
        ("phone", "+1 617.555.0123", "+1 617.555.0123"),
        ("phone", "ring +44 20 7946 0958.", "+44 20 7946 0958"),
        ("phone", "0049 30 1234 5678", "0049 30 1234 5678"),
        ("phone", "Call me at 555-0123.", "555-0123"),
        ("phone", "my cell: 6175550123", "6175550123"),
        ("phone", "my number is 617 555 0123", "617 555 0123"),
        ("phone", "At the Heart Center I was told to leave my cell phone number, 617-555-0123.", "617-555-0123"),
        ("phone", "I was at the Heart Center. Then 617-555-0123 rang.", "617-555-0123"),  # another sentence of a letter
        ("ssn", "123-45-6789", "123-45-6789"),
        ("ssn", "SSN 123456789", "123456789"),
        ("ssn", "Social Security number is 123 45 6789", "123 45 6789"),
        ("mrn", "MRN: 4821", "4821"),
        ("mrn", "my medical record number is A-48213", "A-48213"),
        ("mrn", "Patient ID 4821-77", "4821-77"),
        ("mrn", "MRN at Saint Mary is 482177", "482177"),
        ("mrn", "insurance policy number XYZ123456", "XYZ123456"),
        ("mrn", "Medicare number 1EG4-TE5-MK73", "1EG4-TE5-MK73"),
        ("mrn", "NHS number 943 476 5919", "943 476 5919"),
        ("birth date", "DOB 03/04/1961", "03/04/1961"),
        ("birth date", "d.o.b.: 4.3.61", "4.3.61"),
        ("birth date", "Date of birth (yyyy-mm-dd): 1961-03-04", "1961-03-04"),
        ("birth date", "born in Leeds on the 4th of March 1961", "4th of March 1961"),
        ("birth date", "My birthday is March 4, 1961.", "March 4, 1961"),
        ("birth date", "dob 04-Mar-1961", "04-Mar-1961"),
        ("name", "My name is John Smith.", "John Smith"),
        ("name", "my name is john smith and i have gout", "john smith"),
        ("name", "I saw Mr. John Smith.", "Mr. John Smith"),
        ("name", "My doctor is Dr. Patel.", "Dr. Patel"),
        ("name", "I asked Doctor O'Brien again.", "Doctor O'Brien"),
        ("name", "I saw Dr. J. Q. van der Berg today", "Dr. J. Q. van der Berg"),
        ("name", "I am Jane García-López.", "Jane García-López"),
        ("name", "My son Tommy limps.", "Tommy"),
        ("name", "my husband's name is Robert", "Robert"),
        ("name", "Dear Mrs. Jones, take it easy.", "Mrs. Jones"),
        ("name", "My knee hurts. Sincerely, Jane Doe", "Jane Doe"),
        ("name", "Does it heal? Kind regards\nJane Q. Doe", "Jane Q. Doe"),
        ("name", "My knee hurts. Thank you, Jane", "Jane"),
        ("name", "Patient name: JOHN SMITH", "JOHN SMITH"),  # a label needs no letter
        ("address", "I live at 12 Oak Street.", "12 Oak Street"),
        ("address", "my house: 120 N. Elm Ave, Apt 4B, Dayton, OH 45402", "120 N. Elm Ave, Apt 4B, Dayton, OH 45402"),
    ],
)
def test_finds(rule, text, wanted):
    assert [(f.rule, text[f.start : f.end]) for f in find_personal_data(text, "")] == [(rule, wanted)]


@pytest.mark.parametrize(
    "text",
    [
        # role mailboxes, mailboxes of organisations
        "info@heart.org", "contact-us@clinic.com", "NIAMSinfo@mail.nih.gov", "2020@nei.nih.gov", "resnaTA@resna.org",
        "cancergovstaff@mail.nih.gov", "a@b", "50 mg @ 2.5 ml", "The dot at the end dot",
        # toll-free, institutions
        "1-800-555-0123", "(888) 998-6325", "+1 877 555 0123", "+44 800 123 4567",
        "The Eldercare Center, 601 E Street, Washington, 202-555-0123",
        "Call 404-639-1075 during business hours", "I asked the Arthritis Foundation at 404-555-0123.",
        "301-496-5248 E-mail: 2020@nei.nih.gov www.nei.nih.gov",
        # numbers that are no phone and no SSN
        "NCT01234567", "PMID: 21234567", "ICD-10 E11.9, 250.00", "Bethesda, MD 20892-3655", "MIM 123456", "50-78-2",
        "ISBN 978-0-123-45678-9", "doi 10.1016/j.cell.2010.01.123", "250 300 1200", "2012-2015", "call 12/03/2019",
        "000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000", "123456789", "SSN 000123456",
        # labels without a number, numbers without a label
        "Your medical record number is on the card.", "The patient number was 120 in 2010.",
        "MRN 2010", "group no. 12", "The number 4821771 is prime.", "patient number 3",
        # no full birth date
        "born in 1961", "Your date of birth?", "born on or after October 1, 1995", "DOB 13/13/1961", "newborn 03/04/1961",
        "admitted on 03/04/1961", "He was born on June 14, 1864.", "my birthday is March 4",
        # names: no letter
        "As Dr. James Cheek of the Indian Health Service said, it was new.", "Ask your doctor if you know Dr. Patel.",
        '"My name is John Smith," says the sign.', "Questions to Ask My Doctor: Mr. Smith?", "MPS I have: Dr. Patel",
        "What I need to know about Dr. Patel", "12 Oak Street",
        # names: a letter, and no name
        LETTER + "I saw the doctor. If it hurts I rest.", LETTER + "Is it Dr. Down's syndrome?", LETTER + "Dr. Smith test",
        LETTER + "I live on Maple Dr.", LETTER + "I asked my doctor Monday.", LETTER + "I am African American.",
        LETTER + "Thanks, Everyone", LETTER + "MS Society", LETTER + "My doctor says it is Crohn's disease.",
        LETTER + "my name is on the list.", LETTER + "- Genetic Counseling\n- Palliative Care",
    ],
)  # fmt: skip
def test_leaves(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I have gout.", True),
        ("i've gout", True),
        ("Dear Dr. Patel, is gout inherited?", True),
        ("Is gout inherited? Sincerely, Jane Doe", True),
        ("My MRI shows it.", True),
        ("In 2019 I was diagnosed.", True),
        ("My Doctor", False),
        ("People with type I have gout.", False),
        ("IGF-I was high.", False),
        ("Should I rest?", False),
        ('She said: "I have gout."', False),
        ("You and your family should rest. I have gout.", True),  # 2 of the other, 1 of the own
        ("You and your family should see your doctor. I have gout.", False),  # 3 to 1
        ("I have gout. " + "x" * 487, True),  # 500 characters
        ("I have gout. " + "x" * 488, False),
    ],
)
def test_a_letter_speaks_as_a_person(text, wanted):
    assert is_letter(text) is wanted


def test_fields_order_and_masking():
    question = "I am Jane Doe, DOB 03/04/1961, MRN 48213. Is gout inherited?"
    answer = "Mail to jane.doe@gmail.com or call me at 617-555-0123; SSN 123-45-6789."
    findings = find_personal_data(question, answer)
    assert findings == [
        Finding("question", "name", 5, 13),
        Finding("question", "birth date", 19, 29),
        Finding("question", "mrn", 35, 40),
        Finding("answer", "e-mail", 8, 26),
        Finding("answer", "phone", 41, 53),
        Finding("answer", "ssn", 59, 70),
    ]
    assert mask(question, findings[:3]) == "I am [name], DOB [birth date], MRN [mrn]. Is gout inherited?"
    assert mask(answer, findings[:2:-1]) == "Mail to [e-mail] or call me at [phone]; SSN [ssn]."
    assert mask(answer, []) == answer


def test_what_masking_would_bring_to_light_is_found_at_once():
    # 560 characters with one "my": no letter. Without its long addresses it is one, and Dr. Patel is somebody's doctor.
    addresses = " ".join(f"{'x' * 40}{i}@{'y' * 40}.com" for i in range(6))
    text = f"Dr. Patel said so to my wife: {addresses}. Mr. Roe agreed."
    assert len(text) > 500
    assert not is_letter(text)
    findings = find_personal_data(text, "")
    assert [f.rule for f in findings] == ["name"] + ["e-mail"] * 6 + ["name"]
    assert [text[f.start : f.end] for f in findings if f.rule == "name"] == ["Dr. Patel", "Mr. Roe"]
    assert mask(text, findings) == "[name] said so to my wife: " + " ".join(["[e-mail]"] * 6) + ". [name] agreed."


PIECES = [
    "I have", "my", "you", "Dr. Patel", "My name is", "Jane Doe", "Sincerely,", "DOB", "born on", "03/04/1961", "March 4, 1961",
    "MRN", "patient id", "4821771", "SSN", "123-45-6789", "call me at", "617-555-0123", "+44 20 7946 0958", "1-800-555-0123",
    "www.x.org", "Heart Foundation", "jane@doe.com", "info@x.org", "[at]", "dot", "12 Oak Street", "\n", ".", ",", ":", "-",
    "disease", '"', "(", ")", "[e-mail]", "[ssn]", "İ", "Ünal", "type I", "Thanks",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(PIECES), max_size=25).flatmap(
        lambda p: st.sampled_from(["", " "]).map(lambda s: s.join(p))
    ),
)


@settings(max_examples=400, deadline=None)
@given(question=TEXTS, answer=TEXTS)
def test_spans_are_valid_and_masking_removes_every_finding(question, answer):
    findings = find_personal_data(question, answer)
    assert findings == sorted(findings, key=lambda f: (f.field != "question", f.start))
    masked = {}
    for field, text in (("question", question), ("answer", answer)):
        own = [f for f in findings if f.field == field]
        assert all(0 <= f.start < f.end <= len(text) and f.rule in RULES for f in own)
        assert all(a.end <= b.start for a, b in pairwise(own))
        masked[field] = mask(text, own)
    assert find_personal_data(masked["question"], masked["answer"]) == []


LETTERS_ONLY = ("name", "address")
PLANTED = {
    "e-mail": st.from_regex(r"[a-z]{2,9}\.[a-z]{2,9}[0-9]{0,3}@(?:gmail|example)\.(?:com|co\.uk)", fullmatch=True),
    "phone": st.from_regex(r"\([2-7][0-9]{2}\) [2-9][0-9]{2}-[0-9]{4}", fullmatch=True),
    "ssn": st.from_regex(r"[1-5][0-9]{2}-[1-9][0-9]-[1-9][0-9]{3}", fullmatch=True),
    "mrn": st.from_regex(r"[A-Z]{0,3}[1-9][0-9]{6}", fullmatch=True),
    "birth date": st.from_regex(r"(?:0[1-9]|1[0-2])/(?:0[1-9]|1[0-9])/19[0-9]{2}", fullmatch=True),
    "name": st.from_regex(r"(?:Mr|Mrs|Ms|Dr)\. (?:Smith|Okafor|Nguyen|Rossi-Meyer|O'Hara)", fullmatch=True),
    "address": st.from_regex(r"[1-9][0-9]{0,3} (?:Oak|Elm|Sunset|King) (?:Street|Road|Lane)", fullmatch=True),
}
LABELS = {"mrn": "MRN ", "birth date": "born on "}
WORDS = st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=9), min_size=1, max_size=20).map(" ".join)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_planted_items_are_found_at_their_span(rule, data):
    before, item, after = data.draw(WORDS), data.draw(PLANTED[rule]), data.draw(WORDS)
    lead = f"I have gout. {before}. It was {LABELS.get(rule, '')}"
    text = f"{lead}{item}. {after}"
    assert Finding("answer", rule, len(lead), len(lead) + len(item)) in find_personal_data("", text)
    if rule in LETTERS_ONLY:
        assert find_personal_data("", text.replace("I have", "There is")) == []


ADVERSARIAL = [
    "a", "a.", "a@", "a@a.", "a-", "1", "1-", "1 ", "12 ", "123-", "123-45-", "(1", "+1 ", "00", "1.", "call ", "call me at ",
    "my number is ", "MRN ", "MRN: ", "patient id ", "medical record number is ", "born ", "born on the ", "DOB (",
    "birthday is ", "A", "A ", "A. ", "Aa ", "Aa-Aa", "O'", "Dr. ", "Dr. Aa ", "Mr Aa", "my name is ", "My son ", "I am Aa ",
    "Thanks ", "Sincerely, ",
    '"', "“", '"a', "I have ", "you ", "12 Aa ", "12 Aa Street, Aa ", "[at] ", "a [at] ", " at a dot ", "\n", " ", "\t ", "٣",
    "SSN ", "social security number ", "www.", "jane@doe.com ", "617-555-0123 ", "Dr. Patel. I have ", "van der ", "MRN 1-",
]  # fmt: skip


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_hostile_repetitions_come_to_an_end(piece):
    text = "I have my " + piece * (200_000 // len(piece))
    for start, end in ((f.start, f.end) for f in find_personal_data(text, "")):
        assert 0 <= start < end <= len(text)


def test_rules_are_named_as_documented():
    import ingest.phi

    assert set(RULES) == {"e-mail", "phone", "ssn", "mrn", "birth date", "address", "name"}
    assert set(re.findall(r"^- ``([a-z -]+)``", ingest.phi.__doc__, re.MULTILINE)) == set(RULES)
