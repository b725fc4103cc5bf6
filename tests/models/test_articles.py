"""The articles and the tasks made from them: answers are the passages on the asked aspect of the asked condition, or none."""

import random
import re

import pytest

from models.recipe.article_tasks import Shelf, close, encyclopedia_interview, encyclopedia_task, nearly
from models.recipe.articles import ASPECTS, NAME, Article, parse, read_articles
from models.recipe.examples import cite
from models.recipe.grammar import HELD_OUT_FILES, held_out_grammar, read_forms
from models.recipe.library import Library
from models.recipe.phases import PHASES
from models.recipe.world import World
from rag.prompt import REFUSAL
from tests.models.conftest import TASKS, TOLD, expected, planted

pytestmark = pytest.mark.usefixtures("plain_questions")


@pytest.mark.parametrize("refuse", [False, True])
def test_an_answer_is_all_that_is_told_on_the_aspect_and_a_refusal_has_nothing_to_tell(planted_library, refuse):
    shown, strangers = 0, 0
    for seed in range(300):
        example = encyclopedia_task(World(random.Random(f"{refuse}/{seed}"), planted_library, PHASES["read"]), refuse)
        quotes = expected(example, example.question)
        assert bool(quotes) != refuse
        assert example.answer == (cite(quotes[:8]) if quotes else REFUSAL)
        assert 1 <= len(example.sources) <= 6
        name = example.question.split(" of ", 1)[1]
        shown += len(example.sources)
        strangers += sum(f" of {name} ends" not in s.text for s in example.sources)
        if refuse:  # nothing that is told of the asked one may answer
            aspect = example.question.split(" of ")[0]
            told = {m for s in example.sources for m in re.findall(rf"the (\w+) of {re.escape(name)} ends", s.text)}
            assert not told & close(aspect)
    low, high = (0.5, 0.65) if refuse else (0.25, 0.35)  # passages on others are neither rare nor all
    assert low < strangers / shown < high


def test_an_interview_asks_what_is_told_and_what_is_not(planted_library):
    answered = refused = 0
    for seed in range(150):
        example = encyclopedia_interview(World(random.Random(seed), planted_library, PHASES["read"]), 0.5)
        turns = [m["content"].rsplit("Question: ", 1)[1] for m in example.messages if m["role"] == "user"]
        said = [m["content"] for m in example.messages if m["role"] == "assistant"] + [example.answer]
        assert len(turns) == len(said) >= 3
        for question, answer in zip(turns, said, strict=True):
            quotes = expected(example, question)
            assert answer == (cite(quotes[:8]) if quotes else REFUSAL)
            answered, refused = answered + bool(quotes), refused + (not quotes)
            aspect, name = question.split(" of ", 1)
            text = " ".join(s.text for s in example.sources)
            assert quotes or not close(aspect) & set(re.findall(rf"the (\w+) of {re.escape(name)} ends", text))
    assert 0.4 < refused / (answered + refused) < 0.65


def test_sentences_may_be_borrowed_from_another_article_on_the_same_aspect(planted_library, monkeypatch):
    monkeypatch.setattr(f"{TASKS}.ASKS_FIRST", 0.0)
    mixed = 0
    lenders = [planted("shared"), planted("shared")]
    other = Library(planted_library.modules, planted_library.lexicon, planted_library.grammar, lenders)
    lent = {a: tuple(f"lent {i}: the {a} of {NAME} ends here." for i in range(18)) for a in TOLD}
    lenders[1] = Article("disease", "shared", tuple(lent.items()))
    for seed in range(200):
        shelf = Shelf(World(random.Random(seed), other, PHASES["read"]))
        draft = shelf.draft(lenders[0], "gout", "cause")
        assert all(s.text.endswith("the cause of gout ends here.") for s in draft.sentences)
        mixed += any(s.text.startswith("Lent") for s in draft.sentences)
    assert 0.05 < mixed / 200 < 0.3


