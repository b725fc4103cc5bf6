"""The HTML report loads nothing, and text of the corpus stays text in it."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.page import to_html
from medqa.svg import readable

from .page_report import POISON, Page, full_report, kinds


def label(text):
    """What stands beside a bar."""
    shown = readable(text) or "(none)"
    return shown if len(shown) <= 27 else f"{shown[:26]}…"


def test_the_page_loads_nothing_and_ids_are_unique(html):
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attrs.get(name, "#").startswith("#")
            assert attrs.get(name, "#") == "#" or attrs[name][1:] in ids
        for target in re.findall(r"url\(([^)]*)\)", " ".join(v or "" for v in attrs.values())):
            assert target[0] == "#"
            assert target[1:] in ids
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in ids
    assert "@import" not in html
    assert not re.search(r"https?://", html)  # not even a namespace: HTML needs none
    assert ("html", {"lang": "en"}) in page.elements
    svgs = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert [svg["aria-labelledby"] for svg in svgs] == [
        f"{n}-caption"
        for n in ("certificate", "drops", "groups", "questions", "answers", "types", "topic-sizes", "topics", "sources")
    ]
    assert all(svg["role"] == "img" and svg["viewbox"] for svg in svgs)


def test_text_of_the_corpus_stays_text(report, html):
    """Wherever the report holds text of the corpus: in tables, sentences and plots."""
    plain = kinds(Page(html))
    group = report["groups"]["largest"][0]
    report["groups"]["largest"] = [{**group, "some_topics": [text]} for text in POISON]
    report["repeated_answers"] = [{"rows": 2, "topics": 1, "answer": text} for text in POISON]
    report["by_type"] = {text: {"train": 1, "validation": 1, "test": 1} for text in POISON}
    report["by_source"] = report["by_type"]
    report["topics"]["most_frequent"] = [[text, 3] for text in POISON]
    report["warnings"] = POISON
    report["certificate"]["closest"]["test"]["question"] = POISON[0]
    poisoned = to_html(report)
    poisoned.encode("utf-8")
    page = Page(poisoned)
    assert kinds(page) == plain
    shown = [readable(text) for text in POISON]
    assert shown[6] == "a\ufffdb\ufffd\ufffdc"
    tables = page.tables
    assert [row[-1] for row in tables["The largest groups"][1:]] == shown
    assert [row[-1] for row in tables["Answers that stand under several questions"][1:]] == shown
    assert [row[0] for row in tables["The 9 most frequent topics"][1:]] == shown
    assert [row[0] for row in tables["Rows by type, with their share of the split"][1:]] == shown
    assert set(shown) <= set(page.notes)
    for text in POISON:
        assert page.svg_text.count(label(text)) == 3  # types, topics and sources: no formula, no colour, no id in it


@settings(max_examples=15, deadline=None)  # each draws three figures
@given(text=st.text(st.characters(codec=None), min_size=1, max_size=40))
def test_any_text_stays_text(html, text):
    few = {k: v for k, v in full_report().items() if k not in ("lengths", "cluster_sizes", "topics")}
    few["by_source"], few["by_type"] = {}, {text: {"train": 1, "validation": 1, "test": 1}}
    few["warnings"] = [text]
    few["repeated_answers"] = [{"rows": 2, "topics": 1, "answer": text}]
    page = Page(to_html(few))
    assert kinds(page) <= kinds(Page(html)) | {("p", "class")}
    assert label(text) in page.svg_text
    assert readable(text) in page.notes
    assert page.tables["Answers that stand under several questions"][1][-1] == readable(text)
    assert page.tables["Rows by type, with their share of the split"][1][0] == (readable(text) or "(none)")
