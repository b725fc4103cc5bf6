"""The real pipeline over four written passages and a model whose drafts are written out: fast, with real verdicts."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from medqa.records import VARIANTS, Hit, Passage
from rag.generators import Draft
from rag.pipeline import Pipeline
from retrieval.sentences import split_sentences
from ui import loading

HOSTILE = (
    '<script>document.title="owned"</script> ![x](http://example.com/leak.png) <img src=x onerror=alert(1)> **bold**'
)


def make_passage(number: int, title: str, text: str, url: str = "") -> Passage:
    return Passage(
        id=f"p{number}:0:00000000",
        pair_id=f"p{number}",
        text=text,
        sentences=tuple(split_sentences(text)),
        header=f"What are the symptoms of {title}? | {title}",
        title=title,
        source="sample",
        url=url,
        question_type="symptoms",
    )


PASSAGES = (
    make_passage(
        1,
        "Asthma",
        "Asthma causes wheezing and a tight chest. It often starts in childhood.",
        "https://example.org/asthma",
    ),
    make_passage(2, "Migraine", "Migraine causes a throbbing headache. Light makes it worse.", "javascript:alert(1)"),
    make_passage(3, "Anaemia", "Anaemia causes tiredness and pale skin."),
    make_passage(4, HOSTILE, f"Hostile text causes nothing. {HOSTILE}"),
)

DRAFTS = {
    "asthma": "Asthma causes wheezing and a tight chest. [1] It is cured by eating 12 lemons. [1]",
    "migraine": "Migraine causes a throbbing headache. [1] More elsewhere. [9]",
    "refuse": "The sources do not answer this question.",
    "hostile": f"Hostile text causes nothing. [1] {HOSTILE} [1]",
}


class WrittenSearch:
    """The passages whose title's first word the question names come first; cosine 0.9 for them, 0.2 for the rest."""

    def search(self, questions: Sequence[str], k: int) -> list[list[Hit]]:
        return [self._search(q.lower(), k) for q in questions]

    def _search(self, question: str, k: int) -> list[Hit]:
        names = ("asthma", "migraine", "anaemia", "hostile")
        scored = [Hit(p, s := 0.9 if n in question else 0.2, dense=s) for n, p in zip(names, PASSAGES, strict=True)]
        if "refuse" in question:
            scored = [Hit(h.passage, 0.8, dense=0.8) for h in scored]
        return sorted(scored, key=lambda h: -h.score)[:k]


class WrittenModel:
    """Writes the draft of the first key that the question holds, word by word."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.busy = threading.Lock()

    def variant(self, tuned: bool) -> "WrittenModel":
        return self

    def draft(
        self,
        questions: Sequence[str],
        hits: Sequence[Sequence[Hit] | None],
        on_text: Callable[[str], None] | None = None,
    ) -> list[Draft]:
        assert self.busy.acquire(blocking=False), "two calls at once"
        try:
            return [self._write(q, h, on_text) for q, h in zip(questions, hits, strict=True)]
        finally:
            self.busy.release()

    def _write(self, question: str, hits: Sequence[Hit] | None, on_text: Callable[[str], None] | None) -> Draft:
        self.calls.append((question, len(hits) if hits is not None else 0))
        text = next((d for key, d in DRAFTS.items() if key in question.lower()), f"About {question}: nothing.")
        for word in text.split(" "):
            if on_text:
                on_text(word + " ")
        return Draft(text)


@pytest.fixture
def model() -> WrittenModel:
    return WrittenModel()


@pytest.fixture
def loaded(model: WrittenModel) -> loading.Loaded:
    pipeline = Pipeline(WrittenSearch(), model, passages=2, threshold=0.5, support=0.6)  # type: ignore[arg-type]
    examples = loading.example_questions(PASSAGES, loading.EXAMPLES)
    return loading.Loaded(pipeline, VARIANTS, examples, lambda: [("Passages", "4"), ("Encoder", "written")])


@pytest.fixture
def app_path() -> Path:
    return Path(loading.__file__).with_name("app.py")
