"""After an update only questions that see something else are answered again; a recording model counts the calls."""

from eval.refresh import Generation, markdown_refresh, refresh
from medqa.queries import Query
from medqa.records import Hit, Passage
from rag.generators import Draft
from rag.output import answer_row
from rag.pipeline import Pipeline
from rag.prompt import REFUSAL


def hit(name, text, dense=0.8):
    return Hit(Passage(name, f"pair-{name}", text, ((0, len(text)),), title=name), dense, dense=dense)


class QuotingModel:
    """Quotes its first passage and remembers whom it answered."""

    def __init__(self):
        self.calls = []

    def variant(self, tuned):
        return self

    def draft(self, questions, hits, on_text=None):
        self.calls += questions
        return [Draft(f"{found[0].passage.text} [1]") for found in hits]


def generation(name, table, threshold=0.5):
    searched = []

    def search(questions, k):
        searched.append(list(questions))
        return [table[q][:k] for q in questions]

    return Generation(name, search, threshold), searched


BEFORE = {
    "same?": [hit("a", "Asthma narrows airways.")],
    "other passage?": [hit("g", "Gout hurts toes.")],
    "below?": [hit("m", "Migraine hurts heads.", dense=0.55)],
    "gone?": [hit("x", "Old text stays.")],
}
AFTER = {
    **BEFORE,
    "other passage?": [hit("g2", "Gout hurts big toes.")],
    "gone?": [hit("y", "Too far away.", dense=0.1)],
}
QUERIES = [Query(f"q{n}", q) for n, q in enumerate(BEFORE)]


def run(after_threshold=0.5, after=AFTER):
    model = QuotingModel()
    pipeline = Pipeline(None, model, passages=1, threshold=None, support=0.6)
    answered = []

    def answer(side, with_hits, queries):
        answered.append((side, [q.id for q in queries]))
        answers = with_hits.answer_all([q.question for q in queries], "tuned+rag")
        return [answer_row(q.id, a) for q, a in zip(queries, answers, strict=True)]

    one, searched = generation("1", BEFORE)
    two, _ = generation("2", after, after_threshold)
    return refresh(one, two, QUERIES, pipeline, answer), model, answered, searched


def test_only_questions_that_see_something_else_are_answered_again():
    found, model, answered, searched = run()
    assert found["answered_again"] == ["q1", "q3"]
    assert answered == [("1", ["q1", "q3"]), ("2", ["q1", "q3"])]
    assert model.calls == ["other passage?", "gone?", "other passage?"]  # the refusal calls no model
    assert searched == [list(BEFORE)]
    assert found["changed_answers"] == ["q1", "q3"]
    assert found["changed_citations"] == ["q1", "q3"]
    assert found["new_refusals"] == ["q3"]
    assert found["lifted_refusals"] == []
    [gout] = [c for c in found["changes"] if c["id"] == "q1"]
    assert (gout["before"], gout["after"]) == ("Gout hurts toes. [1]", "Gout hurts big toes. [1]")
    assert (gout["citations_lost"], gout["citations_new"]) == (["g"], ["g2"])
    text = markdown_refresh(found)
    assert "2 of 4 questions" in text
    assert f"+ {REFUSAL}" in text


def test_a_moved_threshold_also_counts_as_a_change():
    found, *_ = run(after_threshold=0.6, after=BEFORE)
    assert found["answered_again"] == ["q2"]
    assert found["new_refusals"] == ["q2"]


def test_nothing_changed_means_nothing_is_answered():
    found, model, answered, _ = run(after=BEFORE)
    assert found["answered_again"] == []
    assert found["changes"] == []
    assert model.calls == answered == []
