"""The review page without a browser: grades reach the file at once, and the page starts at the first open question."""

import subprocess
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medqa.errors import MedqaError
from medqa.review_sheet import Item, read_grades, write_grades, write_sheet
from medqa.settings import Settings
from ui import command
from ui.command import FOLDER_VARIABLE, RATER_VARIABLE

HOSTILE = "<script>alert(1)</script> ![x](http://example.com/x.png)"
ITEMS = [
    Item("0001", "What is gout?", "Gout hurts.", ("It hurts.", "Nothing.")),
    Item("0002", f"What is {HOSTILE}?", HOSTILE, (HOSTILE, "Two.")),
    Item("0003", "What is asthma?", "Airways.", ("One.", "Two.")),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_sheet(tmp_path / "sheet.csv", ITEMS)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv(RATER_VARIABLE, "ann")
    return tmp_path


def page():
    app = AppTest.from_file(str(Path(command.REVIEW)), default_timeout=20).run()
    assert not app.exception
    return app


def html(app):
    return " ".join(element.proto.body for element in app.get("html"))


def test_a_choice_is_written_at_once_and_next_leads_on(folder):
    app = page()
    assert "What is gout?" in html(app)
    assert "0 of 3 done" in html(app)
    app.radio[0].set_value(4).run()
    app.radio[1].set_value(1).run()
    assert read_grades(folder / "grades" / "ann.csv")[0] == {"0001": (4, 1), "0002": (None, None), "0003": (None, None)}
    assert "1 of 3 done" in html(app)
    app.button(key="next").click().run()
    app.text_input[0].set_value("unsure").run()
    assert read_grades(folder / "grades" / "ann.csv")[1]["0002"] == "unsure"
    assert not app.exception


def test_it_goes_on_at_the_first_open_question_and_texts_stay_texts(folder):
    write_grades(folder / "grades" / "ann.csv", {"0001": (4, 1), "0002": (None, 2), "0003": (1, 1)}, {})
    app = page()
    shown = html(app)
    assert "Question 2 of 3" in shown
    assert app.radio[1].value == 2
    assert "<script>" not in shown
    assert shown.count("&lt;script&gt;") == 3  # question, reference, answer
    assert not [m for m in app.markdown if "example.com" in m.value]


def test_a_damaged_file_of_grades_is_told_and_kept(folder):
    (folder / "grades").mkdir()
    (folder / "grades" / "ann.csv").write_text("item,grade_1\n0001,9\n")
    app = page()
    assert "wanted a grade of 1 to 4" in app.error[0].value
    assert (folder / "grades" / "ann.csv").read_text() == "item,grade_1\n0001,9\n"


def test_names_and_sheets_are_checked_before_the_server_starts(folder, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("the server was started"))
    with pytest.raises(MedqaError, match=r"rater's name .*'\.\./x'"):
        command.review(folder, "../x", Settings(), 8599)
    with pytest.raises(MedqaError, match="review sheet"):
        command.review(folder / "none", "ann", Settings(), 8599)
