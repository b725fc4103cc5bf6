"""Training examples of the generator, built three ways from question/answer pairs and their passages.

- **grounded**: 1 to 5 numbered sources, the true ones among hard negatives; the answer quotes the true sentences, each
  followed by the marker of its source.
- **refusal**: distractors only; the answer is the one refusal sentence.
- **closed_book**: the question alone; the answer's first sentences, without markers.

Everything is drawn per pair from a generator seeded by the run's seed and the pair's id, so that the order of rows decides
nothing.
"""

import hashlib
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from finetune.augment import Frames, Mix, ask_in, mistype, surface_form
from finetune.frames import ASPECT_FRAMES
from medqa.errors import MedqaError
from medqa.records import Passage, QAPair, Split
from rag.prompt import REFUSAL, Source

Kind = Literal["closed_book", "grounded", "refusal"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_SOURCES = 5
"""Always training with the same number of sources made a model cite the last one whatever the truth: vary it, 1 to 5."""

TYPOS = 0.1
"""Share of the questions with a typing error or abbreviations, where some are asked in people's words."""

FURTHER = 0.75
"""Share of people's questions in the caller's frames, where some are of their type: files hold hundreds, we a dozen."""

# A source's own "[12]" (a literature reference) would be learned as one of our markers.
_FOREIGN_MARKER = re.compile(r"\s*\[\d+\]")


@dataclass(frozen=True, slots=True)
class Example:
    """One question with what the model sees and what it has to answer."""

    id: str
    """The pair's id."""
    question: str
    sources: tuple[Source, ...] | None
    """In the order shown; None for a closed-book example."""
    answer: str
    kind: Kind
    split: Split = "train"
    source_pairs: tuple[str, ...] = ()
    """Pair ids of ``sources``, in the same order: what a check for held-out text looks at."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the kinds are mixed; only the proportions count."""

    closed_book: float
    grounded: float
    refusal: float

    def __post_init__(self) -> None:
        if (
            min(self.closed_book, self.grounded, self.refusal) < 0
            or self.closed_book + self.grounded + self.refusal <= 0
        ):
            raise MedqaError(
                f"wanted shares of examples of at least 0 with a positive sum, found closed_book={self.closed_book}, "
                f"grounded={self.grounded}, refusal={self.refusal}; set finetune.grounded, for one, above 0"
            )


def build_examples(
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    neighbours: Mapping[str, Sequence[Passage]],
    shares: Shares,
    seed: int,
    max_answer_sentences: int,
    draws: int = 1,
    people: float = 0.0,
    frames: Frames = "train",
    more_frames: Mapping[str, Sequence[str]] | None = None,
) -> list[Example]:
    """``draws`` examples per pair, each draw sorted by id.

    Args:
        pairs: pairs of train, or of validation; never of test.
        passages: passages of at least these pairs, each pair's in the order of its answer.
        neighbours: pair id -> passages that do not answer it, most similar first (``finetune.negatives``).
        shares: the mix of kinds; kept exactly, up to rounding.
        seed: decides every draw, together with the pair's id.
        max_answer_sentences: longest target, in sentences.
        draws: how often each pair is asked, each time of a kind, with sources and in an order drawn anew: the same question is
            answered from its passage in one draw and refused without it in another.
        people: share of the questions that are asked in someone's own words; nothing else of an example changes with it.
        frames: the sentence frames of these.
        more_frames: question type -> further frames (``finetune.more_frames``).

    Raises:
        MedqaError: pairs of test, a pair without passages, or refusals wanted where no pair has a distractor.
    """
    if any(p.split == "test" for p in pairs):
        raise MedqaError("wanted pairs of train or validation for examples, found some of test; select them by split")
    own: dict[str, list[Passage]] = {}
    for passage in passages:
        own.setdefault(passage.pair_id, []).append(passage)
    bare = sorted(p.id for p in pairs if p.id not in own)
    if bare:
        raise MedqaError(f"wanted at least one passage for every pair, found none for {len(bare)}, e.g. {bare[0]}")
    examples = []
    for draw in range(draws):
        key = f"{seed}:{draw}" if draw else f"{seed}"
        asked = [replace(p, question=_in_words(p, people, key, frames, more_frames or {})) for p in pairs]
        examples += _one_draw(asked, own, neighbours, shares, key, max_answer_sentences)
    return examples


def _in_words(pair: QAPair, people: float, key: str, frames: Frames, more_frames: Mapping[str, Sequence[str]]) -> str:
    """The pair's question, by ``people`` in someone's words; under its own name, which is what its passages call it."""
    if not people:
        return pair.question
    rng = random.Random(f"{key}:question:{pair.id}")
    further = more_frames.get(pair.question_type, ()) if pair.topic else ()
    share = people * (FURTHER if pair.question_type in ASPECT_FRAMES else 1.0) if further else 0.0
    if further and rng.random() < share:
        text = ask_in(rng.choice(further), pair.topic, rng)
        return mistype(text, rng) if rng.random() < TYPOS else text
    mix = Mix(synonym=0.0, people=(people - share) / (1 - share) if share < 1 else 0.0, symptoms=0.0, typos=TYPOS)
    return surface_form(replace(pair, synonyms=()), (), rng, mix, frames)


def _one_draw(
    pairs: Sequence[QAPair],
    own: Mapping[str, Sequence[Passage]],
    neighbours: Mapping[str, Sequence[Passage]],
    shares: Shares,
    key: str,
    max_answer_sentences: int,
) -> list[Example]:
    """One example per pair; ``key`` decides every draw."""
    kinds = assign_kinds([p.id for p in pairs], shares, key)
    refusable = [p for p in pairs if kinds[p.id] == "refusal" and neighbours.get(p.id)]
    if "refusal" in kinds.values() and not refusable:
        raise MedqaError(
            "wanted passages of other topics to build refusal examples, found none; "
            "use a corpus of several topics or set finetune.refusal=0"
        )
    examples = []
    for pair in sorted(pairs, key=lambda p: p.id):
        rng = random.Random(f"{key}:{pair.id}")
        distractors = neighbours.get(pair.id, ())
        kind = kinds[pair.id]
        if kind == "closed_book":
            examples.append(closed_book_example(pair, own[pair.id], max_answer_sentences))
        elif kind == "refusal" and distractors:
            examples.append(refusal_example(pair, distractors, rng))
        else:  # also a refusal for which this one pair has no distractor
            examples.append(grounded_example(pair, own[pair.id], distractors, rng, max_answer_sentences))
    return examples


def assign_kinds(ids: Sequence[str], shares: Shares, key: str) -> dict[str, Kind]:
    """Kind of each id: ids ranked by a hash with ``key``, cut at the cumulative shares: the mix is exact, not approximate."""
    ranked = sorted(ids, key=lambda i: hashlib.sha256(f"{key}:kind:{i}".encode()).digest())
    weights = [getattr(shares, kind) for kind in KINDS]
    kinds: dict[str, Kind] = {}
    start, cumulated = 0, 0.0
    for kind, weight in zip(KINDS, weights, strict=True):
        cumulated += weight
        end = round(len(ranked) * cumulated / sum(weights))
        kinds.update(dict.fromkeys(ranked[start:end], kind))
        start = end
    return kinds


def closed_book_example(pair: QAPair, own: Sequence[Passage], max_sentences: int) -> Example:
    """The question alone, answered by the first sentences of its answer."""
    sentences = [s for p in own for s in sentences_of(p)][:max_sentences]
    return Example(pair.id, pair.question, None, " ".join(sentences), "closed_book", pair.split)


def refusal_example(pair: QAPair, distractors: Sequence[Passage], rng: random.Random) -> Example:
    """1 to 5 distractors, answered by the refusal."""
    shown = _draw(distractors, rng.randint(1, MAX_SOURCES), rng)
    return _with_sources(pair, shown, REFUSAL, "refusal")


def grounded_example(
    pair: QAPair, own: Sequence[Passage], distractors: Sequence[Passage], rng: random.Random, max_sentences: int
) -> Example:
    """1 to 5 sources in random order, at least one of them true; the answer quotes the true ones in the answer's order."""
    count = rng.randint(1, MAX_SOURCES)
    true_count = min(len(own), rng.randint(1, count))
    chosen = [own[i] for i in sorted(rng.sample(range(len(own)), true_count))]
    shown = chosen + _draw(distractors, count - true_count, rng)
    rng.shuffle(shown)
    marker = {p.id: n for n, p in enumerate(shown, start=1)}
    # Shared out, so that two true passages are both quoted instead of the first one filling the whole answer.
    quota = math.ceil(max_sentences / len(chosen))
    quoted = [f"{s} [{marker[p.id]}]" for p in chosen for s in sentences_of(p)[:quota]]
    return _with_sources(pair, shown, " ".join(quoted[:max_sentences]), "grounded")


def sentences_of(passage: Passage) -> list[str]:
    """The passage's sentences on one line each, without bracketed numbers of their own; never empty."""
    spans = passage.sentences or ((0, len(passage.text)),)
    found = [" ".join(_FOREIGN_MARKER.sub("", passage.text[a:b]).split()) for a, b in spans]
    return [s for s in found if s] or [" ".join(passage.text.split())]


def _draw(distractors: Sequence[Passage], count: int, rng: random.Random) -> list[Passage]:
    """``count`` (or as many as there are) of the nearest distractors, in random order."""
    pool = list(distractors[: 2 * MAX_SOURCES])  # the nearest ten: hard, and still varied
    return rng.sample(pool, min(count, len(pool)))


def _with_sources(pair: QAPair, shown: Sequence[Passage], answer: str, kind: Kind) -> Example:
    sources = tuple(Source(text=p.text, title=p.title) for p in shown)
    return Example(pair.id, pair.question, sources, answer, kind, pair.split, tuple(p.pair_id for p in shown))
