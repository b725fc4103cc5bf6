"""Libraries of invented prose and of planted articles, whose sentences say what they are on."""

import re

import pytest

from models.recipe.articles import NAME, Article, read_articles
from models.recipe.grammar import training_grammar
from models.recipe.library import Library
from models.recipe.prose import Module, build_lexicon
from models.recipe.world import World

THEMES = ("harbour", "garden", "kitchen", "library", "mountain", "workshop")
TASKS = "models.recipe.article_tasks"
TOLD = ("cause", "symptom", "treatment", "outlook", "frequency", "history", "research")


def make_module(i: int) -> Module:
    """A page of invented prose, with names, numbers and a glossary."""

    def paragraph(theme: str, k: int) -> str:
        return (
            f"The {theme} council of Averly is a group of {k + 3} elected people who look after the {theme}. "
            f"In {1820 + k + i}, Marten Holloway can be seen drawing the first {theme} plan on brown paper. "
            f"Visitors praised the {theme} because it was open to everyone and cost nothing at all. "
            f"Its keeper measures the {theme} walls every spring and records the result in a ledger."
        )

    sections = tuple((f"The {theme.title()} Years", (paragraph(theme, k),)) for k, theme in enumerate(THEMES))
    return Module(f"book {i}", f"Town History {i}", sections, (("ledger", "a book in which figures are kept"),))


def planted(register: str, kind: str = "disease") -> Article:
    """Every sentence says whose aspect it is on; two passages to an aspect."""
    passages = [
        (a, tuple(f"{register} says {i}{k}: the {a} of {NAME} ends here." for i in range(3)))
        for a in TOLD for k in range(2)
    ]  # fmt: skip
    return Article(kind, register, tuple(passages))


def expected(example, question):
    """What must be quoted, read off the sources' own text: neither a question before it nor a mention between."""
    return [
        (n, s)
        for n, source in enumerate(example.sources, start=1)
        for s in re.findall(r"Author\d says \d\d: .+? ends here\.", source.text)
        if s.endswith(f"the {question} ends here.")
    ]


@pytest.fixture(scope="module")
def library() -> Library:
    """Twenty pages of invented prose, the forms of training and the articles at hand."""
    modules = [make_module(i) for i in range(20)]
    return Library(modules, build_lexicon(modules), training_grammar(), read_articles())


@pytest.fixture(scope="module")
def planted_library(library):
    """The same with planted articles: three on diseases, one on a drug, one on a procedure."""
    kinds = ("disease", "disease", "disease", "drug", "procedure")
    articles = [planted(f"author{i}", kind) for i, kind in enumerate(kinds)]
    return Library(library.modules, library.lexicon, library.grammar, articles)


@pytest.fixture
def plain_questions(monkeypatch):
    """Questions of aspect and name alone, nothing disguised or shortened."""
    monkeypatch.setattr(World, "question", lambda self, name, aspects: f"{aspects[0]} of {name}")
    monkeypatch.setattr(f"{TASKS}.DISGUISED", 0.0)
    monkeypatch.setattr(f"{TASKS}.SHORTENED", 0.0)
