import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa.records import Passage
from rag.citations import Cited, read_markers, verify, write_markers

ASTHMA = Passage("a", "pa", "Asthma narrows the airways.", ((0, 27),), title="Asthma")
GOUT = Passage("g", "pg", "Gout hurts the big toe.", ((0, 23),), title="Gout")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One thing. [1] Another. [2]", [Cited("One thing.", (1,)), Cited("Another.", (2,))]),
        ("One thing [1]. Another [2].", [Cited("One thing.", (1,)), Cited("Another.", (2,))]),
        ("Both agree. [1][2]", [Cited("Both agree.", (1, 2))]),
        ("Both agree. [1, 2]", [Cited("Both agree.", (1, 2))]),
        ("Both agree. [1] [2]", [Cited("Both agree.", (1, 2))]),
        ("First one. Second one. [3]", [Cited("First one.", ()), Cited("Second one.", (3,))]),
        ("No marker here.", [Cited("No marker here.", ())]),
        ("[1] Marker first.", [Cited("Marker first.", ())]),
        ("", []),
    ],
)
def test_a_marker_belongs_to_the_sentence_before_it(text, expected):
    assert read_markers(text) == expected


def test_good_and_bad_citations_are_told_apart():
    checked = verify("Asthma narrows the airways. [1] Gout hurts the big toe. [1]", [ASTHMA, GOUT], 0.6)
    assert [c.supported for c in checked.citations] == [True, False]
    assert checked.unsupported == ("Gout hurts the big toe.",)
    assert checked.citations[0].span == (0, 27)


def test_one_supporting_marker_of_two_is_enough():
    checked = verify("Gout hurts the big toe. [1][2]", [ASTHMA, GOUT], 0.6)
    assert [c.supported for c in checked.citations] == [False, True]
    assert checked.unsupported == ()


def test_markers_outside_the_context_are_removed_and_counted():
    checked = verify("Asthma narrows the airways. [7] Gout hurts the big toe. [2][0]", [ASTHMA, GOUT], 0.6)
    assert checked.text == "Asthma narrows the airways. Gout hurts the big toe. [2]"
    assert checked.invented_markers == 2
    assert checked.unsupported == ("Asthma narrows the airways.",)


def test_sentence_without_marker_is_unsupported_even_if_true():
    assert verify("Asthma narrows the airways.", [ASTHMA], 0.6).unsupported == ("Asthma narrows the airways.",)


@given(st.text(alphabet="ab .[]0123456789,", max_size=80))
def test_no_marker_outside_the_context_ever_survives(text):
    checked = verify(text, [ASTHMA, GOUT], 0.6)
    assert all(1 <= m <= 2 for c in read_markers(checked.text) for m in c.markers)
    assert all(c.marker in (1, 2) for c in checked.citations)


def test_write_markers_inverts_read_markers():
    text = "One thing. [1] Another. Third one. [2][3]"
    assert write_markers(read_markers(text)) == text