def test_other_names_are_other_and_some_of_them_near(planted_library):
    near_ones = 0
    for seed in range(500):
        shelf = Shelf(World(random.Random(seed), planted_library, PHASES["read"]))
        name = shelf.world.name("disease")
        other = shelf.other_name(name)
        assert other.lower() != name.lower()
        assert nearly(shelf.rng, "factor 11 deficiency", shelf.world.words) != "factor 11 deficiency"
        near_ones += bool(set(other.lower().split()) & set(name.lower().split()))
    assert 100 < near_ones < 400


def test_rare_words_are_disguised_alike_in_sources_and_answer(planted_library, monkeypatch):
    monkeypatch.setattr(f"{TASKS}.DISGUISED", 1.0)
    changed = 0
    for seed in range(60):
        example = encyclopedia_task(World(random.Random(seed), planted_library, PHASES["read"]), refuse=False)
        for number, text in example.quotes:
            assert text in example.sources[number - 1].text
        changed += not any("says" in s.text for s in example.sources)
    assert changed  # "says" is in no module, so that it is rare


LINES = """### disease
== cause
{X} comes from salt. It follows from water too.
Nobody knows more.
== symptom
People with {X} are red.
### drug
== definition
It is a drop.
== care
Keep {X} cold."""


def numbered(text: str):
    return [(f"file:{i}", line) for i, line in enumerate(text.splitlines(), start=1)]


def test_a_file_is_articles_of_passages_of_sentences():
    first, second = parse("rare", numbered(LINES))
    assert first == Article(
        "disease",
        "rare",
        (
            ("cause", ("{X} comes from salt.", "It follows from water too.")),
            ("cause", ("Nobody knows more.",)),
            ("symptom", ("People with {X} are red.",)),
        ),
    )
    assert (second.kind, second.aspects(), second.on("care")) == ("drug", ["definition", "care"], [("Keep {X} cold.",)])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("### cheese", "file:1: wanted one of disease, drug, procedure behind ###, found 'cheese'"),
        ("### disease\n== colour", "file:2: wanted one of .* behind ==, found 'colour'"),
        ("### disease\nText.", "file:2: wanted a section before text, found 'Text.'"),
        ("### disease\n== cause\n- a list item", "file:3: wanted a paragraph, found a list item '- a list item'"),
        (
            "### disease\n== cause\nOne.",
            "before the end: wanted an article on two aspects or more, found \\['cause'\\]",
        ),
    ],
)
def test_a_file_that_is_not_so_is_refused_with_the_place(text, wrong):
    with pytest.raises(ValueError, match=wrong):
        parse("rare", numbered(text))


def test_the_articles_at_hand():
    articles = read_articles()
    assert len(articles) > 700
    assert {a.kind for a in articles} == {"disease", "drug", "procedure"}
    passages = [(aspect, " ".join(said)) for a in articles for aspect, said in a.passages]
    assert {aspect for aspect, _ in passages} == set(ASPECTS)
    assert len({text for _, text in passages}) == len(passages)  # none twice
    for _, text in passages:
        assert len(text.split()) <= 140
        assert not re.search(r"[{}\[\]|#]", text.replace(NAME, "")), text


@pytest.mark.parametrize("file", HELD_OUT_FILES)
def test_no_article_says_anything_in_a_held_out_form(file):
    said = {s.replace(NAME, "@X") for a in read_articles() for _, p in a.passages for s in p if NAME in s}
    grammar, forms = held_out_grammar(file), read_forms([file])
    patterns = [
        re.compile(grammar.pattern(form).replace("@F", ".+"), re.IGNORECASE)
        for section, own in forms.items() if section.endswith(".sentence") for form in own
    ]  # fmt: skip
    assert len(patterns) >= 60
    planted_in = grammar.say(random.Random(0), forms["cause.sentence"][0], {"X": "@X", "F": "salt"})
    assert any(p.fullmatch(planted_in) for p in patterns)
    assert [s for s in said if any(p.fullmatch(s) for p in patterns)] == []
