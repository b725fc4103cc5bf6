import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa.errors import MedqaError
from medqa.review_sheet import Item, read_grades, read_sheet, write_grades, write_sheet

ITEMS = [
    Item("0001", "What is gout?", "Gout hurts.", ('It hurts, "badly".\nVery.', "=cmd|' /C calc'!A0")),
    Item("0002", "頭痛とは?", "Pain.", ("-", "Réponse; avec points")),
]


def test_a_sheet_comes_back_with_formulas_disarmed(tmp_path):
    write_sheet(tmp_path / "s.csv", ITEMS)
    back = read_sheet(tmp_path / "s.csv")
    assert back[0].answers == ('It hurts, "badly".\nVery.', "'=cmd|' /C calc'!A0")
    assert back[1].answers == ("'-", "Réponse; avec points")
    assert [i.question for i in back] == [i.question for i in ITEMS]
    grades, _ = read_grades(tmp_path / "s.csv")
    assert grades == {"0001": (None, None), "0002": (None, None)}


def test_a_sheet_filled_in_by_a_spreadsheet_is_read(tmp_path):
    write_sheet(tmp_path / "s.csv", ITEMS)
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0] |= {"grade_1": "3.0", "grade_2": " 1 ", "comment": "so so"}
    with (tmp_path / "filled.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), delimiter=";")  # as spreadsheets do where the comma is decimal
        writer.writeheader()
        writer.writerows(rows)
    grades, comments = read_grades(tmp_path / "filled.csv")
    assert grades == {"0001": (3, 1), "0002": (None, None)}
    assert comments["0001"] == "so so"


@given(st.dictionaries(st.text("0123", min_size=1), st.tuples(*[st.sampled_from([None, 1, 2, 3, 4])] * 3), min_size=1))
def test_grades_come_back_as_they_were_written(tmp_path_factory, grades):
    file = tmp_path_factory.mktemp("grades") / "ann.csv"
    write_grades(file, grades, {})
    assert read_grades(file)[0] == grades


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("item,grade_1\n0001,5\n", r"wanted a grade of 1 to 4 .* 0001 .* '5'"),
        ("item,grade_1\n0001,good\n", "'good'"),
        ("item,grade_1\n0001,1\n0001,2\n", "'0001' twice"),
        ("item,note\n0001,1\n", "grade_1"),
        ("question,grade_1\nx,1\n", "columns item"),
        ("item,grade_1\n", "found none"),
    ],
)
def test_what_is_not_a_sheet_of_grades_is_told_in_one_line(tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(MedqaError, match=words) as error:
        read_grades(tmp_path / "bad.csv")
    assert "\n" not in str(error.value)


def test_a_missing_sheet_and_bytes_that_are_no_text_are_told(tmp_path):
    with pytest.raises(MedqaError, match="review sheet"):
        read_sheet(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(MedqaError, match="UTF-8"):
        read_sheet(tmp_path / "b.csv")
