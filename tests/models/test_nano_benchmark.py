"""benchmarks/nano.py: which passages are shown when the answer is there, and when it was taken away."""

from dataclasses import replace

import pytest

from benchmarks.nano import SHOWN, Sheet, read_sheets, variants, worded, write_sheets
from medqa.records import Passage, QAPair


def _pair(name, topic, kind, answer="An answer."):
    question = f"What is the {kind} of {topic}, {name}?"
    return QAPair(name, question, f"{answer} {name}", topic=topic, question_type=kind, cluster=topic)


def _passage(pair, n=0):
    return Passage(f"{pair.id}:{n}", pair.id, f"Text {n} of {pair.id}.", ((0, 9),))


ASKED = _pair("asked", "Asthma", "treatment")
TWIN = _pair("twin", "Asthma", "treatment")
ASIDE = _pair("aside", "Asthma", "symptoms")
GENERAL = _pair("general", "Asthma", "information")
OTHERS = [_pair(f"other{n}", f"Topic{n}", "treatment") for n in range(4)]
OWNERS = {p.id: p for p in (ASKED, TWIN, ASIDE, GENERAL, *OTHERS)}


def _ids(passages):
    return [p.id for p in passages]


def test_the_answer_takes_the_third_place_where_search_missed_it():
    ranked = [_passage(p) for p in (TWIN, ASIDE, *OTHERS)]
    present, _, _ = variants(ASKED, ranked, ranked, [_passage(ASKED), _passage(ASKED, 1)], OWNERS)
    assert _ids(present) == ["twin:0", "aside:0", "asked:0"]
    found, _, _ = variants(ASKED, [_passage(ASKED, 1), *ranked], ranked, [_passage(ASKED)], OWNERS)
    assert _ids(found) == ["asked:1", "twin:0", "aside:0"]


def test_nothing_that_answers_is_left_when_the_answer_is_removed():
    ranked = [_passage(p) for p in (ASKED, TWIN, GENERAL, OTHERS[0], ASIDE, *OTHERS[1:])]
    _, other_topics, other_aspect = variants(ASKED, ranked, ranked, [_passage(ASKED)], OWNERS)
    assert _ids(other_topics) == ["other0:0", "other1:0", "other2:0"]
    assert _ids(other_aspect) == ["aside:0", "other0:0", "other1:0"]
    assert len(other_topics) == len(other_aspect) == SHOWN


def test_without_another_aspect_that_variant_is_left_out():
    ranked = [_passage(p) for p in (ASKED, TWIN, *OTHERS)]
    assert variants(ASKED, ranked, ranked, [_passage(ASKED)], OWNERS)[2] == ()


@pytest.mark.parametrize("name", ["sheets.jsonl", "sheets.jsonl.xz"])
def test_sheets_come_back_as_they_were_written(tmp_path, name):
    made = [
        Sheet("What is asthma? –", "An answer.", (_passage(ASKED), _passage(TWIN, 1)), (_passage(OTHERS[0]),), ()),
        Sheet("Line\nbreak?", "“Quoted”", (), (), (_passage(ASIDE),)),
    ]
    write_sheets(tmp_path / name, made)
    assert read_sheets(tmp_path / name) == made


def test_people_ask_under_the_topics_own_name_and_stay_related_by_its_synonyms():
    pairs = [replace(_pair(f"p{n}", "Asthma", "treatment"), synonyms=("Elsewhere",)) for n in range(40)]
    asked = worded(pairs)
    assert [replace(a, question=p.question) for a, p in zip(asked, pairs, strict=True)] == pairs
    assert len({a.question for a in asked}) > 10
    assert not any(
        "elsewhere" in a.question.lower() or a.question == p.question for a, p in zip(asked, pairs, strict=True)
    )
