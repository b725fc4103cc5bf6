"""The HTML report: exact figures in the right cells, and what is absent is said."""

import re

from ingest.page import to_html
from ingest.plots import figures

from .page_report import Page, crossing

PLOTS = {"certificate", "drops", "groups", "questions", "answers", "types", "topic-sizes", "topics", "sources"}


OPTIONAL = {
    "lengths": {"questions", "answers"},
    "cluster_sizes": {"groups"},
    "topics": {"topics", "topic-sizes"},
    "phi": set(),
}


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
