"""What web pages hold beside prose: a table of signs read out in a line, a list of places to turn to."""

import random

from models.recipe.world import World, upper_first

LINKED = ("treatment", "treatment", "diagnosis", "care", "research")
"""Aspects that pages like to answer with links alone."""


NOTES = 0.25
"""Share of tables of which only the notes are shown: passages end where their room does."""


def sign_table(world: World, name: str) -> list[str]:
    """Sentences around a table of four to fifteen signs with how often each is seen; the table is one of them, mostly."""
    rng = world.rng
    if rng.random() < NOTES:
        return list(dict.fromkeys(world.say("table.after", X=name) for _ in range(rng.randint(1, 5))))
    marks = rng.choice((_percent, _percent, _fraction, _word, _dash))
    shares = sorted((rng.choice((100, 90, 80, 75, 60, 50, 30, 25, 10, 7.5, 5)) for _ in range(15)), reverse=True)
    rows = [f"{upper_first(world.fact('symptom'))} {marks(rng, share)}" for share in shares[: rng.randint(4, 15)]]
    lead = world.say("table.lead", X=name) if rng.random() < 0.8 else ""
    before = [world.say("table.before", X=name) for _ in range(rng.choice((0, 0, 1, 2)))]
    after = [world.say("table.after", X=name) for _ in range(rng.choice((0, 0, 1, 2)))]
    table = f"{lead} {rng.choice((' ', ' ', ', ', '; ')).join(rows)}".strip()
    return list(dict.fromkeys([*before, table, *after]))


def link_list(world: World, name: str, aspect: str) -> list[str]:
    """A line of links on ``aspect`` (one of ``LINKED``), now and then with a second line of topics."""
    rng = world.rng
    lead = world.say("links.lead", X=name, A=world.say(f"{aspect}.linked", X=name))
    items = [world.say("links.item", X=name) for _ in range(rng.randint(1, 7))]
    text = f"{lead} - {' - '.join(dict.fromkeys(items))}"
    if rng.random() < 0.4:
        topics = [world.say("links.topic", X=name) for _ in range(rng.randint(2, 7))]
        text += f" {world.say('links.more', X=name)} - {' - '.join(dict.fromkeys(topics))}"
    return [upper_first(text)]


def _percent(rng: random.Random, share: float) -> str:
    return f"{share:g}%" if rng.random() < 0.97 else "-"


def _fraction(rng: random.Random, share: float) -> str:
    seen = rng.randint(3, 40)
    return f"{max(1, round(seen * share / 100))}/{seen}"


def _word(rng: random.Random, share: float) -> str:
    often = "(very often)" if share >= 80 else "(often)" if share >= 30 else "(now and then)"
    return often if rng.random() < 0.9 else "(rare)"


def _dash(rng: random.Random, share: float) -> str:
    return "-"
