import pytest

from ingest import clean
from ingest.clean import CleanRow, clean_row, drop_exact_duplicates, find_problem, is_ambiguous, with_ids
from ingest.raw import RawRow
from medqa.records import QAPair

GOOD = ("What is gout?", "A painful joint disease.")


def raw(question, answer, row=1, file="x.csv", **fields):
    return RawRow(file, row, {"question": question, "answer": answer, **fields})


def kept(question, answer, row=1, file="x.csv", **fields):
    found = clean_row(raw(question, answer, row, file, **fields), 2, 3)
    assert isinstance(found, CleanRow)
    return found


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("", GOOD[1], clean.MISSING_QUESTION),
        ("n/a", GOOD[1], clean.MISSING_QUESTION),
        ("<p>&nbsp;</p>", GOOD[1], clean.MISSING_QUESTION),
        (GOOD[0], " \n", clean.MISSING_ANSWER),
        (GOOD[0], "NaN", clean.MISSING_ANSWER),
        ("Why?", GOOD[1], clean.AMBIGUOUS_QUESTION),
        ("What is it?", GOOD[1], clean.AMBIGUOUS_QUESTION),
        ("...", GOOD[1], clean.AMBIGUOUS_QUESTION),
        ("Gout?", GOOD[1], clean.SHORT_QUESTION),
        (GOOD[0], "A disease.", clean.SHORT_ANSWER),
        (GOOD[0], "what is GOUT", clean.QUESTION_IS_ANSWER),
        (*GOOD, None),
    ],
)
def test_each_rule_on_its_smallest_case(question, answer, reason):
    found = clean_row(raw(question, answer), min_question_words=2, min_answer_words=3)
    assert (found.reason if isinstance(found, clean.Drop) else None) == reason
    assert reason is None or reason in clean.REASONS


def test_unreadable_and_unpublished_rows_have_reasons_of_their_own():
    assert clean_row(RawRow("x", 1, {}, "broken"), 2, 3).reason == clean.UNREADABLE
    unanswered = RawRow("x", 1, {"question": "What is gout?", "answer": ""}, unanswered=True)
    assert clean_row(unanswered, 2, 3).reason == clean.NOT_PUBLISHED


def test_word_limits_are_inclusive():
    assert find_problem("two words", "three words here", 2, 3) is None
    assert find_problem("two words", "three words here", 3, 3) == (clean.SHORT_QUESTION, "wanted 3 words, found 2")


@pytest.mark.parametrize(
    "question", ["Is cancer inherited?", "What causes Gout?", "What is (are) Croup?", "Was ist Gicht?"]
)
def test_one_word_with_a_topic_is_enough(question):
    assert not is_ambiguous(question)


def test_all_fields_are_cleaned():
    pair = kept(*GOOD, topic=" Gout\x00 ", question_type="Causes", synonyms="a| |b|a", url="u", id="1").pair
    assert pair == QAPair("1", *GOOD, "x.csv", "u", "Gout", "causes", ("a", "b"))


def test_exact_duplicates_fold_case_and_space_and_keep_the_fuller_row():
    rows = [
        kept("WHAT  is gout?", GOOD[1], 1),
        kept(*GOOD, 2, topic="Gout"),
        kept("What is gout?", GOOD[1] + " More.", 3),
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        left, drops = drop_exact_duplicates([rows[i] for i in order])
        assert {r.row for r in left} == {2, 3}
        assert [(d.row, d.reason, d.detail) for d in drops] == [(1, clean.EXACT_DUPLICATE, "of x.csv row 2")]


def test_three_copies_are_two_drops():
    left, drops = drop_exact_duplicates([kept(*GOOD, n) for n in (1, 2, 3)])
    assert (len(left), len(drops)) == (1, 2)


def test_ids_of_the_data_count_only_if_complete_and_unique():
    rows = [kept("What is gout?", GOOD[1], id="a"), kept("What is croup?", GOOD[1], id="b")]
    assert with_ids(rows) == (rows, True)
    for second in ("a", ""):
        changed, own = with_ids([rows[0], kept("What is croup?", GOOD[1], id=second)])
        assert not own
        assert len({r.pair.id for r in changed}) == 2
        assert all(len(r.pair.id) == 16 for r in changed)


def test_hash_id_is_fixed():
    # sha256("what is gout?\0a painful joint disease.")[:16], by an independent tool
    import hashlib

    wanted = hashlib.sha256(b"what is gout?\0a painful joint disease.").hexdigest()[:16]
    assert clean.pair_hash(kept(*GOOD).pair) == wanted
