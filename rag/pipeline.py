"""Question -> verified answer: the one path behind ask, predict, chat and eval.

safety gate -> retrieve -> enough evidence? -> draft -> check every citation. The order is the promise: a question that the
gate blocks is never answered, a question without evidence never reaches the language model, and no text is shown before its
markers were checked.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from medqa.errors import MedqaError
from medqa.records import Answer, Hit, Variant
from rag.abstain import evidence, is_refusal, why_abstain
from rag.citations import verify
from rag.generators import Draft, Extractive, LocalModel
from rag.prompt import REFUSAL
from rag.safety import check_question


class Searcher(Protocol):
    """What the pipeline needs of an index."""

    def search(self, questions: Sequence[str], k: int) -> list[list[Hit]]:
        """The ``k`` best passages per question, best first."""
        ...


@dataclass(frozen=True)
class Pipeline:
    """Everything an answer needs, bound once. ``searcher`` is None for closed-book use, ``model`` for extractive use."""

    searcher: Searcher | None
    model: LocalModel | None
    passages: int
    """Passages shown to the model."""
    threshold: float | None
    """Evidence below which it abstains; see :mod:`rag.abstain`."""
    support: float
    """Share of a sentence's content words that must stand in the cited passage."""

    def answer(self, question: str, variant: Variant, on_text: Callable[[str], None] | None = None) -> Answer:
        """One question. ``on_text`` receives the draft while it is written (it is not verified yet)."""
        return self._answer([question], variant, on_text)[0]

    def answer_all(self, questions: Sequence[str], variant: Variant) -> list[Answer]:
        """Many questions at once, batched through encoder and model; times are the batch's divided by its size."""
        return self._answer(questions, variant, None)

    def _answer(
        self, questions: Sequence[str], variant: Variant, on_text: Callable[[str], None] | None
    ) -> list[Answer]:
        answers: list[Answer | None] = [self._gate(q, variant) for q in questions]
        waiting = [i for i, a in enumerate(answers) if a is None or a.safety.action == "warn"]
        started = time.perf_counter()
        found = self._retrieve([questions[i] for i in waiting], variant)
        retrieve_ms = _per_item_ms(started, len(waiting))

        reasons = [why_abstain(hits, self.threshold) if hits is not None else "" for hits in found]
        draftable = [n for n, reason in enumerate(reasons) if not reason]
        started = time.perf_counter()
        drafts = self._draft(
            [questions[waiting[n]] for n in draftable], [found[n] for n in draftable], variant, on_text
        )
        generate_ms = _per_item_ms(started, len(draftable))

        drafted = dict(zip(draftable, drafts, strict=True))
        for n, i in enumerate(waiting):
            started = time.perf_counter()
            draft = drafted.get(n)
            finished = _measured(self._finish(questions[i], variant, found[n], reasons[n], draft), found[n], draft)
            timings = {
                "retrieve": retrieve_ms if found[n] is not None else 0.0,
                "generate": generate_ms if draft else 0.0,
                "verify": _per_item_ms(started, 1),
            }
            gate = answers[i]
            answers[i] = replace(finished, timings_ms=timings, safety=gate.safety if gate else finished.safety)
        return [a for a in answers if a is not None]

    def _gate(self, question: str, variant: Variant) -> Answer | None:
        """An answer that already carries the gate's verdict, or None where no rule fired."""
        if not question.strip():
            raise MedqaError("wanted a question, found an empty one")
        safety = check_question(question)
        if safety.action == "allow":
            return None
        return Answer(question, safety.message, variant, abstained=True, reason="safety rule", safety=safety)

    def _retrieve(self, questions: Sequence[str], variant: Variant) -> list[list[Hit]] | list[None]:
        if variant in ("plain", "tuned"):
            return [None] * len(questions)
        if self.searcher is None:
            raise MedqaError(f"wanted an index for the variant {variant}, found none; give --index INDEX")
        return self.searcher.search(questions, self.passages) if questions else []

    def _draft(
        self,
        questions: Sequence[str],
        hits: Sequence[Sequence[Hit] | None],
        variant: Variant,
        on_text: Callable[[str], None] | None,
    ) -> list[Draft]:
        if not questions:
            return []
        if variant == "extractive":
            return Extractive().draft(questions, hits)
        if self.model is None:
            raise MedqaError(f"wanted a model for the variant {variant}, found none; set generator.model")
        return self.model.variant(tuned=variant.startswith("tuned")).draft(questions, hits, on_text)

    def _finish(
        self, question: str, variant: Variant, hits: Sequence[Hit] | None, reason: str, draft: Draft | None
    ) -> Answer:
        if draft is None:
            return Answer(question, REFUSAL, variant, uncited=tuple(hits or ()), abstained=True, reason=reason)
        if hits is None:
            return Answer(question, draft.text, variant)
        shown = list(hits)[: len(hits) - draft.dropped_sources]
        if is_refusal(draft.text, REFUSAL) or not draft.text:
            why = "the model found no answer in the passages" if draft.text else "the model wrote nothing"
            return Answer(question, REFUSAL, variant, uncited=tuple(shown), abstained=True, reason=why)
        checked = verify(draft.text, [h.passage for h in shown], self.support)
        cited = {c.marker for c in checked.citations}
        return Answer(
            question,
            checked.text,
            variant,
            citations=checked.citations,
            uncited=tuple(h for n, h in enumerate(shown, start=1) if n not in cited),
            invented_markers=checked.invented_markers,
            unsupported=checked.unsupported,
        )


def _measured(answer: Answer, hits: Sequence[Hit] | None, draft: Draft | None) -> Answer:
    answer = replace(answer, evidence=evidence(hits or ()))
    if draft is None:
        return answer
    return replace(answer, prompt_tokens=draft.prompt_tokens, new_tokens=draft.new_tokens, truncated=draft.truncated)


def _per_item_ms(started: float, items: int) -> float:
    return round(1000 * (time.perf_counter() - started) / items, 2) if items else 0.0
