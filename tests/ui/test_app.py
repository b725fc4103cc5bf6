"""The page without a browser, on the real pipeline with written passages and drafts (see conftest)."""

import json
from dataclasses import replace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medqa.errors import MedqaError
from rag.prompt import REFUSAL
from rag.safety import CRISIS, DOSING, EMERGENCY
from ui import loading
from ui.command import SETTINGS_VARIABLE
from ui.conversation import Turn

WAIT_SECONDS = 20


@pytest.fixture
def app(loaded, app_path, monkeypatch):
    st.cache_resource.clear()
    monkeypatch.setattr(loading, "load", lambda settings: loaded)
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    yield AppTest.from_file(str(app_path), default_timeout=WAIT_SECONDS).run()
    st.cache_resource.clear()


def ask(app: AppTest, question: str) -> AppTest:
    app.chat_input[0].set_value(question).run()
    assert not app.exception
    return app


def choose(app: AppTest, variant: str) -> AppTest:
    return app.sidebar.radio(key="variant").set_value(variant).run()


def html(block) -> str:
    """All HTML below ``block``, joined."""
    return "\n".join(element.proto.body for element in block.get("html"))


def test_the_empty_page_has_disclaimer_examples_and_facts(app):
    assert not app.exception
    assert "not medical advice" in html(app) and "911" in html(app)
    assert [b.key for b in app.main.button] == [f"example-{n}" for n in range(3)]
    assert "<dt>Encoder</dt><dd>written</dd>" in html(app.sidebar)
    assert not app.chat_message
    assert not app.main.markdown, "nothing of the script itself is shown"


def test_an_answer_comes_with_its_sources(app, model):
    choose(app, "plain+rag")
    ask(app, "What does asthma do?")
    person, system = app.chat_message
    assert (person.name, system.name) == ("user", "assistant")
    assert "What does asthma do?" in html(person)
    assert "Asthma causes wheezing and a tight chest." in html(system)
    cited, uncited = system.expander
    assert cited.label == r"\[1\] Asthma · supports only part of what cites it"
    assert "<mark>Asthma causes wheezing and a tight chest.</mark> It often starts" in html(cited)
    assert 'href="https://example.org/asthma"' in html(cited)
    assert "<strong>Supported</strong>: “Asthma causes wheezing" in html(cited)
    assert uncited.label == "Retrieved but not cited (1)"
    assert model.calls == [("What does asthma do?", 2)]


def test_an_unsupported_sentence_is_marked_in_the_answer_and_counted(app):
    choose(app, "plain+rag")
    system = ask(app, "What does asthma do?").chat_message[1]
    assert system.get("html")[0].proto.body.count("mq-unsupported") == 1
    assert "It is cured by eating 12 lemons." in html(system).split("mq-unsupported")[1]
    assert "1 sentence is not borne out" in html(system)
    assert "not in the passage: 12" in html(system.expander[0])


def test_a_marker_to_nowhere_is_reported(app):
    choose(app, "plain+rag")
    assert "1 marker pointed to no passage and was removed." in html(ask(app, "migraine?").chat_message[1])


def test_quotes_need_no_model(app, model):
    choose(app, "extractive")
    system = ask(app, "What is migraine?").chat_message[1]
    assert "Light makes it worse." in html(system) and "supports the answer" in system.expander[0].label
    assert 'href="javascript' not in html(system)
    assert model.calls == []


def test_without_evidence_it_abstains_calmly_with_the_reason(app, model):
    choose(app, "plain+rag")
    system = ask(app, "How do engines work?").chat_message[1]
    assert REFUSAL in html(system) and "mq-refusal" in html(system)
    assert "similarity 0.20, needed 0.50" in html(system)
    assert [e.label for e in system.expander] == ["Closest passages, not used (2)"]
    assert not system.error and not system.warning
    assert model.calls == []


def test_a_refusal_of_the_model_looks_the_same(app):
    choose(app, "plain+rag")
    system = ask(app, "Please refuse").chat_message[1]
    assert "mq-refusal" in html(system) and "the model found no answer in the passages" in html(system)


@pytest.mark.parametrize(
    ("question", "message"),
    [("How many mg of ibuprofen for asthma?", DOSING), ("My father has asthma and can't breathe", EMERGENCY)],
)
def test_a_warning_stands_above_the_answer(app, question, message):
    choose(app, "plain+rag")
    system = ask(app, question).chat_message[1]
    assert [w.value for w in system.warning] == [message]
    assert system.children[0].type == "warning"
    assert "Asthma causes wheezing" in html(system)


def test_a_blocked_question_gets_the_message_and_nothing_else(app, model):
    choose(app, "plain+rag")
    system = ask(app, "I want to kill myself because of asthma").chat_message[1]
    assert [e.value for e in system.error] == [CRISIS]
    assert not system.expander and not system.get("html")
    assert model.calls == []


