"""The training stream: tasks in proportion, rendered by the prompt's own functions, packed into rows of tokens."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.recipe.examples import Example, conversation
from models.recipe.library import Library
from models.recipe.phases import Phase
from models.recipe.prose import running_text
from models.recipe.prose_tasks import closed_book_task, prose_task
from models.recipe.pseudo import Disguise, Words
from models.recipe.world import World
from models.recipe.world_tasks import reading_task, relation_task
from rag.prompt import end_token_id, render

DISGUISED = 0.6
"""Share of prose tasks (and half of the plain prose) with rare words and numbers replaced."""

PROSE_ROWS = 0.05
"""Share of rows that hold nothing but prose. The ends of the other rows are filled with prose as well."""

PROMPT, PROSE, ANSWER, OPENING = range(4)
"""Kinds of token, for the loss. The opening of an answer is where the sentence is chosen; the rest is copied."""

OPENING_TOKENS = 6

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
    refuse = rng.random() < phase.refused
    return relation_task(world, refuse) if family == "relation" else reading_task(world, refuse)


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
        end = end_token_id(self.tokenizer)
        waiting: tuple[list[int], list[int]] | None = None
        for row in range(n):
            at = 0
            prose_only = self.rng.random() < PROSE_ROWS
            while not prose_only:
                prompt, answer = waiting or self._encoded(end)
                size = len(prompt) + len(answer)
                if size > self.length:
                    waiting = None
                    continue
                waiting = (prompt, answer) if at + size > self.length else None
                if waiting:
                    break
                ids[row, at : at + size] = prompt + answer
                start = at + len(prompt)
                kinds[row, at:start] = PROMPT
                kinds[row, start : at + size] = ANSWER
                kinds[row, start : min(at + size, start + OPENING_TOKENS)] = OPENING
                at += size
            while at < self.length:
                text = self._prose(self.length - at)
                ids[row, at : at + len(text)] = text
                kinds[row, at : at + len(text)] = PROSE
                at += len(text)
        return ids, kinds

    def _encoded(self, end: int) -> tuple[list[int], list[int]]:
        """Prompt ids, and answer ids with the closing token."""
        example = make_example(self.rng, self.library, self.phase)
        answer = self.tokenizer(example.answer, add_special_tokens=False)["input_ids"]
        return render(self.tokenizer, example.messages), [*answer, end]

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
