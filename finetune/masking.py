"""Examples as token ids and labels: the loss sees the answer and the ``<|end|>`` that closes it, nothing else.

The prompt's ids come from ``rag.prompt``, the renderer that serves; the answer's ids are appended, so that no text search for
where the answer begins can go wrong.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from finetune.examples import Example
from medqa.errors import MedqaError
from rag.prompt import end_token_id, messages_for, neutralise, render, render_text

IGNORE = -100
"""Label of tokens without loss: torch's ``cross_entropy`` leaves it out by default."""

BATCH = 1024
"""Texts tokenised in one call: enough for every core, and their ids take some megabytes."""

_MARKED = re.compile(r"(.+?)((?:\s*\[\d+\])+)(?:\s+|$)", re.S)
_NUMBER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: ``input_ids`` and ``labels`` have equal length; labels are ``IGNORE`` over the prompt."""

    input_ids: list[int]
    labels: list[int]
    dropped_sources: int = 0
    """Sources left out to fit the length."""
    cut: bool = False
    """True if the answer itself was shortened."""

    @property
    def truncated(self) -> bool:
        """Whether anything of the example is missing."""
        return self.cut or self.dropped_sources > 0


@dataclass(frozen=True, slots=True)
class EncodedSet:
    """Encoded examples and what the length limit cost."""

    rows: tuple[Encoded, ...]
    left_out: int
    """Examples whose prompt alone filled the length: no room for a supervised token."""

    @property
    def truncated(self) -> int:
        """Rows with sources dropped or answer cut."""
        return sum(row.truncated for row in self.rows)

    @property
    def tokens(self) -> int:
        """Tokens of all rows, padding not counted."""
        return sum(len(row.input_ids) for row in self.rows)

    @property
    def supervised(self) -> int:
        """Tokens that carry loss."""
        return sum(label != IGNORE for row in self.rows for label in row.labels)


def encode_all(tokenizer: Any, examples: Iterable[Example], max_length: int) -> EncodedSet:
    """All ``examples``, each as ``encode_example`` encodes it, tokenised on all cores.

    Raises:
        MedqaError: not one of them fits ``max_length``.
    """
    encoded = list(_encoded(tokenizer, examples, max_length))
    rows = tuple(row for row in encoded if row is not None)
    if not rows:
        raise MedqaError(
            f"wanted examples of at most {max_length} tokens, found {len(encoded)} and none whose prompt leaves room for "
            "an answer; raise finetune.max_length"
        )
    return EncodedSet(rows, left_out=len(encoded) - len(rows))


def _encoded(tokenizer: Any, examples: Iterable[Example], max_length: int) -> Iterator[Encoded | None]:
    end = end_token_id(tokenizer)
    waiting = iter(examples)
    while batch := list(islice(waiting, BATCH)):
        prompts = [render_text(tokenizer, messages_for(e.question, e.sources)) for e in batch]
        asked = tokenizer(prompts, add_special_tokens=False)["input_ids"]
        answered = tokenizer([neutralise(e.answer) for e in batch], add_special_tokens=False)["input_ids"]
        for example, prompt, answer in zip(batch, asked, answered, strict=True):
            if len(prompt) + len(answer) + 1 <= max_length:
                yield _row(prompt, [*answer, end], 0, cut=False)
            else:  # one by one: few are too long
                yield encode_example(tokenizer, example, max_length)


def encode_example(tokenizer: Any, example: Example, max_length: int) -> Encoded | None:
    """The example within ``max_length`` tokens, or None if not even its shortest prompt leaves room for an answer.

    What does not fit goes in this order: sources that the answer does not cite (last first), cited sources together with
    the sentences that cite them (last first; one source always stays), then the answer's end, by whole sentences where
    one fits and by tokens otherwise. The row always ends on a supervised ``<|end|>``.
    """
    end = end_token_id(tokenizer)
    whole = len(example.sources or ())
    while True:
        prompt = render(tokenizer, messages_for(example.question, example.sources))
        answer = _answer_ids(tokenizer, example.answer)
        dropped = whole - len(example.sources or ())
        if len(prompt) + len(answer) + 1 <= max_length:
            return _row(prompt, [*answer, end], dropped, cut=False)
        if example.sources is None or len(example.sources) == 1:
            break
        example = drop_source(example, _least_needed(example))
    room = max_length - len(prompt) - 1
    if room < 1:
        return None
    return _row(prompt, [*_cut_answer(tokenizer, example.answer, room), end], dropped, cut=True)


def drop_source(example: Example, number: int) -> Example:
    """``example`` without source ``number`` (from 1) and the sentences that cite it; later markers count one less."""
    sources = example.sources or ()
    kept = [s for n, s in enumerate(sources, start=1) if n != number]
    pairs = [p for n, p in enumerate(example.source_pairs, start=1) if n != number]

    def renumber(match: re.Match[str]) -> str:
        n = int(match.group(1))
        return f"[{n - 1 if n > number else n}]"

    answer = example.answer
    if number in cited_numbers(answer):
        segments = [s for s in segments_of(answer) if number not in cited_numbers(s)]
        answer = " ".join(segments)
    return replace(example, sources=tuple(kept), source_pairs=tuple(pairs), answer=_NUMBER.sub(renumber, answer))


def segments_of(answer: str) -> list[str]:
    """``"A. [2] B. [1]"`` -> ``["A. [2]", "B. [1]"]``; an answer without markers is one segment."""
    found = ["".join(m.groups()).strip() for m in _MARKED.finditer(answer)]
    rest = _MARKED.sub("", answer).strip()
    return [*found, rest] if rest else found


def cited_numbers(answer: str) -> list[int]:
    """Source numbers in order of first citation, each once."""
    return list(dict.fromkeys(int(n) for n in _NUMBER.findall(answer)))


def describe_example(tokenizer: Any, row: Encoded) -> str:
    """The row decoded for people: the prompt, then the supervised part, as the tokenizer reads them back."""
    start = next(i for i, label in enumerate(row.labels) if label != IGNORE)
    prompt, answer = tokenizer.decode(row.input_ids[:start]), tokenizer.decode(row.labels[start:])
    return (
        f"prompt, {start} tokens without loss:\n{prompt}\nanswer, {len(row.labels) - start} tokens with loss:\n{answer}"
    )


def _least_needed(example: Example) -> int:
    """Number of the source to drop next: the last uncited one, else the one cited last."""
    cited = cited_numbers(example.answer)
    uncited = [n for n in range(1, len(example.sources or ()) + 1) if n not in cited]
    return uncited[-1] if uncited else cited[-1]


def _cut_answer(tokenizer: Any, answer: str, room: int) -> list[int]:
    """Ids of as many whole leading sentences as ``room`` holds; of the first one's beginning if none fits."""
    segments = segments_of(answer)
    for count in range(len(segments) - 1, 0, -1):
        ids = _answer_ids(tokenizer, " ".join(segments[:count]))
        if len(ids) <= room:
            return ids
    return _answer_ids(tokenizer, answer)[:room]


def _answer_ids(tokenizer: Any, answer: str) -> list[int]:
    return list(tokenizer(neutralise(answer), add_special_tokens=False)["input_ids"])


def _row(prompt: Sequence[int], answer: Sequence[int], dropped: int, cut: bool) -> Encoded:
    return Encoded([*prompt, *answer], [IGNORE] * len(prompt) + list(answer), dropped, cut)