@pytest.mark.parametrize("variant", ["plain", "tuned"])
def test_answers_without_sources_carry_a_warning(app, variant):
    choose(app, variant)
    assert "no sources" in app.sidebar.warning[0].value
    assert app.sidebar.slider(key="passages").disabled
    system = ask(app, "What does asthma do?").chat_message[1]
    assert "nothing backs this text" in system.warning[0].value
    assert not system.expander


def test_the_number_of_passages_reaches_the_model(app, model):
    choose(app, "plain+rag")
    app.sidebar.slider(key="passages").set_value(4).run()
    ask(app, "What does asthma do?")
    assert model.calls == [("What does asthma do?", 4)]


def test_an_example_is_asked_at_a_click(app):
    app.main.button(key="example-1").click().run()
    assert not app.exception
    assert "What are the symptoms of Migraine?" in html(app.chat_message[0])
    assert not [b for b in app.main.button if b.key]


def test_the_conversation_grows_and_is_cleared(app):
    ask(ask(app, "What is asthma?"), "What is migraine?")
    assert [m.name for m in app.chat_message] == ["user", "assistant"] * 2
    clear = next(b for b in app.sidebar.button if b.label == "Clear conversation")
    clear.click().run()
    assert not app.chat_message and app.session_state.turns == []


def test_the_exports_hold_the_conversation(app):
    choose(app, "plain+rag")
    ask(app, "What is asthma?")
    (turn,) = app.session_state.turns
    assert isinstance(turn, Turn) and turn.answer.citations[0].passage.pair_id == "p1"
    assert [b.disabled for b in app.sidebar.get("download_button")] == [False, False]


def test_hostile_text_stays_text(app):
    choose(app, "plain+rag")
    hostile = "<script>alert(1)</script> ![x](http://example.com/x.png) hostile"
    page = ask(app, hostile)
    everything = html(page)
    assert "<script" not in everything and "<img" not in everything
    assert "&lt;script&gt;alert(1)&lt;/script&gt; ![x](http://example.com/x.png) hostile" in everything
    labels = [e.label for e in page.expander]
    assert any(r"\<script\>" in label for label in labels) and not any("![" in label for label in labels)
    assert not [m for m in page.markdown if "script" in m.value]


def test_an_error_while_answering_is_one_message_and_the_chat_goes_on(app, loaded, monkeypatch):
    def fail(*_):
        raise MedqaError("wanted a prompt of at most 10 tokens, found 99; shorten the question")

    choose(app, "plain+rag")
    monkeypatch.setattr(type(loaded), "answer", fail)
    system = ask(app, "What is asthma?").chat_message[1]
    assert "shorten the question" in system.error[0].value
    monkeypatch.undo()
    monkeypatch.setattr(loading, "load", lambda settings: loaded)
    assert "wheezing" in html(ask(app, "What is asthma?").chat_message[3])


def test_a_stopped_answer_keeps_its_question(app):
    app.session_state.turns = [Turn("What is asthma?", "plain+rag")]
    app.run()
    person, system = app.chat_message
    assert "What is asthma?" in html(person) and "Stopped before the answer was finished" in html(system)


def test_an_index_that_went_away_is_told_and_the_conversation_stays(loaded, app_path, monkeypatch):
    def gone():
        raise MedqaError("wanted an index at runs/x, found none")

    st.cache_resource.clear()
    monkeypatch.setattr(loading, "load", lambda settings: replace(loaded, facts=gone))
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    page = ask(AppTest.from_file(str(app_path), default_timeout=WAIT_SECONDS).run(), "What is asthma?")
    assert "found none" in page.sidebar.warning[-1].value
    assert len(page.chat_message) == 2
    st.cache_resource.clear()


def test_a_missing_index_is_one_clear_message(app_path, monkeypatch, tmp_path):
    st.cache_resource.clear()
    monkeypatch.setenv(SETTINGS_VARIABLE, json.dumps({"index": str(tmp_path / "none")}))
    page = AppTest.from_file(str(app_path), default_timeout=WAIT_SECONDS).run()
    assert not page.exception
    (error,) = page.error
    assert "wanted an index at" in error.value.replace("\\", "") and "medqa index build" in error.value.replace(
        "\\", ""
    )
    assert not page.chat_input


def test_only_possible_variants_are_offered(loaded, app_path, monkeypatch):
    st.cache_resource.clear()
    monkeypatch.setattr(loading, "load", lambda settings: replace(loaded, variants=("extractive",)))
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    page = AppTest.from_file(str(app_path), default_timeout=WAIT_SECONDS).run()
    assert page.sidebar.radio(key="variant").options == ["Quotes only"]
    st.cache_resource.clear()
