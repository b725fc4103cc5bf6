import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from ingest import rules
from ingest.clean import CleanRow, Deduplicator, Drop, clean_row, pack, pair_hash, restyle_row, unpack, with_ids
from ingest.raw import RawRow
from ingest.rules import Rules, find_problem, is_ambiguous
from ingest.spool import Spool
from medqa.records import QAPair

GOOD = ("What is gout?", "A painful joint disease.")
DEFAULT = Rules()


def raw(question, answer, row=1, file="x.csv", **fields):
    return RawRow(file, row, {"question": question, "answer": answer, **fields})


def kept(question, answer, row=1, file="x.csv", using=DEFAULT, **fields):
    found = restyle_row(clean_row(raw(question, answer, row, file, **fields), using), using)
    assert isinstance(found, CleanRow)
    return found


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path) as opened:
        yield opened


def numbers(spool, rows):
    return np.array([spool.append(pack(row)) for row in rows])


def distinct(spool, rows):
    """What exact-duplicate removal keeps and drops."""
    found = Deduplicator(spool)
    for row in rows:
        found.add(spool.append(pack(row)), row)
    return [unpack(spool[n]) for n in found.kept().tolist()], list(found.drops())


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("", GOOD[1], rules.MISSING_QUESTION),
        ("n/a", GOOD[1], rules.MISSING_QUESTION),
        ("<p>&nbsp;</p>", GOOD[1], rules.MISSING_QUESTION),
        (GOOD[0], " \n", rules.MISSING_ANSWER),
        (GOOD[0], "NaN", rules.MISSING_ANSWER),
        ("Why?", GOOD[1], rules.AMBIGUOUS_QUESTION),
        ("What is it?", GOOD[1], rules.AMBIGUOUS_QUESTION),
        ("...", GOOD[1], rules.AMBIGUOUS_QUESTION),
        ("Gout?", GOOD[1], rules.SHORT_QUESTION),
        (GOOD[0], "A disease.", rules.SHORT_ANSWER),
        (GOOD[0], "what is GOUT", rules.QUESTION_IS_ANSWER),
        (*GOOD, None),
    ],
)
def test_each_rule_on_its_smallest_case(question, answer, reason):
    found = clean_row(raw(question, answer), DEFAULT)
    assert (found.reason if isinstance(found, Drop) else None) == reason
    assert reason is None or reason in rules.REASONS


def test_unreadable_and_unpublished_rows_have_reasons_of_their_own():
    assert clean_row(RawRow("x", 1, {}, "broken"), DEFAULT).reason == rules.UNREADABLE
    unanswered = RawRow("x", 1, {"question": "What is gout?", "answer": ""}, unanswered=True)
    assert clean_row(unanswered, DEFAULT).reason == rules.NOT_PUBLISHED


def test_word_limits_are_inclusive():
    assert find_problem("two words", "three words here", DEFAULT) is None
    assert find_problem("two words", "three words here", replace(DEFAULT, min_question_words=3)) == (
        rules.SHORT_QUESTION,
        "wanted 3 words, found 2",
    )


@pytest.mark.parametrize(
    "question", ["Is cancer inherited?", "What causes Gout?", "What is (are) Croup?", "Was ist Gicht?"]
)
def test_one_word_with_a_topic_is_enough(question):
    assert not is_ambiguous(question)


def test_all_fields_are_cleaned():
    pair = kept(*GOOD, topic=" Gout\x00 ", question_type="Causes", synonyms="a| |b|a", url="u", id="1").pair
    assert pair == QAPair("1", *GOOD, "x.csv", "u", "Gout", "causes", ("a", "b"))


@pytest.mark.parametrize(
    ("question", "answer", "off"),
    [
        ("n/a", GOOD[1], {"drop_placeholders": False, "drop_ambiguous": False, "min_question_words": 1}),
        ("Why?", GOOD[1], {"drop_ambiguous": False, "min_question_words": 1}),
        ("What is it?", GOOD[1], {"drop_ambiguous": False}),
        ("Gout?", GOOD[1], {"min_question_words": 1}),
        (GOOD[0], "Yes.", {"min_answer_words": 1}),
        (GOOD[0], "what is GOUT", {"drop_question_as_answer": False}),
    ],
)
def test_each_rule_can_be_switched_off(question, answer, off):
    assert isinstance(clean_row(raw(question, answer), DEFAULT), Drop)
    assert isinstance(clean_row(raw(question, answer), replace(DEFAULT, **off)), CleanRow)


