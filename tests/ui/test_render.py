import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa.records import Answer, Citation, Hit, Passage
from rag.citations import verify
from ui import render


class Reader(HTMLParser):
    """What a browser would see: the tags, and the text inside and outside <mark>."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: list[str] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = self._inside or tag == "mark"
        if tag == "mark":
            self.marked.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "mark"

    def handle_data(self, data):
        self.text += data
        if self._inside:
            self.marked[-1] += data

    @classmethod
    def of(cls, html: str) -> "Reader":
        reader = cls()
        reader.feed(html)
        reader.close()
        return reader


def passage(text: str, **fields: str) -> Passage:
    return Passage(id="a:0:0", pair_id="a", text=text, sentences=((0, len(text)),), **fields)


def citation(sentence: str, supported: bool, marker: int = 1, **fields: str) -> Citation:
    return Citation(marker, passage("Rest helps.", **fields), sentence, (0, 11), supported, "100% of its words")


def test_highlight_marks_exactly_the_span():
    assert render.highlight("Rest helps. Tea does not.", [(0, 11)]) == "<mark>Rest helps.</mark> Tea does not."


def test_highlight_joins_neighbouring_sentences():
    assert render.highlight("One. Two. Three.", [(5, 9), (0, 4)]) == "<mark>One. Two.</mark> Three."


def test_highlight_merges_overlapping_spans_and_cuts_those_outside():
    assert render.highlight("abcdef", [(0, 3), (2, 4), None, (5, 99), (4, 4)]) == "<mark>abcd</mark>e<mark>f</mark>"


@given(st.text(), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60))))
def test_highlight_loses_no_character_and_adds_no_tag(text, spans):
    text = text.replace("\r", "\n").replace("\x00", " ")  # HTML has no carriage return and no NUL
    seen = Reader.of(render.highlight(text, spans))
    assert seen.text == text
    assert {tag for tag, _ in seen.tags} <= {"mark"}
    inside = [i for i in range(len(text)) if any(a <= i < b for a, b in spans)]
    marked = "".join(seen.marked)
    assert "".join(marked.split()) == "".join("".join(text[i] for i in inside).split())
    assert len(marked) >= len(inside), "white space between two spans may be marked with them"


def test_only_the_unsupported_sentence_is_marked():
    found = passage("Rest helps a cold. Drink water.", title="Cold")
    text = "Rest helps a cold. [1] Lemons cure it at once. [1] Nobody says where this is from."
    checked = verify(text, [found], 0.6)
    answer = Answer("q", checked.text, "plain+rag", citations=checked.citations, unsupported=checked.unsupported)
    html = render.answer_html(answer)
    assert html.count('class="mq-unsupported"') == len(checked.unsupported) == 2
    assert "<span>Rest helps a cold.</span>" in html
    assert f'title="{render.NOT_BORNE_OUT}">Lemons cure it at once.' in html


@given(
    st.lists(
        st.sampled_from(
            [
                "Rest helps a cold.",
                "Lemons cure it.",
                "[1]",
                "[2]",
                "[7]",
                "\n",
                "Dr. Smith says so!",
                "and",
                "<b>x</b>.",
            ]
        ),
        max_size=12,
    )
)
def test_marks_agree_with_the_verdict_for_any_draft(parts):
    checked = verify(" ".join(parts), [passage("Rest helps a cold."), passage("Dr. Smith says so!")], 0.6)
    answer = Answer("q", checked.text, "plain+rag", checked.citations, unsupported=checked.unsupported)
    judged = render.judged_sentences(answer)
    assert [s for s, citations in judged if not any(c.supported for c in citations)] == list(checked.unsupported)
    assert tuple(c for _, citations in judged for c in citations) == checked.citations
    marked = re.findall(
        r'class="mq-unsupported" title="[^"]*">(.*?)<span class="mq-flag"', render.answer_html(answer), re.DOTALL
    )
    assert unescape(" ".join(marked)) == " ".join(checked.unsupported)


def test_text_that_was_never_judged_is_marked_as_a_whole():
    html = render.answer_html(Answer("q", "Nobody judged this. Nor this.", "plain+rag"))
    assert html.count('class="mq-unsupported"') == 1 and "Nobody judged this. Nor this.<span" in html


def test_text_without_sources_is_shown_whole_and_unmarked():
    html = render.answer_html(Answer("q", "Line one.\nLine <two>.", "plain"))
    assert html == '<div class="mq-answer">Line one.\nLine &lt;two&gt;.</div>'


def test_sources_group_the_citations_of_a_marker_and_sum_up_their_verdicts():
    answer = Answer(
        "q",
        "",
        "plain+rag",
        (citation("b", True, 2), citation("a", True), citation("c", False), citation("d", False, 3)),
    )
    grouped = render.sources(answer)
    assert [(s.marker, [c.sentence for c in s.citations], s.verdict) for s in grouped] == [
        (1, ["a", "c"], "some"),
        (2, ["b"], "all"),
        (3, ["d"], "none"),
    ]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><b x="', "![x](http://e.com/x)"]
)
def test_no_text_becomes_a_tag_anywhere(hostile):
    bad = passage(hostile, title=hostile, source=hostile, url=hostile)
    cited = Citation(1, bad, hostile, (0, len(hostile)), False, hostile)
    html = "".join(
        [
            render.answer_html(Answer("q", f"{hostile} [1]", "plain+rag", (cited,))),
            render.answer_html(Answer("q", hostile, "plain")),
            render.draft_html(hostile),
            render.question_html(hostile),
            render.refusal_html(hostile, hostile),
            render.passage_html(bad, [(0, 5)]),
            render.verdicts_html([cited]),
            render.uncited_html([Hit(bad, 0.5, dense=0.5, dense_rank=1, lexical=2.0, lexical_rank=1)]),
            render.facts_html([(hostile, hostile)]),
        ]
    )
    seen = Reader.of(html)
    assert {tag for tag, _ in seen.tags}.isdisjoint({"script", "img", "b", "a"})
    assert not any(name.startswith("on") or name == "x" for _, attributes in seen.tags for name in attributes)
    assert hostile in seen.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "JAVASCRIPT:alert(1)", "//x.org", "http://[bad", ""]
)
def test_only_web_addresses_become_links(url):
    assert "<a " not in render.origin_html(passage("x", source="s", url=url))


def test_a_web_address_becomes_a_link():
    seen = Reader.of(render.origin_html(passage("x", source="Health site", url='https://example.org/?a=1&b="2"')))
    links = [attributes for tag, attributes in seen.tags if tag == "a"]
    assert links == [{"href": 'https://example.org/?a=1&b="2"', "target": "_blank", "rel": "noopener noreferrer"}]


def test_label_escapes_markdown_and_what_streamlit_reads_after_it():
    assert render.label("a *b* [c](d)") == r"a \*b\* \[c\]\(d\)"
    joined = render.label(":material/delete: https://e.com www.e.com")
    assert ":material" not in joined.replace("\\", "") and "://" not in joined.replace("\\", "")
    assert "www." not in joined.replace("\\", "")


def test_label_is_one_line_of_limited_length():
    assert render.label("a\n b") == "a b"
    assert render.label("x" * 200) == "x" * 89 + "…"
    assert render.label("x" * 200, length=None) == "x" * 200


@given(st.text(max_size=80))
def test_label_keeps_the_words(text):
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", render.label(text))  # as Markdown reads backslashes
    assert shown.replace("\u2060", "") == " ".join(text.split()).replace("\u2060", "")
