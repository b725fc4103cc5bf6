"""Names that codes tell apart: how often they are made, and that a near name differs in one word."""

import random
import re

import pytest

from models.recipe.article_tasks import CODES, nearly
from models.recipe.grammar import Grammar, training_grammar
from models.recipe.pseudo import Words
from models.recipe.world import World, spaced

CODE = re.compile(r"\d{1,2}|\d[ABCab]|[IVX]+[ab]?|[ABC]|(?:\d{1,2}|X)[pq](?:\d+(?:\.\d+)?)?")
GRAMMAR = training_grammar()
WAYS = 14
"""Ways to name a disease, all equally likely; one has a code at its end, one is a code."""
DRAWS = 2000


def changed(name: str, other: str) -> list[tuple[str, str]]:
    """(old, new) of the words that differ; a name of another length is an error."""
    return [pair for pair in zip(name.split(), other.split(), strict=True) if pair[0] != pair[1]]


@pytest.mark.parametrize(
    ("name", "recounted"),
    [
        ("copper fever type IIb", set()),
        ("5q13.2 deletion syndrome", {f"{n}q13.2" for n in (1, 2, 3, 4, 6, 7, 8, 9)}),
        ("Xp11 deletion syndrome", {f"Xp{n}1" for n in range(2, 10)}),
        ("copper fever 2", set("13456789")),
        ("Trisomy 18p", {f"{n}8p" for n in range(2, 10)}),
        ("copper ataxia, autosomal dominant 3C", {f"{n}C" for n in (1, 2, 4, 5, 6, 7, 8, 9)}),
        ("copper fever type V", set()),
    ],
)
def test_a_code_is_preferred_and_becomes_another_code(name, recounted):
    (code,) = [word for word in name.split() if CODE.fullmatch(word)]
    codes, words = [], 0
    for seed in range(DRAWS):
        rng = random.Random(seed)
        other = nearly(rng, name, Words(rng))
        assert other.casefold() != name.casefold()
        ((old, new),) = changed(name, other)
        if old == code:
            codes.append(new)
        else:
            words += 1
            assert old[0].isupper() == new[0].isupper()
    assert set(codes) == (set(CODES) | recounted) - {code}
    assert abs(len(codes) / DRAWS - (0.7 + 0.3 / len(name.split()))) < 0.03
    assert words + len(codes) == DRAWS


def test_of_two_codes_either_is_changed():
    others = [nearly(rng, "trisomy 8 type II", Words(rng)) for rng in map(random.Random, range(DRAWS))]
    olds = [old for other in others for old, _ in changed("trisomy 8 type II", other)]
    assert len(olds) == DRAWS
    for word, share in {"8": 0.425, "II": 0.425, "trisomy": 0.075, "type": 0.075}.items():
        assert abs(olds.count(word) / DRAWS - share) < 0.04


@pytest.mark.parametrize("section", ["disease_coded", "disease_code"])
def test_every_coded_name_of_the_forms_has_near_names(section):
    seen = 0
    for seed in range(DRAWS):
        rng = random.Random(seed)
        words = Words(rng)
        name = spaced(GRAMMAR.say(rng, GRAMMAR.pick(rng, section), {}, words.make))
        name = f"copper fever {name}" if section == "disease_code" else name
        if any(CODE.fullmatch(word) for word in name.split()):
            seen += 1
            other = nearly(rng, name, words)
            assert len(changed(name, other)) == 1 and other.casefold() != name.casefold()
        else:
            assert section == "disease_coded"
    assert seen == DRAWS if section == "disease_code" else 0.4 * DRAWS < seen < 0.9 * DRAWS


def test_some_diseases_have_codes(library):
    forms = {**GRAMMAR.forms, "disease_coded": [("99q99 deletion",)], "disease_code": [(" type  99Z ",)]}
    names = []
    for seed in range(DRAWS):
        world = World(random.Random(seed), library)
        world.grammar = Grammar(forms)
        names.append(world.name("disease"))
    assert abs(names.count("99q99 deletion") / DRAWS - 1 / WAYS) < 0.02
    typed = [name for name in names if name.endswith(" type 99Z")]
    assert abs(len(typed) / DRAWS - 1 / WAYS) < 0.02
    assert not any("99Z" in name for name in names if name not in typed)
