"""The review page: a Streamlit script on which one rater grades answers side by side, blinded.

It reads the sheet alone, never the key. Every choice is written to the rater's file at once.
"""

import os
from pathlib import Path

import streamlit as st

from medqa.errors import MedqaError
from medqa.review_sheet import GRADES, SCALE, SHEET, Item, read_grades, read_sheet, write_grades
from ui.command import FOLDER_VARIABLE, RATER_VARIABLE
from ui.render import text_html
from ui.style import CSS

_WIDE = '.block-container, [data-testid="stMainBlockContainer"] { max-width: 90rem; }'
"""Answers stand beside each other: more room than the chat's."""
Given = dict[str, tuple[int | None, ...]]


def main() -> None:
    """The page."""
    st.set_page_config(page_title="medqa review", layout="wide")
    st.html(f"<style>{CSS}{_WIDE}</style>")
    folder, rater = Path(os.environ[FOLDER_VARIABLE]), os.environ[RATER_VARIABLE]
    file = folder / GRADES / f"{rater}.csv"
    try:
        items = read_sheet(folder / SHEET)
        given, comments = read_grades(file) if file.exists() else ({}, {})
    except MedqaError as error:
        st.error(str(error), icon=":material/error:")
        return
    given = {item.id: given.get(item.id, (None,) * len(item.answers)) for item in items}
    done = sum(None not in grades for grades in given.values())
    st.html(
        f'<div class="mq-head"><h1>Grade the answers</h1><p>{text_html(rater)} · {done} of {len(items)} done</p></div>'
    )
    st.progress(done / len(items))
    place = _place(items, given)
    item = items[place]
    _navigation(place, len(items))
    st.html(f'<div class="mq-question"><strong>{text_html(item.question)}</strong></div>')
    with st.expander("Reference answer", expanded=True):
        st.html(f'<div class="mq-answer">{text_html(item.reference)}</div>')
    chosen = _answers(item, given[item.id])
    comment = st.text_input("Comment (optional)", value=comments.get(item.id, ""), key=f"comment {item.id}")
    if chosen != given[item.id] or comment != comments.get(item.id, ""):
        given[item.id], comments[item.id] = chosen, comment
        file.parent.mkdir(exist_ok=True)
        write_grades(file, given, comments)
        st.rerun()  # the count above follows


def _place(items: list[Item], given: Given) -> int:
    """Which item is shown: the one gone to, else the first with an open grade."""
    if "place" not in st.session_state:
        open_items = (n for n, item in enumerate(items) if None in given[item.id])
        st.session_state.place = next(open_items, 0)
    return min(int(st.session_state.place), len(items) - 1)


def _navigation(place: int, number: int) -> None:
    back, where, forward = st.columns([1, 2, 1], vertical_alignment="center")
    back.button("Back", disabled=place == 0, on_click=_go, args=(place - 1,), width="stretch", key="back")
    where.html(f'<p class="mq-meta" style="text-align:center">Question {place + 1} of {number}</p>')
    forward.button("Next", disabled=place + 1 == number, on_click=_go, args=(place + 1,), width="stretch", key="next")


def _go(place: int) -> None:
    st.session_state.place = place


def _answers(item: Item, given: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The answers beside each other, each with the scale under it; the grades chosen."""
    grades: list[int | None] = []
    scale = list(SCALE)
    for n, (column, answer, grade) in enumerate(
        zip(st.columns(len(item.answers)), item.answers, given, strict=True), 1
    ):
        with column:
            st.html(f'<h3>Answer {n}</h3><div class="mq-answer">{text_html(answer)}</div>')
            grades.append(
                st.radio(
                    f"Grade of answer {n}",
                    scale,
                    index=None if grade is None else scale.index(grade),
                    format_func=lambda g: f"{g} {SCALE[g]}",
                    key=f"grade {item.id} {n}",
                )
            )
    return tuple(grades)


if __name__ == "__main__":  # as which Streamlit runs it
    main()
