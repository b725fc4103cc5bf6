"""The training stream: tasks in proportion, rendered by the prompt's own functions, packed into rows of tokens."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.recipe.article_tasks import encyclopedia_interview, encyclopedia_task
from models.recipe.examples import Example, conversation
from models.recipe.library import Library
from models.recipe.phases import Phase
from models.recipe.prose import running_text
from models.recipe.prose_tasks import closed_book_task, prose_task
from models.recipe.pseudo import Disguise, Words
from models.recipe.world import World
from models.recipe.world_tasks import article_task, interview_task, reading_task, relation_task
from rag.prompt import end_token_id, neutralise, render

DISGUISED = 0.6
"""Share of prose tasks (and half of the plain prose) with rare words and numbers replaced."""

PROSE_ROWS = 0.08
"""Share of rows that hold nothing but prose. The ends of the other rows are filled with prose as well."""

PROMPT, PROSE, ANSWER, OPENING = range(4)
"""Kinds of token, for the loss. The opening of an answer is where the sentence is chosen; the rest is copied."""

OPENING_TOKENS = 6

INTERVIEW_REFUSES = 0.15
"""What interviews on articles refuse more often: an answer is a passage there, a refusal a line, and both teach one choice."""

WAITING = 6
"""Examples kept ready to find one that still fits into a row; what stays empty is filled with prose."""

END_OF_TEXT = 0


def make_example(rng: random.Random, library: Library, phase: Phase) -> Example:
    """One example of the mix."""
    family = rng.choices(list(phase.families), weights=list(phase.families.values()))[0]
    if family == "plain":
        return closed_book_task(rng, library)
    if family == "conversation":
        if rng.random() < 0.4:
            return conversation(closed_book_task(rng, library), closed_book_task(rng, library))
        second = rng.choice(("made-up", "prose"))
        return conversation(_reading(rng, library, phase, "made-up"), _reading(rng, library, phase, second))
    return _reading(rng, library, phase, family)


def _reading(rng: random.Random, library: Library, phase: Phase, family: str) -> Example:
    if family == "prose":
        return prose_task(rng, library, rng.random() < phase.refused_prose, DISGUISED)
    world = World(rng, library, phase)
    if family == "interview":
        return interview_task(world, phase.refused)
    if family == "encyclopedia interview":
        return encyclopedia_interview(world, phase.refused_articles + INTERVIEW_REFUSES)
    if family == "encyclopedia":
        return encyclopedia_task(world, rng.random() < phase.refused_articles)
    task = {"relation": relation_task, "article": article_task, "made-up": reading_task}[family]
    return task(world, rng.random() < phase.refused)


def encode(tokenizer: Any, example: Example) -> tuple[list[int], list[int]]:
    """Token ids of the whole conversation, closed by ``<|end|>``, and their kinds: every answer in it is learned from."""
    ids: list[int] = []
    kinds: list[int] = []
    end, pending = end_token_id(tokenizer), []
    for message in (*example.messages, {"role": "assistant", "content": example.answer}):
        if message["role"] != "assistant":
            pending.append(message)
            continue
        if ids:
            ids += tokenizer("\n", add_special_tokens=False)["input_ids"]  # the template closes a turn with <|end|>\n
        ids += render(tokenizer, pending)
        kinds += [PROMPT] * (len(ids) - len(kinds))
        answer = [*tokenizer(neutralise(message["content"]), add_special_tokens=False)["input_ids"], end]
        ids += answer
        kinds += [OPENING] * min(OPENING_TOKENS, len(answer)) + [ANSWER] * max(0, len(answer) - OPENING_TOKENS)
        pending = []
    return ids, kinds


@dataclass(slots=True)
class Packer:
    """Fills rows of ``length`` tokens with whole examples; what is left of a row is filled with prose."""

    rng: random.Random
    library: Library
    tokenizer: Any
    phase: Phase
    length: int

    def rows(self, n: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Token ids and their kinds, both (n, length)."""
        ids = np.zeros((n, self.length), np.uint16)
        kinds = np.zeros((n, self.length), np.uint8)
        waiting: list[tuple[list[int], list[int]]] = []
        for row in range(n):
            at = 0
            prose_only = self.rng.random() < PROSE_ROWS
            while not prose_only:
                fitting = next((i for i, (x, _) in enumerate(waiting) if at + len(x) <= self.length), None)
                if fitting is None and len(waiting) >= WAITING:
                    break
                if fitting is None:
                    encoded = encode(self.tokenizer, make_example(self.rng, self.library, self.phase))
                    if len(encoded[0]) <= self.length:
                        waiting.append(encoded)
                    continue
                some, what = waiting.pop(fitting)
                ids[row, at : at + len(some)] = some
                kinds[row, at : at + len(some)] = what
                at += len(some)
            while at < self.length:
                text = self._prose(self.length - at)
                ids[row, at : at + len(text)] = text
                kinds[row, at : at + len(text)] = PROSE
                at += len(text)
        return ids, kinds

    def _prose(self, room: int) -> list[int]:
        """At most ``room`` tokens from some module, closed by the end-of-text token if its end is reached."""
        lines = running_text(self.rng.choice(self.library.modules)).split("\n")
        start = self.rng.randrange(len(lines))
        text = "\n".join(lines[start : start + 12])[: room * 6]  # 6 characters to a token are more than enough
        if self.rng.random() < DISGUISED / 2:
            words = Words(self.rng, self.library.lexicon.rare)
            text = Disguise(words, self.library.lexicon.is_rare, self.rng.choice((0.3, 0.6)))(text)
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], END_OF_TEXT][:room]


def shard(
    seed: int, index: int, size: tuple[int, int], library: Library, tokenizer: Any, phase: Phase
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Shard ``index`` of the stream that ``seed`` stands for, whoever asks, in any order. size: (rows, length)."""
    return Packer(random.Random(f"{seed}/{index}"), library, tokenizer, phase, size[1]).rows(size[0])
