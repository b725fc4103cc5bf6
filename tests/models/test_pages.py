"""Tables of signs and lists of links: how many rows, in which order, nothing twice, and where they stand."""

import random
import re

import pytest

from models.recipe.article_tasks import Shelf
from models.recipe.examples import Tag
from models.recipe.pages import LINKED, link_list, sign_table
from models.recipe.world import World
from tests.models.conftest import planted

ROW = re.compile(r"Planted twitch (-|[\d.]+%|\d+/\d+|\((?:very often|often|now and then|rare)\))(?=$|[ ,;])")
LINKS = re.compile(
    r"(?P<lead>[^:]+:) - (?P<items>(?:(?! (?:These|Other|The) pages of ).)+)"
    r"(?: (?:These|Other|The) pages of [^:]+: - (?P<topics>.+))?"
)


def world(seed, library):
    return World(random.Random(seed), library)


def test_one_sentence_of_a_page_of_signs_is_a_table_whose_shares_fall(library, monkeypatch):
    monkeypatch.setattr("models.recipe.pages.NOTES", 0.0)
    facts = {"symptom": "planted twitch"}
    monkeypatch.setattr(World, "fact", lambda self, aspect: facts[aspect])
    lengths, marks, besides = set(), set(), set()
    for seed in range(400):
        said = sign_table(world(seed, library), "gout")
        assert len(set(said)) == len(said)
        (table,) = [s for s in said if "Planted twitch" in s]
        rows = ROW.findall(table)
        assert table.count("Planted twitch") == len(rows)
        assert table.endswith(rows[-1])
        shares = [float(r[:-1]) for r in rows if r.endswith("%")]
        assert shares == sorted(shares, reverse=True) and all(0 < s <= 100 for s in shares)
        for seen, of in (map(int, r.split("/")) for r in rows if "/" in r):
            assert 1 <= seen <= of
        words = [("(very often)", "(often)", "(now and then)").index(r) for r in rows if r[0] == "(" and r != "(rare)"]
        assert words == sorted(words)
        lengths.add(len(rows))
        marks.add(rows[0][-1])
        besides.add((said.index(table), len(said) - 1 - said.index(table)))
    assert lengths == set(range(4, 16))
    assert marks >= {"%", ")", "-"}
    assert besides == {(before, after) for before in range(3) for after in range(3)}


def recorded(monkeypatch) -> list[tuple[str, str]]:
    """(section, text) of all that a world says from now on."""
    said, original = [], World.say

    def say(self, section, **slots):
        said.append((section, original(self, section, **slots)))
        return said[-1][1]

    monkeypatch.setattr(World, "say", say)
    return said


def test_of_a_quarter_of_the_tables_one_to_five_notes_are_shown_alone(library, monkeypatch):
    monkeypatch.setattr(World, "fact", lambda self, aspect: "planted twitch")
    heard, numbers = recorded(monkeypatch), []
    for seed in range(800):
        heard.clear()
        said = sign_table(world(seed, library), "gout")
        if not any("Planted twitch" in s for s in said):
            assert {section for section, _ in heard} == {"table.after"}
            assert said == list(dict.fromkeys(text for _, text in heard))
            numbers.append(len(heard))
    assert set(numbers) == set(range(1, 6))
    assert abs(len(numbers) / 800 - 0.25) < 0.04


def test_no_sentence_around_a_table_is_said_twice(library, monkeypatch):
    monkeypatch.setattr(World, "fact", lambda self, aspect: "planted twitch")
    monkeypatch.setattr(World, "say", lambda self, section, **slots: section)
    found = set()
    for seed in range(120):
        said = sign_table(world(seed, library), "gout")
        found.add(" ".join("table" if "Planted" in s else s for s in said))
    whole = {"table", "table.before table", "table table.after", "table.before table table.after"}
    assert found == whole | {"table.after"}


