"""The pipeline's order is its promise; here a recording model and a fixed index show it."""

import pytest

from medqa.errors import MedqaError
from medqa.records import Hit, Passage
from rag.abstain import evidence, why_abstain
from rag.generators import Draft
from rag.pipeline import Pipeline
from rag.prompt import REFUSAL


def passage(name, text, title=""):
    return Passage(name, f"pair-{name}", text, ((0, len(text)),), title=title)


ASTHMA = passage("a", "Asthma narrows the airways.", "Asthma")
GOUT = passage("g", "Gout hurts the big toe.", "Gout")


class FixedIndex:
    def __init__(self, dense):
        self.dense = dense
        self.asked = []

    def search(self, questions, k):
        self.asked += questions
        hits = [Hit(ASTHMA, self.dense, dense=self.dense), Hit(GOUT, self.dense / 2, dense=self.dense / 2)]
        return [hits[:k] for _ in questions]


class RecordingModel:
    def __init__(self, text):
        self.text = text
        self.calls = []
        self.tuned = None

    def variant(self, tuned):
        self.tuned = tuned
        return self

    def draft(self, questions, hits, on_text=None):
        self.calls += zip(questions, hits, strict=True)
        if on_text:
            on_text(self.text)
        return [Draft(self.text) for _ in questions]


def pipeline(text="Asthma narrows the airways. [1]", dense=0.8, threshold=0.5):
    return Pipeline(FixedIndex(dense), RecordingModel(text), passages=2, threshold=threshold, support=0.6)


def test_answer_carries_verified_citations_and_uncited_hits():
    p = pipeline()
    answer = p.answer("What is asthma?", "tuned+rag")
    assert answer.text == "Asthma narrows the airways. [1]"
    assert [(c.marker, c.passage.pair_id, c.supported) for c in answer.citations] == [(1, "pair-a", True)]
    assert [h.passage.id for h in answer.uncited] == ["g"]
    assert not answer.abstained
    assert p.model.tuned is True
    assert set(answer.timings_ms) == {"retrieve", "generate", "verify"}


def test_without_evidence_the_model_is_not_called():
    p = pipeline(dense=0.4)
    answer = p.answer("What is zorbitis?", "plain+rag")
    assert answer.abstained
    assert answer.text == REFUSAL
    assert "0.40" in answer.reason
    assert "0.50" in answer.reason
    assert p.model.calls == []


def test_evidence_is_the_closest_passage_of_the_topics_shown_or_of_those_shown_where_none_is_known():
    assert evidence([]) is None and evidence([Hit(ASTHMA, 1.0)]) is None
    assert evidence([Hit(ASTHMA, 1.0, dense=0.3), Hit(GOUT, 0.9, dense=0.4)]) == 0.4
    assert evidence([Hit(ASTHMA, 1.0, dense=0.3, nearest=0.8), Hit(GOUT, 0.9, dense=0.4, nearest=0.4)]) == 0.8
    assert why_abstain([Hit(ASTHMA, 1.0, dense=0.3, nearest=0.8)], 0.5) == ""


def test_a_blocked_question_reaches_neither_index_nor_model():
    p = pipeline()
    answer = p.answer("I want to kill myself", "tuned+rag")
    assert answer.abstained
    assert answer.safety.action == "block"
    assert answer.text == answer.safety.message
    assert p.searcher.asked == []
    assert p.model.calls == []


@pytest.mark.parametrize("variant", ["plain", "tuned", "plain+rag", "tuned+rag", "extractive"])
def test_every_variant_passes_the_safety_gate(variant):
    assert pipeline().answer("I want to kill myself", variant).safety.action == "block"
    warned = pipeline().answer("My father has crushing chest pain", variant)
    assert warned.safety.action == "warn"
    assert warned.text == "Asthma narrows the airways. [1]"


def test_the_models_own_refusal_counts_as_abstaining():
    answer = pipeline(text="the sources do not answer this question").answer("What is gout?", "tuned+rag")
    assert answer.abstained
    assert answer.text == REFUSAL
    assert [h.passage.id for h in answer.uncited] == ["a", "g"]


def test_invented_markers_are_removed_and_unsupported_sentences_named():
    answer = pipeline(text="Asthma narrows the airways. [9] It is cured by moonlight. [1]").answer("Q?", "plain+rag")
    assert answer.text == "Asthma narrows the airways. It is cured by moonlight. [1]"
    assert answer.invented_markers == 1
    assert answer.unsupported == ("Asthma narrows the airways.", "It is cured by moonlight.")


def test_closed_book_variants_retrieve_nothing():
    p = pipeline(text="Asthma is a disease.")
    answer = p.answer("What is asthma?", "plain")
    assert answer.text == "Asthma is a disease."
    assert answer.citations == ()
    assert p.searcher.asked == []
    assert p.model.calls == [("What is asthma?", None)]
    assert p.model.tuned is False


def test_extractive_quotes_the_best_passage_and_leaves_far_ones_out():
    answer = pipeline().answer("What is asthma?", "extractive")
    assert answer.text == "Asthma narrows the airways. [1]"
    assert answer.citations[0].supported


def test_batches_keep_the_order_of_the_questions_and_mix_all_outcomes():
    p = pipeline()
    answers = p.answer_all(["What is asthma?", "I want to kill myself", "What is gout?"], "tuned+rag")
    assert [a.question for a in answers] == ["What is asthma?", "I want to kill myself", "What is gout?"]
    assert [a.safety.action for a in answers] == ["allow", "block", "allow"]
    assert [q for q, _ in p.model.calls] == ["What is asthma?", "What is gout?"]


def test_streaming_hands_over_the_draft():
    pieces = []
    pipeline().answer("What is asthma?", "tuned+rag", pieces.append)
    assert pieces == ["Asthma narrows the airways. [1]"]


def test_empty_question_and_missing_parts_are_clear_errors():
    with pytest.raises(MedqaError, match="found an empty one"):
        pipeline().answer("  ", "plain")
    with pytest.raises(MedqaError, match="wanted an index"):
        Pipeline(None, None, 3, None, 0.6).answer("Q?", "extractive")
    with pytest.raises(MedqaError, match="wanted a model"):
        Pipeline(None, None, 3, None, 0.6).answer("Q?", "plain")
