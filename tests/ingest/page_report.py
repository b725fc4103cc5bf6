"""A report with every key, a reader of pages and texts that must stay text, for the tests of pages and plots."""

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}

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


def kinds(page):
    """What a page is made of: elements with the names of their attributes."""
    return {(tag, *sorted(attrs)) for tag, attrs in page.elements}


def crossing(question, answer, topic, near, rows, share):
    return {
        "pairs_sharing_question": question,
        "pairs_sharing_answer": answer,
        "pairs_sharing_topic": topic,
        "near_duplicate_pairs": near,
        "rows_sharing_question_or_answer": rows,
        "share_of_rows_sharing_question_or_answer": share,
    }


def full_report():
    """A report of 1,210 rows read and 1,200 kept, every key there."""
    nothing = crossing(0, 0, 0, 0, 0, 0.0)
    return {
        "rows": {"in": 1210, "kept": 1200, "dropped": 10, "dropped_by_reason": {"too short": 3, "exact duplicate": 7}},
        "documents_without_answers": 0,
        "ids": "hashes of question and answer",
        "split_by": "topic",
        "splits": {
            "train": {"rows": 960, "share": 0.8, "wanted": 0.8, "groups": 300},
            "validation": {"rows": 120, "share": 0.1, "wanted": 0.1, "groups": 41},
            "test": {"rows": 120, "share": 0.1, "wanted": 0.1, "groups": 42},
        },
        "certificate": {
            "threshold": 0.8,
            "split": {"test/train": nothing, "validation/train": nothing, "test/validation": nothing},
            "random": {
                "test/train": crossing(61, 1362, 806, 2724, 30, 0.25),
                "validation/train": crossing(62, 1034, 794, 2287, 24, 0.2),
                "test/validation": crossing(6, 199, 91, 337, 12, 0.1),
            },
            "closest": {
                "jaccard": 0.7912,
                "test": {"id": "a", "question": "What is alpha?"},
                "train": {"id": "b", "question": "What is beta?"},
            },
        },
        "near_duplicates": {"threshold": 0.8, "sets": 5, "rows": 17, "largest": 6},
        "groups": {
            "count": 383,
            "largest": [
                {
                    "id": "000faa731b441f9c",
                    "rows": 300,
                    "share": 0.25,
                    "split": "train",
                    "topics": 40,
                    "rows_with_commonest_answer": 12,
                    "some_topics": ["Gout", "Mumps"],
                }
            ],
        },
        "repeated_answers": [{"rows": 12, "topics": 11, "answer": "Ask a doctor."}],
        "by_type": {
            "symptoms": {"train": 480, "validation": 30, "test": 60},
            "causes": {"train": 480, "validation": 90, "test": 60},
        },
        "by_source": {
            "NIH": {"train": 900, "validation": 120, "test": 120},
            "": {"train": 60, "validation": 0, "test": 0},
        },
        "warnings": [],
        "lengths": {
            "question": {
                "edges": [3, 4, 5, 6],
                "train": [240, 480, 240],
                "validation": [0, 120, 0],
                "test": [30, 30, 60],
            },
            "answer": {
                "edges": [1, 10, 100, 1000],
                "train": [96, 480, 384],
                "validation": [12, 12, 96],
                "test": [120, 0, 0],
            },
        },
        "cluster_sizes": {"1": 310, "2": 60, "4": 12, "300": 1, "5": 34},
        "topics": {
            "topics": 90,
            "rows_with_topic": 1190,
            "most_frequent": [["Gout", 40], ["Mumps", 31]],
            "sizes": {"40": 1, "31": 1, "12": 88},
        },
        "phi": {"rows": 4, "by_rule": {"e-mail": 1, "phone": 3}, "action": "report"},
    }
