"""The chat as a person sees it.

The README's picture, after ``make demo``:
``MEDQA_SCREENSHOT=docs/images/chat.png MEDQA_CHAT_ADAPTER=$PWD/runs/demo/adapter`` in front of
``.venv/bin/python -m pytest tests/browser -k picture``
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from medqa.paths import PROJECT

pytestmark = pytest.mark.browser

QUESTION = "What are the symptoms of asthma?"
PICTURED = "How do I know if my child has croup?"
ABSENT = "How do I change the oil of a diesel engine?"
TITLE_IN_VIEW = "() => document.querySelector('.mq-head').getBoundingClientRect().top >= 0"
WATCH_DRAFTS = """
() => {
  window.drafts = [];
  new MutationObserver(() => {
    const draft = document.querySelector('.mq-draft');
    if (draft) window.drafts.push(draft.textContent.length);
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}
"""


def ask(page, question: str):
    """Ask and wait for the verified answer; returns the last message."""
    before = page.get_by_test_id("stChatMessage").count()
    page.get_by_test_id("stChatInputTextArea").fill(question)
    page.keyboard.press("Enter")
    return finished(page, before + 2)


def finished(page, messages: int):
    """The last of ``messages`` messages, once it carries the line that closes an answer."""
    last = page.get_by_test_id("stChatMessage").nth(messages - 1)
    last.locator(".mq-meta", has_text=" s").last.wait_for()
    return last


def choose(page, name: str) -> None:
    page.get_by_test_id("stSidebar").get_by_text(name, exact=True).click()


def test_the_empty_page_offers_disclaimer_and_examples(page):
    assert page.get_by_role("note").inner_text().startswith("Information, not medical advice.")
    assert page.get_by_role("heading", name="Medical questions, answered with sources").is_visible()
    examples = page.locator("[class*=st-key-example-] button")
    examples.first.wait_for()
    assert 4 <= examples.count() <= 5
    question = examples.first.inner_text().split("\n")[-1]
    examples.first.click()
    finished(page, 2)
    assert question in page.get_by_test_id("stChatMessage").first.inner_text()


def test_a_quoted_answer_opens_its_source_and_highlights_the_sentence(page):
    choose(page, "Quotes only")
    answer = ask(page, QUESTION)
    text = answer.locator(".mq-answer").inner_text()
    assert "[1]" in text
    source = answer.get_by_test_id("stExpander").first
    assert "[1]" in source.inner_text() and "supports the answer" in source.inner_text()
    mark = source.locator("mark").first
    assert not mark.is_visible()
    source.locator("summary").click()
    mark.wait_for(state="visible")
    quoted = re.sub(r"\u2060\[\d+\]", "", text)
    assert mark.inner_text().strip() in quoted, "an extractive answer quotes the highlighted words"
    assert source.locator(".mq-verdicts li").count() >= 1


def test_a_written_answer_streams_and_is_replaced_by_the_verified_one(page, has_model):
    if not has_model:
        pytest.skip("models/phi3-nano is absent: nothing streams without a model")
    choose(page, "Base model, with sources")
    page.evaluate(WATCH_DRAFTS)
    answer = ask(page, QUESTION)
    lengths = page.evaluate("() => window.drafts")
    assert len(set(lengths)) >= 3 and lengths == sorted(lengths), "the draft grows on the page"
    assert page.locator(".mq-draft").count() == 0
    assert answer.locator(".mq-answer, .mq-refusal").count() == 1


def test_what_the_corpus_does_not_hold_is_refused_calmly(page):
    answer = ask(page, ABSENT)
    refusal = answer.locator(".mq-refusal")
    refusal.wait_for()
    assert "do not answer this question" in refusal.inner_text() and "Why:" in refusal.inner_text()
    assert answer.locator(".mq-answer").count() == 0


def test_markup_in_a_question_stays_text(page, visited):
    hostile = (
        "<script>document.title='owned'</script> ![x](http://example.com/leak.png) <img src=x onerror=alert(1)> asthma"
    )
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    ask(page, hostile)
    assert hostile in page.get_by_test_id("stChatMessage").first.inner_text()
    assert page.title() != "owned" and not dialogs
    assert not [url for url in visited if "example.com" in url]


def test_no_request_leaves_this_machine(page, visited):
    ask(page, "How is migraine treated?")
    page.get_by_test_id("stExpander").first.locator("summary").click()
    page.wait_for_timeout(1500)  # time for whatever a page does on the side
    strangers = [
        u for u in visited if urlsplit(u).scheme not in ("data", "blob") and urlsplit(u).hostname != "127.0.0.1"
    ]
    assert strangers == []
    assert len(visited) > 5, "the watch itself works"


def test_picture_of_a_conversation(page, has_model, tmp_path):
    """One answer with an open source, at the size of the README's picture."""
    page.set_viewport_size({"width": 1280, "height": 1240})
    answer = ask(page, PICTURED) if has_model else None
    if answer is None or answer.locator("li.mq-yes").count() == 0:  # no model, or nothing to show
        page.get_by_role("button", name="Clear conversation").click(force=True)
        choose(page, "Quotes only")
        answer = ask(page, PICTURED)
    source = answer.get_by_test_id("stExpander").first
    source.locator("summary").click()
    source.locator("mark").first.wait_for(state="visible")
    page.wait_for_timeout(600)  # the expander's animation, and the page's own scrolling after it
    page.mouse.move(740, 400)
    page.mouse.wheel(0, -10_000)  # as a person does: the page then stops following its end
    page.wait_for_function(TITLE_IN_VIEW)
    page.mouse.move(640, 5)
    page.wait_for_timeout(400)
    wanted = os.environ.get("MEDQA_SCREENSHOT")
    picture = PROJECT / wanted if wanted else tmp_path / "chat.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=Path(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
