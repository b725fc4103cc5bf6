"""The page and the Markdown of an evaluation: right figures in the right cells, nothing from elsewhere, texts inert."""

import json
import re

import pytest

from eval.case_html import highlighted
from eval.cases import pick_examples, shown_system, worst_and_best
from eval.heat import mean_by_group
from eval.page import to_html
from eval.plots import forest, risk_coverage_plot
from eval.report import decimal, interval, markdown_report
from eval.rows import by_cell
from eval.score import Tools
from eval.tables import make_tables
from tests.eval.scored_rows import citation, passage, row
from tests.ingest.page_report import POISON, Page, kinds

FACTS = {"questions": "12 of the test split", "model": "tiny"}


def make_rows(text="One two three four."):
    rows = []
    for n in range(12):
        kind = "treatment" if n < 4 else "causes"
        common = {"reference": text, "question_type": kind, "tokens": {"prompt": 10, "new": 5, "truncated": False}}
        common |= {"evidence": 0.5 + n / 100}
        cited = {"citations": [{**citation(1, text), "span": [0, 3], "sentence": text}], "uncited": [passage("Other.")]}
        rows.append(row(n, "one [1]", variant="plain", **{**common, "evidence": None}))
        rows.append(row(n, f"{text} [1]", variant="tuned+rag", **common, **cited))
        rows.append(
            row(n, f"{text} [1]", variant="tuned+rag", **{**common, "index": "held-out", "relevant": []}, **cited)
        )
        refused = {**common, "index": "random-split", "abstained": True, "reason": "no passage was found"}
        rows.append(row(n, "Nothing.", variant="tuned+rag", **refused))
    return rows


def make(rows):
    cells = by_cell(rows)
    measured = {cell: {"load_seconds": {"model": 1.0}, "process_mb": 512.0, "gpu_mb": None} for cell in cells}
    return make_tables(cells, measured, Tools(), 200, 0)


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def metrics(rows):
    return make(rows)


@pytest.fixture(scope="module")
def html(metrics, rows):
    return to_html(metrics, rows, FACTS)


def test_every_index_is_a_table_of_its_own_with_the_systems_that_need_none(metrics):
    assert list(metrics["indexes"]) == ["open-book", "held-out", "random-split"]
    for index in metrics["indexes"].values():
        assert list(index["systems"]) == ["plain", "tuned+rag"]
        assert index["explained"].endswith(".")
        contrasts = {e["contrast"] for e in index["effects"]}
        assert contrasts == {"tuned+rag - plain"}
    json.dumps(metrics, allow_nan=False)


def test_leakage_is_random_split_minus_held_out(metrics, rows):
    found = {e["metric"]: e for e in metrics["leakage"]["tuned+rag"]}
    assert found["rougeL"]["mean"] == pytest.approx(-1.0)  # it repeats the reference on one and refuses on the other
    assert found["refused"]["mean"] == 1.0
    without = make([r for r in rows if r["index"] != "random-split"])
    assert without["leakage"] is None
    assert "random-split" in without["leakage_reason"]


def test_the_markdown_has_tables_differences_costs_and_why_it_refused(metrics, rows):
    text = markdown_report(metrics, rows, FACTS)
    assert "- model: tiny" in text
    assert text.count("| plain | .400 | .000 | .400 [.400, .400] |") == 3
    assert "| tuned+rag | 1.000 | 1.000 | 1.000 [1.000, 1.000] |" in text
    assert "| tuned+rag - plain | ROUGE-L | 12 | +.600 [+.600, +.600] |" in text
    assert "| none | plain | 1.00 | 10 | 5 | 10 | 0 | 1.0 | 512 |" in text
    assert text.count("| none | plain |") == 1
    assert "## Leakage" in text
    refusal = [r for r in rows if r["index"] == "random-split"]
    assert "Why: no passage was found." in markdown_report(metrics, refusal, FACTS)


def test_the_page_holds_the_figures(html):
    page = Page(html)
    assert page.tables["Figures, open-book index"][2][:4] == [
        "tuned+rag",
        "1.0001.000 to 1.000",  # on two lines
        "1.0001.000 to 1.000",
        "1.0001.000 to 1.000",
    ]
    assert page.tables["Figures, random-split index"][2][3] == ".000.000 to .000"
    assert page.tables["Differences in ROUGE-L, open-book index, in numbers"][1][:3] == [
        "tuned+rag - plain",
        "+.600 [+.600, +.600]",
        "12",
    ]
    types = page.tables["Mean ROUGE-L by question type"]
    assert types[0][:4] == ["type", "questions", "plain", "tuned+rag (open-book)"]
    assert [line[:4] for line in types[1:]] == [["causes", "8", ".400", "1.000"], ["treatment", "4", ".400", "1.000"]]
    assert page.tables["Random split minus split by topic"][1][2] == "-1.000 [-1.000, -1.000]"
    assert "<mark>One</mark> two three four." in html
    assert "One two three four." in "".join(page.text)
    svgs = [attrs["aria-labelledby"] for tag, attrs in page.elements if tag == "svg"]
    assert svgs[:3] == ["forest-open-book-rougeL-caption", "risk-open-book-caption", "forest-held-out-rougeL-caption"]


