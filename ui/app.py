"""The chat page: a Streamlit script, run from top to bottom at every interaction.

The conversation lives in the browser session's state; index and model are loaded once per process and shared. Texts of people
and of the corpus reach the page only through :mod:`ui.render`.
"""

import os
import time
from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medqa.environment import prepare
from medqa.errors import MedqaError
from medqa.records import Answer, Variant
from medqa.settings import Settings, load_settings
from ui import loading, render
from ui.command import SETTINGS_VARIABLE
from ui.conversation import Turn, as_json, as_markdown
from ui.style import CSS
from ui.variants import EXPLANATIONS, NAMES

TITLE = "Medical questions, answered with sources"
DISCLAIMER = (
    "<strong>Information, not medical advice.</strong> Answers can be wrong or incomplete. For your own health, ask a doctor "
    "or pharmacist. <strong>In an emergency call your local emergency number</strong> (911 in the US, 112 in Europe)."
)
MOST_PASSAGES = 8
LONGEST_QUESTION = 1000  # characters; about 250 tokens, which leaves the prompt to the passages
VERDICTS = {
    "all": ("supports the answer", ":material/check_circle:"),
    "some": ("supports only part of what cites it", ":material/error:"),
    "none": ("does not support what cites it", ":material/error:"),
}
REDRAW_SECONDS = 0.1  # ten times a second looks fluent; redrawing at every token took longer than writing it
PERSON, SYSTEM = ":material/person:", ":material/health_and_safety:"


@st.cache_resource(show_spinner="Loading the index and the model …")
def load_once(settings_json: str) -> loading.Loaded:
    """Index and model, once per process."""
    settings = Settings.model_validate_json(settings_json)
    prepare(settings.offline)
    return loading.load(settings)


def main() -> None:
    """The page."""
    st.set_page_config(page_title="medqa chat", layout="centered", initial_sidebar_state="expanded")
    st.html(f"<style>{CSS}</style>")
    st.html(
        f'<div class="mq-head"><h1>{TITLE}</h1><p>Every sentence points to the passage it comes from. '
        "Without evidence there is no answer.</p></div>"
    )
    st.html(f'<div class="mq-disclaimer" role="note">{DISCLAIMER}</div>')
    try:
        settings_json = os.environ.get(SETTINGS_VARIABLE) or load_settings(None).model_dump_json(exclude_unset=True)
        loaded = load_once(settings_json)
    except MedqaError as error:
        st.error(render.label(str(error), length=None), icon=":material/build:", title="The chat cannot start yet")
        return

    turns: list[Turn] = st.session_state.setdefault("turns", [])
    variant, passages = show_sidebar(loaded, turns)
    typed = st.chat_input(
        "Ask a health question. Each question stands on its own.",
        max_chars=LONGEST_QUESTION,
        submit_mode="stop",
        key="question",
    )
    question = (typed or st.session_state.pop("example", None) or "").strip()
    examples = st.empty()  # a place of its own: emptied at once, while an answer is still being written
    if not turns and not question:
        with examples.container():
            show_examples(loaded.examples)
    for turn in turns:
        show_turn(turn)
    if question:
        answer_live(loaded, question, variant, passages, turns)
        st.rerun()  # the page again, now with the finished answer in its place and in the exports


def show_sidebar(loaded: loading.Loaded, turns: Sequence[Turn]) -> tuple[Variant, int]:
    """Choices, facts and exports; returns the variant and the number of passages chosen."""
    with st.sidebar:
        st.header("Answers", anchor=False)
        variant: Variant = st.radio(
            "How to answer",
            loaded.variants,
            format_func=NAMES.__getitem__,
            captions=[EXPLANATIONS[v] for v in loaded.variants],
            key="variant",
        )
        closed_book = variant in ("plain", "tuned")
        passages = st.slider(
            "Passages to read",
            1,
            max(MOST_PASSAGES, loaded.pipeline.passages),
            loaded.pipeline.passages,
            disabled=closed_book,
            help="How many of the best passages are read for an answer.",
            key="passages",
        )
        if closed_book:
            st.warning("This choice has no sources: nothing backs its answers.", icon=":material/warning:")
        st.header("Conversation", anchor=False)
        st.button("Clear conversation", icon=":material/delete:", disabled=not turns, on_click=clear, width="stretch")
        left, right = st.columns(2, gap="small")
        export(left, "JSON", as_json(turns), "conversation.json", "application/json", not turns)
        export(right, "Markdown", as_markdown(turns), "conversation.md", "text/markdown", not turns)
        st.header("Index", anchor=False)
        show_facts(loaded)
        st.caption("Everything runs on this machine. Questions are not stored.")
    return variant, passages


def export(place: DeltaGenerator, kind: str, data: str, name: str, mime: str, disabled: bool) -> None:
    """A download button for the conversation."""
    place.download_button(
        kind,
        data,
        name,
        mime,
        icon=":material/download:",
        help=f"Save the conversation as {kind}",
        disabled=disabled,
        on_click="ignore",
        width="stretch",
    )