@pytest.mark.parametrize("aspect", sorted(set(LINKED)))
def test_links_are_one_string_of_items_none_of_them_twice(library, aspect):
    numbers, twofold = set(), 0
    for seed in range(200):
        (text,) = link_list(world(seed, library), "gout", aspect)
        found = LINKS.fullmatch(text)
        assert found, text
        assert "gout" in found["lead"] and text[0].isupper()
        items = found["items"].split(" - ")
        topics = found["topics"].split(" - ") if found["topics"] else []
        assert all(items) and all(topics)
        assert len(set(items)) == len(items) <= 7 and len(set(topics)) == len(topics) <= 7
        numbers.add(len(items))
        twofold += bool(topics)
    assert numbers == set(range(1, 8))
    assert 0.25 < twofold / 200 < 0.55


def test_a_link_drawn_again_is_left_out(library, monkeypatch):
    monkeypatch.setattr(World, "say", lambda self, section, **slots: section)
    texts = {text for seed in range(60) for text in link_list(world(seed, library), "gout", "care")}
    assert texts == {"Links.lead - links.item", "Links.lead - links.item links.more - links.topic"}


@pytest.mark.parametrize(
    ("kind", "aspect", "paged"),
    [
        ("disease", "symptom", True),
        ("disease", "treatment", True),
        ("disease", "research", True),
        ("disease", "cause", False),
        ("drug", "symptom", False),
        ("drug", "treatment", False),
    ],
)
def test_pages_stand_for_passages_on_diseases_and_are_quoted_whole(library, monkeypatch, kind, aspect, paged):
    monkeypatch.setattr("models.recipe.article_tasks.DISGUISED", 0.0)
    for seed in range(30):
        shelf = Shelf(world(seed, library))
        shelf.world.pages = 1.0
        draft = shelf.draft(planted("author0", kind), "gout", aspect)
        assert ("Author0 says" not in draft.text) == paged
        if paged:
            assert draft.title == "Gout"
            assert all(s.tags == {Tag("gout", aspect)} for s in draft.sentences)
        shelf.world.pages = 0.0
        assert "Author0 says" in shelf.draft(planted("author0", kind), "gout", aspect).text


@pytest.mark.parametrize(
    ("aspect", "pages", "share"),
    [
        ("symptom", 0.15, 0.3),
        ("treatment", 0.15, 0.15),
        ("symptom", 0.5, 1.0),
        ("treatment", 0.5, 0.5),
        ("cause", 0.5, 0),
    ],
)
def test_passages_on_symptoms_are_pages_twice_as_often(library, monkeypatch, aspect, pages, share):
    monkeypatch.setattr("models.recipe.article_tasks.sign_table", lambda world, name: [f"symptom of {name}"])
    monkeypatch.setattr("models.recipe.article_tasks.link_list", lambda world, name, aspect: [f"{aspect} of {name}"])
    paged = 0
    for seed in range(800):
        shelf = Shelf(world(seed, library))
        shelf.world.pages = pages
        paged += shelf.draft(planted("author0"), "gout", aspect).text == f"{aspect} of gout"
    assert abs(paged / 800 - share) <= (0.04 if share % 1 else 0)


@pytest.mark.parametrize("titles", ["name", "none", "heading"])
@pytest.mark.parametrize("aspect", ["symptom", "care"])
def test_a_title_of_a_page_explains_the_abbreviation_too(library, monkeypatch, titles, aspect):
    monkeypatch.setattr("models.recipe.article_tasks.SHORTENED", 1.0)
    monkeypatch.setattr("models.recipe.article_tasks.QUALIFIED", 0.0)
    monkeypatch.setattr(World, "name", lambda self, kind: "severe copper fever")
    monkeypatch.setattr("models.recipe.article_tasks.sign_table", lambda world, name: [f"symptom of {name}"])
    monkeypatch.setattr("models.recipe.article_tasks.link_list", lambda world, name, aspect: [f"{aspect} of {name}"])
    shelf = Shelf(world(0, library))
    shelf.titles, shelf.world.pages = titles, 1.0
    name = shelf.asked_name()
    draft = shelf.draft(planted("author0"), name, aspect)
    assert draft.title == "Severe copper fever (SCF)"
    assert [(s.text, s.tags) for s in draft.sentences] == [(f"{aspect} of {name}", {Tag(name, aspect)})]
    assert shelf.draft(planted("author0"), "gout", aspect).title == "Gout"