def test_the_page_loads_nothing_and_ids_are_unique(html):
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "base", "form", "image")
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attrs.get(name, "#").startswith("#")
            assert attrs.get(name, "#") == "#" or attrs[name][1:] in ids
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in ids
    assert not re.search(r"https?://", html)
    assert "@import" not in html


def test_texts_of_questions_answers_and_sources_stay_text(html):
    plain = kinds(Page(html))
    for text in POISON:
        rows = make_rows(text)
        for r in rows:
            r["question"] = r["question_type"] = r["reason"] = text
            r["unsupported"] = [text]
            for p in r["citations"] + r["uncited"]:
                p["title"] = text
        page = to_html(make(rows), rows, {"model": text})
        page.encode("utf-8")
        assert kinds(Page(page)) <= plain | {("span", "class", "title"), ("em",)}


def test_failures_are_listed(rows):
    failed = make_rows()
    failed[0] |= {"answer": "", "error": "failed: too long"}
    metrics = make(failed)
    assert "open-book, plain: 1 empty or failed answers, counted as zero: q0" in to_html(metrics, failed, FACTS)
    assert "1 empty or failed answers, counted as zero: q0" in markdown_report(metrics, failed, FACTS)
    assert "Empty and failed" not in markdown_report(make(rows), rows, FACTS)


def test_worst_and_best_do_not_share_a_case_and_refusals_are_not_among_the_best():
    rows = [{"id": f"q{n}", "abstained": n == 9, "scores": {"rougeL": n / 10}} for n in range(10)]
    worst, best = worst_and_best(rows, "rougeL", 3)
    assert [r["id"] for r in worst] == ["q0", "q1", "q2"]
    assert [r["id"] for r in best] == ["q8", "q7", "q6"]
    assert worst_and_best(rows[:2], "rougeL", 3) == (rows[:1], [rows[1]])


def test_the_strongest_systems_answers_are_shown(rows):
    assert shown_system(rows) == ("open-book", "tuned+rag")
    assert shown_system([r for r in rows if r["name"] == "plain"]) == ("none", "plain")
    examples = pick_examples(rows)
    assert [(r["index"], r["abstained"]) for r in examples] == [("open-book", False)] * 2 + [("random-split", True)]


def test_means_over_few_questions_are_left_blank(rows, metrics):
    cells = by_cell(rows)
    groups, means = mean_by_group(cells, "question_type", "rougeL", 5)
    assert groups == [("causes", 8), ("treatment", 4)]
    assert means[0] == [pytest.approx(0.4), 1.0, 1.0, 0.0]
    assert means[1] == [None] * 4


def test_plots_hold_the_data():
    effects = [
        {"contrast": "b - a", "mean": 0.1, "low": 0.05, "high": 0.2},
        {"contrast": "c - a", "mean": 0.0, "low": -0.1, "high": 0.1},
        {"contrast": "d - a", "mean": None, "low": None, "high": None},
    ]
    (axes,) = forest(effects, "ROUGE-L").axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["b - a", "c - a"]
    zero, line, point, _, hollow = axes.lines
    assert list(zero.get_xdata()) == [0, 0]
    assert list(line.get_xdata()) == [0.05, 0.2]
    assert list(point.get_xdata()) == [0.1]
    assert (point.get_markerfacecolor(), hollow.get_markerfacecolor()) == ("#0072b2", "white")
    assert forest(effects[2:], "ROUGE-L") is None
    curve = {"coverage": [0.5, 1.0], "risk": [0.1, 0.4], "area": 0.25}
    (axes,) = risk_coverage_plot({"a": curve, "b": {}}).axes
    assert axes.lines[0].get_xydata().tolist() == [[0.5, 0.1], [1.0, 0.4]]
    assert risk_coverage_plot({"a": {}}) is None


def test_marks_join_where_they_overlap_and_stay_inside_the_text():
    assert highlighted("abc <def>", [[0, 2], [1, 3], [4, 99], None]) == "<mark>abc</mark> <mark>&lt;def&gt;</mark>"
    assert highlighted("abc", [[5, 9], [2, 2]]) == "abc"


def test_numbers_of_tables():
    assert [decimal(v) for v in (0.1234, -0.5, 1.0, 12.3456, None, 0.0)] == [
        ".123",
        "-.500",
        "1.000",
        "12.346",
        "–",
        ".000",
    ]
    assert decimal(0.25, "+") == "+.250"
    assert interval({"mean": 0.5, "low": None, "high": None}) == ".500"