def test_nothing_can_be_kept_without_a_question_or_an_answer():
    lenient = Rules(drop_placeholders=False, drop_ambiguous=False, min_question_words=1, min_answer_words=1)
    assert clean_row(raw("  ", GOOD[1]), lenient).reason == rules.MISSING_QUESTION
    assert clean_row(raw(GOOD[0], "<br>"), lenient).reason == rules.MISSING_ANSWER


@pytest.mark.parametrize(
    ("using", "wanted"),
    [
        (DEFAULT, "A ﬁne <b>Fever</b>".replace("ﬁ", "fi").replace("<b>", "").replace("</b>", "") + "\nof 40 °C"),
        (Rules(unicode=False), "A ﬁne Fever\nof 40 °C"),
        (Rules(markup=False), "A fine <b>Fever</b>\nof 40 °C"),
        (Rules(whitespace=False), "A  fine Fever\n\nof 40 °C"),
        (Rules(lowercase=True), "a fine fever\nof 40 °c"),
        (Rules(unwanted=re.compile(r"[^A-Za-z0-9\s]")), "A fine Fever\nof 40 C"),
    ],
)
def test_each_normalisation_can_be_switched(using, wanted):
    assert kept("What is a fever?", "A  ﬁne <b>Fever</b>\n\nof 40 °C", using=using).pair.answer == wanted


def test_what_is_left_without_unwanted_characters_may_be_too_little():
    using = Rules(unwanted=re.compile(r"\d"))
    row = clean_row(raw("What is 12 12?", "Some 12 13 14."), using)
    assert restyle_row(row, using).reason == rules.AMBIGUOUS_QUESTION


def test_lone_surrogates_go_even_without_unicode_normalisation():
    assert kept(*GOOD, using=Rules(unicode=False)).pair.answer == GOOD[1]
    assert kept(GOOD[0], "A painful \ud800joint disease.", using=Rules(unicode=False)).pair.answer == GOOD[1]


def test_exact_duplicates_fold_case_and_space_and_keep_the_fuller_row(spool):
    rows = [
        kept("WHAT  is gout?", GOOD[1], 1),
        kept(*GOOD, 2, topic="Gout"),
        kept("What is gout?", GOOD[1] + " More.", 3),
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        left, drops = distinct(spool, [rows[i] for i in order])
        assert {r.row for r in left} == {2, 3}
        assert [(d.row, d.reason, d.detail) for d in drops] == [(1, rules.EXACT_DUPLICATE, "of x.csv row 2")]


def test_three_copies_are_two_drops_that_name_the_row_kept(spool):
    rows = [kept(*GOOD, 1), kept(*GOOD, 2, topic="Gout"), kept(*GOOD, 3, topic="Gout", url="u")]
    left, drops = distinct(spool, rows)
    assert [r.row for r in left] == [3]
    assert sorted((d.row, d.detail) for d in drops) == [(1, "of x.csv row 3"), (2, "of x.csv row 3")]


def test_ids_of_the_data_count_only_if_complete_and_unique(spool):
    rows = [kept("What is gout?", GOOD[1], id="b"), kept("What is croup?", GOOD[1], id="a")]
    found, own = with_ids(spool, numbers(spool, rows), may_own=True)
    assert own and list(found) == [rows[1], rows[0]]  # by id
    for second in ("b", ""):
        changed, own = with_ids(
            spool, numbers(spool, [rows[0], replace(rows[1], pair=replace(rows[1].pair, id=second))]), True
        )
        assert not own
        assert changed.ids == [r.pair.id for r in changed] == sorted(pair_hash(r.pair) for r in rows)
    assert with_ids(spool, numbers(spool, rows), may_own=False)[1] is False


def test_rows_kept_twice_on_demand_get_ids_of_their_own_whatever_their_order(spool):
    rows = [kept(*GOOD, 1, topic="b"), kept(*GOOD, 2, topic="a"), kept(*GOOD, 3, topic="c")]
    wanted = pair_hash(rows[0].pair)
    for order in ([0, 1, 2], [2, 0, 1]):
        found, _ = with_ids(spool, numbers(spool, [rows[i] for i in order]), True)
        assert [(r.pair.id, r.pair.topic) for r in found] == [(wanted, "a"), (f"{wanted}-2", "b"), (f"{wanted}-3", "c")]


def test_hash_id_is_fixed():
    # sha256("what is gout?\0a painful joint disease.")[:16], by an independent tool
    wanted = hashlib.sha256(b"what is gout?\0a painful joint disease.").hexdigest()[:16]
    assert pair_hash(kept(*GOOD).pair) == wanted
