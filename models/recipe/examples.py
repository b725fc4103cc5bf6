"""The one shape of a training example: tagged sentences in drafts go in, messages and a cited answer come out."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from rag.prompt import REFUSAL, Source, grounded_messages, plain_messages

MAX_SENTENCES = 8
"""A broad question quotes at most this many sentences."""


class Tag(NamedTuple):
    """What a sentence is about: an aspect (``cause``) of an entity (its name)."""

    entity: str
    aspect: str


@dataclass(slots=True)
class Sentence:
    """A sentence and what it tells."""

    text: str
    tags: frozenset[Tag] = frozenset()


@dataclass(slots=True)
class Draft:
    """A source before it gets its number."""

    sentences: list[Sentence]
    title: str = ""

    @property
    def text(self) -> str:
        """All sentences, as the prompt shows them."""
        return " ".join(s.text for s in self.sentences)


@dataclass(frozen=True, slots=True)
class Example:
    """What the model sees and what it shall say."""

    messages: list[dict[str, str]]
    """Earlier answers in it are right too and are learned from."""
    answer: str
    kind: str
    question: str = ""
    sources: tuple[Source, ...] = ()
    quotes: tuple[tuple[int, str], ...] = field(default=())
    """(source number from 1, sentence) in the order of the answer; none in a refusal or without sources."""


def cite(quotes: Sequence[tuple[int, str]]) -> str:
    """``Sentence one. [2] Sentence two. [1]``: every sentence with its own marker; the refusal where there is none."""
    return " ".join(f"{text} [{number}]" for number, text in quotes) or REFUSAL


def grounded(
    rng: random.Random,
    kind: str,
    question: str,
    drafts: Sequence[Draft],
    wanted: frozenset[Tag],
    limit: int = MAX_SENTENCES,
) -> Example:
    """Shuffle ``drafts`` and answer with the sentences that carry a wanted tag, in the order of the sources."""
    order = list(drafts)
    rng.shuffle(order)
    found = quotes(order, wanted, limit)
    sources = sources_of(order)
    return Example(grounded_messages(question, sources), cite(found), kind, question, sources, found)


def quotes(drafts: Sequence[Draft], wanted: frozenset[Tag], limit: int = MAX_SENTENCES) -> tuple[tuple[int, str], ...]:
    """(source number from 1, sentence) of the sentences that carry a wanted tag, in the order of the sources."""
    found = [(n, s.text) for n, draft in enumerate(drafts, start=1) for s in draft.sentences if s.tags & wanted]
    return tuple(found[:limit])


def sources_of(drafts: Sequence[Draft]) -> tuple[Source, ...]:
    """What the prompt shows of ``drafts``."""
    return tuple(Source(text=d.text, title=d.title) for d in drafts)


def closed_book(question: str, answer: str) -> Example:
    """A question without sources."""
    return Example(plain_messages(question), answer, "plain", question)


def interview(sources: Sequence[Source], turns: Sequence[tuple[str, tuple[tuple[int, str], ...]]]) -> Example:
    """Several questions on the same sources, (question, quotes) each: the sources are read once for all of them."""
    messages = grounded_messages(turns[0][0], sources)
    for (_, said), (question, _) in pairwise(turns):
        messages += [{"role": "assistant", "content": cite(said)}, {"role": "user", "content": f"Question: {question}"}]
    question, said = turns[-1]
    return Example(messages, cite(said), "interview", question, tuple(sources), said)


def conversation(first: Example, second: Example) -> Example:
    """Two turns; the second one is answered."""
    turns = [m for m in second.messages if m["role"] != "system"]
    messages = [*first.messages, {"role": "assistant", "content": first.answer}, *turns]
    return Example(messages, second.answer, "conversation", second.question, second.sources, second.quotes)
