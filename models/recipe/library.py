"""The prose at hand: modules, the words in them, the forms, and passages of several lengths."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.recipe.articles import Article
from models.recipe.grammar import Grammar
from models.recipe.prose import Chunk, Lexicon, Module, chunks

CHUNK_WORDS = (40, 60, 80, 90, 100, 120)
"""Target lengths of a passage; every page is cut to one of them."""


@dataclass(slots=True)
class Library:
    """What every prose task draws on."""

    modules: Sequence[Module]
    lexicon: Lexicon
    grammar: Grammar
    articles: Sequence[Article] = ()
    _chunks: dict[tuple[int, int], list[Chunk]] = field(default_factory=dict)

    def chunks(self, index: int, target: int) -> list[Chunk]:
        """Passages of module ``index``, cut once."""
        if (index, target) not in self._chunks:
            self._chunks[index, target] = chunks(self.modules[index], target)
        return self._chunks[index, target]

    def warm(self) -> None:
        """Cut all passages now, so that forked workers share them."""
        for index in range(len(self.modules)):
            for target in CHUNK_WORDS:
                self.chunks(index, target)

    def sentence(self, rng: random.Random) -> str:
        """Some sentence of the prose."""
        return rng.choice(rng.choice(draw_page(rng, self).chunks).sentences)


@dataclass(slots=True)
class Page:
    """A module in passages."""

    module: Module
    chunks: list[Chunk]


def draw_page(rng: random.Random, library: Library) -> Page:
    """A module with at least four passages, cut to a random length."""
    while True:
        index = rng.randrange(len(library.modules))
        page = Page(library.modules[index], library.chunks(index, rng.choice(CHUNK_WORDS)))
        if len(page.chunks) >= 4:
            return page