def show_facts(loaded: loading.Loaded) -> None:
    """The index as it is now: another program may have built a new generation, or moved it away."""
    try:
        st.html(render.facts_html(loaded.facts()))
    except MedqaError as error:
        st.warning(render.label(str(error), length=None), icon=":material/build:")


def clear() -> None:
    """Forget the conversation."""
    st.session_state.turns = []


def show_examples(examples: Sequence[str]) -> None:
    """Questions to begin with, as buttons."""
    if not examples:
        return
    st.html('<p class="mq-meta" style="margin-top:1rem">Ask below, or begin with one of these:</p>')
    for number, example in enumerate(examples):
        st.button(
            render.label(example),
            key=f"example-{number}",
            icon=":material/chat_bubble:",
            on_click=choose_example,
            args=(example,),
            width="stretch",
        )


def choose_example(question: str) -> None:
    """Have the next run of the script ask ``question``."""
    st.session_state.example = question


def answer_live(loaded: loading.Loaded, question: str, variant: Variant, passages: int, turns: list[Turn]) -> None:
    """Answer ``question``, showing the draft while it is written, and add the turn.

    The turn is added first: if the person stops the run, the question stays.
    """
    turns.append(Turn(question, variant))
    show_question(question)
    with st.chat_message("assistant", avatar=SYSTEM):
        place = st.empty()
        written: list[str] = []
        shown_at = 0.0

        def on_text(piece: str) -> None:
            nonlocal shown_at
            written.append(piece)
            if time.monotonic() - shown_at >= REDRAW_SECONDS:
                place.html(render.draft_html("".join(written)))
                shown_at = time.monotonic()

        place.html('<span class="mq-note" role="status">Looking for passages …</span>')
        try:
            answer = loaded.answer(question, variant, passages, on_text)
            turns[-1] = Turn(question, variant, answer)
        except MedqaError as error:
            turns[-1] = Turn(question, variant, error=str(error))


def show_turn(turn: Turn) -> None:
    """A question and its verified answer."""
    show_question(turn.question)
    with st.chat_message("assistant", avatar=SYSTEM):
        if turn.answer is not None:
            show_answer(turn.answer)
        elif turn.error:
            st.error(render.label(turn.error, length=None), icon=":material/error:")
        else:
            st.html('<span class="mq-note">Stopped before the answer was finished.</span>')


def show_question(question: str) -> None:
    """What the person asked."""
    with st.chat_message("user", avatar=PERSON):
        st.html(render.question_html(question))


def show_answer(answer: Answer) -> None:
    """Banner, answer, sources: the same order for every outcome."""
    if answer.safety.action == "block":
        st.error(answer.safety.message, icon=":material/emergency:")
        return
    if answer.safety.action == "warn":
        st.warning(answer.safety.message, icon=":material/emergency:")
    if answer.abstained:
        st.html(render.refusal_html(answer.text, answer.reason))
    else:
        if answer.variant in ("plain", "tuned"):
            st.warning("Written without sources: nothing backs this text.", icon=":material/warning:")
        st.html(render.answer_html(answer))
        show_doubts(answer)
    show_sources(answer)
    seconds = sum(answer.timings_ms.values()) / 1000
    st.html(f'<p class="mq-meta">{NAMES[answer.variant]} · {seconds:.1f} s</p>')


def show_doubts(answer: Answer) -> None:
    """How many sentences are not borne out, in words: the marks in the text alone are easily missed."""
    notes = []
    if answer.unsupported:
        n = len(answer.unsupported)
        notes.append(
            f"⚠ {n} sentence{'s are' if n > 1 else ' is'} not borne out by a cited passage: check before relying on it."
        )
    if answer.invented_markers:
        n = answer.invented_markers
        notes.append(
            f"{n} marker{'s' if n > 1 else ''} pointed to no passage and {'were' if n > 1 else 'was'} removed."
        )
    if notes:
        st.html(f'<p class="mq-meta">{" ".join(notes)}</p>')


def show_sources(answer: Answer) -> None:
    """Each cited passage in an expander of its own, then those that nothing cites."""
    for source in render.sources(answer):
        title = render.label(f"[{source.marker}] {source.passage.title or 'Passage'}")
        verdict, icon = VERDICTS[source.verdict]
        with st.expander(f"{title} · {verdict}", icon=icon):
            st.html(
                render.passage_html(source.passage, [c.span for c in source.citations])
                + render.verdicts_html(source.citations)
            )
    if answer.uncited:
        name = "Closest passages, not used" if answer.abstained else "Retrieved but not cited"
        with st.expander(f"{name} ({len(answer.uncited)})", icon=":material/search:"):
            st.html(render.uncited_html(answer.uncited))


if __name__ == "__main__":  # as which Streamlit runs it
    main()
