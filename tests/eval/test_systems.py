import pytest

from eval.leakage import random_split
from eval.systems import plan, systems_of
from medqa.errors import MedqaError
from medqa.records import QAPair
from medqa.settings import Settings


def settings(**evaluation):
    return Settings.model_validate({"eval": evaluation})


def test_closed_book_variants_are_run_once():
    systems = systems_of(settings(variants=["plain", "tuned+rag", "extractive"]))
    cells = [(index, s.name) for index, s in plan(systems, ("open-book", "held-out"))]
    assert cells == [
        ("none", "plain"),
        ("open-book", "tuned+rag"),
        ("open-book", "extractive"),
        ("held-out", "tuned+rag"),
        ("held-out", "extractive"),
    ]


def test_a_further_system_changes_what_it_names_and_nothing_else():
    more = {"name": "five", "variant": "tuned+rag", "adapter": "x", "passages": 5, "retrieval": {"fusion": "rrf"}}
    run = settings(variants=["tuned+rag"], systems=[more])
    base, five = systems_of(run)
    assert base.settings == run
    assert (five.name, five.variant) == ("five", "tuned+rag")
    expected = run.model_dump()
    expected["generator"]["adapter"], expected["rag"]["passages"], expected["retrieval"]["fusion"] = "x", 5, "rrf"
    assert five.settings.model_dump() == expected


def test_wrong_systems_are_refused():
    with pytest.raises(MedqaError, match=r"eval.systems five, found fusoin"):
        systems_of(settings(systems=[{"name": "five", "variant": "extractive", "retrieval": {"fusoin": "rrf"}}]))
    with pytest.raises(ValueError, match="a name of its own"):
        settings(systems=[{"name": "plain", "variant": "extractive"}])
    with pytest.raises(ValueError, match="pattern"):
        settings(systems=[{"name": "../x", "variant": "extractive"}])
    with pytest.raises(MedqaError, match="something to compare"):
        systems_of(settings(variants=[]))
    with pytest.raises(MedqaError, match=r"eval\.indexes"):
        plan(systems_of(settings(variants=["extractive"])), ())


PAIRS = [
    QAPair(f"p{n}", f"Q{n}?", "A.", split="test" if n < 20 else "train" if n < 90 else "validation") for n in range(100)
]


def test_a_random_split_keeps_sizes_and_questions_and_mixes_the_rest():
    asked = {f"p{n}" for n in range(10)}
    found = random_split(PAIRS, asked, 0)
    assert [p.id for p in found] == [p.id for p in PAIRS]
    assert {s: sum(p.split == s for p in found) for s in ("train", "validation", "test")} == {
        "train": 70,
        "validation": 10,
        "test": 20,
    }
    assert all(p.split == "test" for p in found if p.id in asked)
    assert any(p.split == "train" for p in found[10:20])  # what was test and is not asked leaks
    places = {p.id: p.split for p in random_split(PAIRS[::-1], asked, 0)}
    assert places == {p.id: p.split for p in found}
    assert places != {p.id: p.split for p in random_split(PAIRS, asked, 1)}
