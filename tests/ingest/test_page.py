"""The HTML report: exact figures in the right cells, nothing from elsewhere, corpus text inert, the same bytes again."""

import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.page import to_html
from ingest.plots import figures
from medqa.paths import PROJECT
from medqa.svg import readable

from .page_report import crossing, full_report

VOID = {"meta", "br", "hr", "img", "input", "link"}
PLOTS = {"certificate", "drops", "groups", "questions", "answers", "types", "topic-sizes", "topics", "sources"}
OPTIONAL = {
    "lengths": {"questions", "answers"},
    "cluster_sizes": {"groups"},
    "topics": {"topics", "topic-sizes"},
    "phi": set(),
}


class Page(HTMLParser):
    """Tables by caption, elements and texts of a page; every element that is opened must be closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.elements, self.text, self.svg_text, self.notes = {}, [], [], [], []
        self._open, self._rows, self._caption = [], None, None
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
        if tag == "p":
            self.notes.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "table":
            assert self._caption not in self.tables
            self.tables[self._caption] = self._rows

    def handle_data(self, data):
        if "svg" in self._open:
            self.svg_text.append(data)
        elif "style" not in self._open:
            self.text.append(data)
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data
        if "p" in self._open:
            self.notes[-1] += data


@pytest.fixture(scope="module")
def html():
    """The page of the report as it is."""
    return to_html(full_report())


def kinds(page):
    """What a page is made of: elements with the names of their attributes."""
    return {(tag, *sorted(attrs)) for tag, attrs in page.elements}


def label(text):
    """What stands beside a bar."""
    shown = readable(text) or "(none)"
    return shown if len(shown) <= 27 else f"{shown[:26]}…"


def test_tables_hold_the_figures(html):
    tables = Page(html).tables
    assert tables["Sizes"] == [
        ["split", "rows", "share", "wanted", "groups"],
        ["train", "960", "80.00%", "80.0%", "300"],
        ["validation", "120", "10.00%", "10.0%", "41"],
        ["test", "120", "10.00%", "10.0%", "42"],
    ]
    assert tables["Rows of test and train"] == [
        ["what", "this split", "random split"],
        ["pairs sharing question", "0", "61"],
        ["pairs sharing answer", "0", "1,362"],
        ["pairs sharing topic", "0", "806"],
        ["near duplicate pairs", "0", "2,724"],
        ["rows sharing question or answer", "0", "30"],
        ["share of rows sharing question or answer", "0.0%", "25.0%"],
    ]
    assert tables["Rows of test and validation"][2] == ["pairs sharing answer", "0", "199"]
    assert tables["By reason"][1:] == [["too short", "3", "0.25%"], ["exact duplicate", "7", "0.58%"]]
    assert tables["The largest groups"][1:] == [
        ["000faa731b441f9c", "300", "25.0%", "train", "40", "12", "Gout, Mumps"],
    ]
    assert tables["Answers that stand under several questions"][1:] == [["12", "11", "Ask a doctor."]]
    assert tables["Median of questions"][1:] == [
        ["train", "960", "4"],
        ["validation", "120", "4"],
        ["test", "120", "4"],
    ]
    assert [row[2] for row in tables["Median of answers"][1:]] == ["10 to 99", "100 or more", "1 to 9"]
    assert tables["Rows by words of the answer"][1:] == [
        ["1 to 9", "96", "12", "120"],
        ["10 to 99", "480", "12", "0"],
        ["100 or more", "384", "96", "0"],
    ]
    assert tables["Rows by type, with their share of the split"][1:] == [
        ["symptoms", "480 50.0%", "30 25.0%", "60 50.0%"],
        ["causes", "480 50.0%", "90 75.0%", "60 50.0%"],
    ]
    assert tables["Rows by source, with their share of the split"][2] == ["(none)", "60 6.2%", "0 0.0%", "0 0.0%"]
    assert tables["The 2 most frequent topics"][1:] == [["Gout", "40"], ["Mumps", "31"]]
    assert tables["By rule"][1:] == [["e-mail", "1"], ["phone", "3"]]


def test_sections_come_in_order_and_the_certificate_says_zero_first(html):
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", html)
    assert titles == [
        "Certificate",
        "Splits",
        "Dropped rows",
        "Near-duplicates and groups",
        "Lengths",
        "Question types",
        "Topics",
        "Personal data",
        "Sources",
    ]
    notes = Page(html).notes
    assert notes[:4] == [
        "1,210 rows read",
        "1,200 kept",
        "10 dropped, each with its reason",
        "383 groups, each in one split",
    ]
    assert notes[4] == (
        "Nothing is shared: 0 pairs of rows across train, validation and test "
        "(same question, same answer, same topic, near-duplicate)."
    )
    assert notes[5] == "0 of 120 test rows have their question or answer in train: this split"
    assert notes[6] == "30 of 120 test rows have their question or answer in train: a random split (25.0%)"
    assert "“What is alpha?” in test and “What is beta?” in train" in "".join(notes)
    assert "unaccounted" not in html


def test_what_newer_reports_add_is_shown(report):
    report["boilerplate"] = {"least": 5, "answers": 2, "rows": 17}
    closest = report["certificate"]["closest"]
    closest["others"] = [
        {"jaccard": 0.5, "test": {"id": "c", "question": "C?"}, "train": {"id": "d", "question": "D?"}}
    ]
    report["phi"] = {"rows": 0, "by_rule": {}, "action": "none"}
    page = Page(to_html(report))
    assert page.tables["The closest pairs"][1:] == [["0.791", "What is alpha?", "What is beta?"], ["0.500", "C?", "D?"]]
    assert "2 answers repeated over at least 5 questions; 17 rows with one of them." in page.notes
    assert "The rows were not screened." in page.notes


def test_what_is_shared_is_not_called_nothing(report):
    report["certificate"]["split"]["test/train"] = crossing(0, 2, None, 1, 2, 2 / 120)
    page = Page(to_html(report))
    assert page.notes[4] == (
        "Not everything is apart. 2 pairs sharing answer of test and train; 1 near duplicate pairs of test and train; "
        "2 rows sharing question or answer of test and train."
    )
    assert page.notes[5].startswith("2 of 120 test rows")
    assert ["pairs sharing topic", "no data", "806"] in page.tables["Rows of test and train"]
    assert "Nothing is shared" not in "".join(page.text)


def test_rows_that_do_not_add_up_are_said(report):
    report["rows"]["in"] = 1213
    assert "3 rows are unaccounted for" in to_html(report)


def test_an_update_and_warnings_are_shown(report, html):
    assert "The last update" not in Page(html).tables
    report["update"] = {"added": 12, "changed": 3, "removed": 0, "already_there": 5, "joined_two_sides": 1}
    report["warnings"] = ["test has 9.0% of the rows."]
    page = Page(to_html(report))
    assert page.tables["The last update"][1:] == [
        ["added", "12"],
        ["changed", "3"],
        ["removed", "0"],
        ["already there", "5"],
        ["joined two sides", "1"],
    ]
    assert "test has 9.0% of the rows." in page.notes


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


POISON = [
    "<script>alert(1)</script>",
    "</title></svg><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "--><b>x</b><!--",
    "$\\frac{1}{0}$ & <![CDATA[",
    'id="x" : #0072b2 url(#p1)',
    "a\x00b\x1b\ud800c",
    "頭痛とは何ですか",
    "صداع",
]


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


def test_the_same_report_gives_the_same_bytes_in_any_process(report, html, tmp_path):
    """Another hash seed, another day, another folder, and a matplotlibrc that wants it all different."""
    (tmp_path / "matplotlibrc").write_text("axes.linewidth: 5\nsvg.fonttype: path\nxtick.major.size: 9\n")
    (tmp_path / "report.json").write_text(json.dumps(report))
    script = (
        "import hashlib, json, sys; from ingest.page import to_html;"
        "print(hashlib.sha256(to_html(json.load(open('report.json'))).encode()).hexdigest())"
    )
    assert to_html(report) == html
    expected = hashlib.sha256(html.encode()).hexdigest()
    for seed in ("0", "1"):
        variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROJECT), "SOURCE_DATE_EPOCH": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_drawing_leaves_the_settings_of_matplotlib_alone(report):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures(report)
    to_html(report)
    assert dict(matplotlib.rcParams) == before


def test_importing_the_page_does_not_import_matplotlib():
    script = "import sys, ingest.page; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_absent_keys_leave_their_plots_out_and_say_so(report):
    assert set(figures(report)) == PLOTS
    for key, plots in OPTIONAL.items():
        assert set(figures({k: v for k, v in report.items() if k != key})) == PLOTS - plots
    page = Page(to_html({k: v for k, v in report.items() if k not in OPTIONAL}))
    for key in OPTIONAL:
        assert any(f"This report has no {key};" in note for note in page.notes)
    assert [attrs["aria-labelledby"] for tag, attrs in page.elements if tag == "svg"] == [
        f"{name}-caption" for name in ("certificate", "drops", "types", "sources")
    ]


def test_a_corpus_with_an_empty_split_and_little_else(report):
    report["splits"]["validation"] = {"rows": 0, "share": 0.0, "wanted": 0.1, "groups": 0}
    for side in ("split", "random"):
        report["certificate"][side]["validation/train"] = crossing(0, 0, None, 0, 0, 0.0)
        report["certificate"][side]["test/validation"] = crossing(0, 0, None, 0, 0, None)
    report["certificate"]["closest"] = {"jaccard": None, "reason": "no pair across test and train reaches 0.02"}
    report["rows"] = {"in": 1200, "kept": 1200, "dropped": 0, "dropped_by_reason": {}}
    report["by_type"] = {"symptoms": {"train": 3, "validation": 0, "test": 1}}
    report["by_source"] = {}
    report["topics"] = {"topics": 0, "rows_with_topic": 0, "most_frequent": [], "sizes": {}}
    report["phi"] = {"rows": 0, "by_rule": {}, "action": "drop"}
    report["repeated_answers"] = []
    for histogram in report["lengths"].values():
        histogram["validation"] = [0, 0, 0]
    drawn = figures(report)
    assert set(drawn) == {"certificate", "groups", "questions", "answers", "types"}
    for name in ("questions", "types"):
        assert [text.get_text() for text in drawn[name].legends[0].get_texts()] == ["train", "test"]
    page = Page(to_html(report))
    assert page.notes[4].startswith("Nothing is shared: 0 pairs of rows across train and test (")
    assert "validation has no rows; what it is compared with counts as nothing." in page.notes
    assert "Closest pair across test and train: no pair across test and train reaches 0.02." in page.notes
    assert "The data has no topics." in page.notes
    assert "The data has no sources." in page.notes
    assert "No row looks like personal data." in page.notes
    assert page.tables["Rows by type, with their share of the split"][1] == ["symptoms", "3 100.0%", "0", "1 100.0%"]
    assert page.tables["Median of answers"][1:] == [["train", "960", "10 to 99"], ["test", "120", "1 to 9"]]
    assert page.tables["Rows of test and validation"][-1][1:] == ["no data", "no data"]


def test_only_one_split_cannot_be_called_clean(report):
    for split in ("validation", "test"):
        report["splits"][split] = {"rows": 0, "share": 0.0, "wanted": 0.1, "groups": 0}
    html = to_html(report)
    assert "There are no two splits with rows: nothing could be compared." in html
    assert "Nothing is shared" not in html
