import pytest

from eval.questions import check_header, pick_questions
from ingest.corpus import Corpus
from medqa.errors import MedqaError
from medqa.records import QAPair

PAIRS = tuple(QAPair(f"p{n}", f"Q{n}?", "A.", split="test" if n % 2 else "train") for n in range(40))


def test_the_same_questions_whatever_the_row_order():
    a = pick_questions(Corpus(PAIRS, "x"), "test", 7, seed=3)
    b = pick_questions(Corpus(PAIRS[::-1], "x"), "test", 7, seed=3)
    assert a == b
    assert len(a) == 7
    assert {p.split for p in a} == {"test"}
    assert a != pick_questions(Corpus(PAIRS, "x"), "test", 7, seed=4)


def test_an_empty_split_and_a_header_with_the_question_are_refused():
    with pytest.raises(MedqaError, match="validation split"):
        pick_questions(Corpus(PAIRS, "x"), "validation", None, 0)
    with pytest.raises(MedqaError, match="find itself"):
        check_header("question+topic")
    check_header("topic+synonyms")
