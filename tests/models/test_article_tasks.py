"""Which passages may stand beside a question: what may answer it, mentions in passing, abbreviated and nested names."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from models.recipe.article_tasks import Shelf, _distinct, close, encyclopedia_interview, encyclopedia_task
from models.recipe.articles import NAME, Article
from models.recipe.examples import Draft, Sentence, Tag, cite
from models.recipe.library import Library
from models.recipe.phases import PHASES
from models.recipe.world import World
from rag.prompt import REFUSAL
from tests.models.conftest import TASKS, expected

pytestmark = pytest.mark.usefixtures("plain_questions")


def test_a_question_before_a_passage_is_no_part_of_the_answer(planted_library, monkeypatch):
    monkeypatch.setattr(f"{TASKS}.ASKS_FIRST", 1.0)
    for seed in range(60):
        draft = Shelf(World(random.Random(seed), planted_library)).draft(planted_library.articles[0], "gout", "cause")
        question, *said = draft.sentences
        assert "gout" in question.text.lower() and "says" not in question.text and not question.tags
        assert said and all(s.tags == {Tag("gout", "cause")} for s in said)
        example = encyclopedia_task(World(random.Random(seed), planted_library, PHASES["read"]), refuse=False)
        assert example.answer == cite(expected(example, example.question)[:8])


@pytest.mark.parametrize(
    ("asked", "answering"),
    [
        ("inheritance", {"inheritance"}),
        ("gene", {"gene", "cause"}),
        ("cause", {"cause", "gene", "inheritance", "spread"}),
        ("spread", {"spread", "prevention", "cause", "gene", "inheritance"}),
        ("prevention", {"prevention"}),
        ("frequency", {"frequency"}),
        ("risk", {"risk", "frequency", "onset"}),
        ("treatment", {"treatment", "care"}),
        ("research", {"research"}),
        ("care", {"care", "treatment", "research"}),
        ("history", {"history"}),
    ],
)
def test_which_aspects_may_answer_depends_on_which_is_asked(asked, answering):
    assert close(asked) == answering


def with_genes(library, symbol, aspects):
    """Articles on ``aspects`` that all name ``symbol``, beside the medicine and the procedure."""
    said = tuple((a, (f"author0 says 00: by {symbol} the {a} of {NAME} ends here.",)) for a in aspects)
    articles = [Article("disease", "author0", said), *library.articles[3:]]
    return Library(library.modules, library.lexicon, library.grammar, articles)


@pytest.mark.parametrize(("symbol", "shown"), [("ABCD1", False), ("abcd1", True)])
def test_a_passage_that_names_a_gene_never_stands_where_the_gene_is_asked_in_vain(planted_library, symbol, shown):
    other = with_genes(planted_library, symbol, ("gene", "cause", "inheritance"))
    seen: dict[str, set[str]] = {}
    for seed in range(300):
        example = encyclopedia_task(World(random.Random(seed), other, PHASES["read"]), refuse=True)
        assert example.answer == REFUSAL
        asked, name = example.question.split(" of ", 1)
        text = " ".join(s.text for s in example.sources)
        seen.setdefault(asked, set()).update(re.findall(rf"the (\w+) of {re.escape(name)} ends", text))
    assert seen["gene"] == ({"inheritance"} if shown else set())
    assert seen["inheritance"] == {"gene", "cause"}
    assert not seen["cause"]


@pytest.mark.parametrize(("symbol", "asks"), [("ABCD1", False), ("abcd1", True)])
def test_no_interview_asks_in_vain_for_the_gene_that_a_source_names(planted_library, symbol, asks):
    other = with_genes(planted_library, symbol, ("symptom", "inheritance"))
    asked = set()
    for seed in range(150):
        example = encyclopedia_interview(World(random.Random(seed), other, PHASES["read"]), 0.5)
        turns = [m["content"].rsplit("Question: ", 1)[1] for m in example.messages if m["role"] == "user"]
        asked |= {turn.split(" of ")[0] for turn in turns}
    assert ("gene" in asked) == asks


@pytest.mark.parametrize("refuse", [False, True])
def test_a_mention_in_a_passage_on_another_condition_answers_nothing(planted_library, monkeypatch, refuse):
    monkeypatch.setattr(f"{TASKS}.MENTIONED", 1.0)
    strangers = 0
    for seed in range(150):
        example = encyclopedia_task(World(random.Random(seed), planted_library, PHASES["read"]), refuse)
        assert example.answer == (REFUSAL if refuse else cite(expected(example, example.question)[:8]))
        name = example.question.split(" of ", 1)[1]
        others = [s for s in example.sources if f" of {name} ends" not in s.text]
        assert all(name.lower() in s.text.lower() for s in others)
        strangers += len(others)
    assert strangers > 100


def test_a_title_explains_the_abbreviation_that_its_text_and_some_questions_use(planted_library, monkeypatch):
    monkeypatch.setattr(f"{TASKS}.SHORTENED", 1.0)
    monkeypatch.setattr(f"{TASKS}.QUALIFIED", 0.0)
    monkeypatch.setattr(World, "name", lambda self, kind: "severe copper fever")
    explained = short = 0
    for seed in range(300):
        example = encyclopedia_task(World(random.Random(seed), planted_library, PHASES["read"]), refuse=False)
        aspect, name = example.question.split(" of ", 1)
        assert name in ("severe copper fever", "SCF")
        titles = {s.title for s in example.sources if "the " + aspect + " of SCF ends" in s.text}
        assert titles <= {"Severe copper fever (SCF)", "severe copper fever (SCF)"}
        quotes = expected(example, f"{aspect} of {'SCF' if titles else 'severe copper fever'}")
        assert quotes and example.answer == cite(quotes[:8])
        assert titles or name != "SCF"
        explained, short = explained + bool(titles), short + (name == "SCF")
    assert 0.6 < explained / 300 < 0.8
    assert 0.3 < short / explained < 0.5


@pytest.mark.parametrize(
    ("name", "pattern"), [("copper fever type 3", "CFT"), ("copper fever", "CF[DSXTN]"), ("gout", None)]
)
def test_an_abbreviation_has_three_letters_and_a_single_word_has_none(planted_library, monkeypatch, name, pattern):
    monkeypatch.setattr(f"{TASKS}.SHORTENED", 1.0)
    monkeypatch.setattr(f"{TASKS}.QUALIFIED", 0.0)
    monkeypatch.setattr(World, "name", lambda self, kind: name)
    shelf = Shelf(World(random.Random(0), planted_library))
    shelf.titles = "name"
    draft = shelf.draft(planted_library.articles[0], shelf.asked_name(), "cause")
    assert re.fullmatch(name + (rf" \({pattern}\)" if pattern else ""), draft.title, re.IGNORECASE)
    assert re.search(rf"the cause of {pattern or name} ends here\.$", draft.text)


def test_one_name_may_hold_the_other(planted_library, monkeypatch):
    monkeypatch.setattr(f"{TASKS}.CLOSE", 1.0)
    monkeypatch.setattr(f"{TASKS}.NESTED", 1.0)
    monkeypatch.setattr(f"{TASKS}.QUALIFIED", 1.0)
    monkeypatch.setattr(World, "name", lambda self, kind: "copper fever")
    for seed in range(50):
        shelf = Shelf(World(random.Random(seed), planted_library))
        assert re.fullmatch(r"\S+ copper fever", name := shelf.asked_name())
        assert shelf.other_name(name) == "copper fever"
        assert re.fullmatch(r"\S+ copper fever|copper fever with \S+", shelf.other_name("copper fever"))


@pytest.mark.parametrize("refuse", [False, True])
def test_a_page_is_quoted_where_it_is_asked_for_and_nowhere_else(planted_library, monkeypatch, refuse):
    def signs(world, name):
        return [f"Author9 says 00: the symptom of {name} ends here."]

    def links(world, name, aspect):
        return [f"Author9 says 01: the {aspect} of {name} ends here."]

    monkeypatch.setattr(f"{TASKS}.sign_table", signs)
    monkeypatch.setattr(f"{TASKS}.link_list", links)
    pages = quoted = 0
    for seed in range(300):
        example = encyclopedia_task(World(random.Random(seed), planted_library, PHASES["talk"]), refuse)
        quotes = expected(example, example.question)
        assert bool(quotes) != refuse
        assert example.answer == (cite(quotes[:8]) if quotes else REFUSAL)
        pages += sum("Author9" in s.text for s in example.sources)
        quoted += any("Author9" in text for _, text in quotes)
    assert pages > 50 and bool(quoted) != refuse


@pytest.mark.parametrize(
    ("aspects", "asked", "shares"),
    [
        # 0.3 symptoms; of the rest 0.4 what is beside the asked one (risk), 0.6 any of all
        (("frequency", "risk", "symptom", "cause"), "frequency", {"symptom": 0.44, "risk": 0.42, "cause": 0.14}),
        (("frequency", "symptom", "treatment"), "frequency", {"symptom": 0.65, "treatment": 0.35}),
        (("frequency", "history", "treatment"), "frequency", {"history": 0.5, "treatment": 0.5}),
        (("frequency", "symptom", "treatment"), "treatment", {"symptom": 0.5, "frequency": 0.5}),
    ],
)
def test_where_a_frequency_is_asked_signs_are_shown_more_often(planted_library, monkeypatch, aspects, asked, shares):
    monkeypatch.setattr(f"{TASKS}._distinct", list)
    other, phase = with_genes(planted_library, "salt", aspects), replace(PHASES["read"], other_entity=0.0)
    told = Counter()
    for seed in range(3600):
        example = encyclopedia_task(World(random.Random(seed), other, phase), refuse=True)
        aspect, name = example.question.split(" of ", 1)
        if aspect == asked:
            text = " ".join(s.text for s in example.sources)
            told.update(re.findall(rf"the (\w+) of {re.escape(name)} ends", text))
    assert set(told) == set(shares) and told.total() > 1200
    for aspect, share in shares.items():
        assert abs(told[aspect] / told.total() - share) < 0.03


def test_a_passage_is_shown_again_only_for_what_it_tells():
    tag = frozenset({Tag("gout", "cause")})
    first = Draft([Sentence("A.", tag), Sentence("B.", tag)])
    asked_first = Draft([Sentence("Why gout?"), Sentence("B.", tag)], "Gout")
    mentioning = Draft([Sentence("A.", tag), Sentence("See also lupus.")])
    longer = Draft([Sentence("B.", tag), Sentence("C.", tag)])
    assert _distinct([first, asked_first, mentioning, longer]) == [first, longer]
    assert _distinct([asked_first, first]) == [asked_first, first]
