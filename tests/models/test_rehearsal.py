"""What the recipe lends to fine-tuning: its reading tasks, and its questions as frames."""

import random
import re
from collections import Counter

import pytest

from finetune.augment import in_own_words, usable
from finetune.frames import ASPECT_FRAMES
from finetune.jsonl import read_examples, write_examples
from finetune.more_frames import read_frames
from models.recipe import frames as recipe_frames
from models.recipe import rehearsal as recipe_rehearsal
from models.recipe.examples import Example as Task
from models.recipe.frames import ASPECTS, NAME, frames
from models.recipe.rehearsal import rehearsal
from rag.prompt import REFUSAL, Source


def test_tasks_show_sources_and_are_answered_from_them_or_refused(library):
    made = list(rehearsal(library, 300, 0))
    assert len(made) == 300 == len({e.id for e in made})
    kinds = Counter(e.kind for e in made)
    assert set(kinds) == {"grounded", "refusal"} and min(kinds.values()) > 75
    for example in made:
        assert (example.answer == REFUSAL) == (example.kind == "refusal")
        for text, number in re.findall(r"\s*(.+?) \[(\d)\](?= |$)", example.answer):
            assert text in example.sources[int(number) - 1].text


def test_equal_seeds_give_equal_tasks_and_a_longer_run_begins_with_a_shorter_one(library, tmp_path):
    made = list(rehearsal(library, 60, 7))
    assert made == list(rehearsal(library, 80, 7))[:60]
    assert made != list(rehearsal(library, 60, 8))
    write_examples(tmp_path / "rehearsal.jsonl", made)
    assert read_examples(tmp_path / "rehearsal.jsonl") == made


def test_a_task_that_quotes_a_bracketed_number_or_shows_no_source_is_passed_over(library, monkeypatch):
    sources = (Source("In [1980] it rained."), Source("It snowed."))
    planted = [
        grounded_task((1, "In [1980] it rained."), sources),
        grounded_task((2, "It snowed."), sources),
        Task([], "Without sources.", "plain", "What?"),
        grounded_task((2, "It snowed."), sources),
    ]
    waiting = iter(planted)
    monkeypatch.setattr(recipe_rehearsal, "make_example", lambda *_: next(waiting))
    made = list(rehearsal(library, 2, 0))
    assert [(e.id, e.answer) for e in made] == [
        ("rehearsal-0-1", "It snowed. [2]"),
        ("rehearsal-0-3", "It snowed. [2]"),
    ]


def grounded_task(quote, sources):
    return Task([], f"{quote[1]} [{quote[0]}]", "made-up", "What fell?", sources, (quote,))


@pytest.mark.parametrize("kind", ASPECTS)
def test_frames_have_a_place_for_the_name_and_hold_no_held_out_frame(library, kind):
    found = frames(library, kind, 300, 0)
    assert len(found) > 200 and found == frames(library, kind, 300, 0)
    assert all(
        "{t}" in f and NAME.lower() not in f.lower() and set(re.findall(r"\{.*?\}", f)) == {"{t}"} for f in found
    )
    held_out = [
        f.replace("{t}", name).lower() for f in usable(ASPECT_FRAMES[kind], "held-out") for name in ("{t}", "it")
    ]
    assert not any(form in f.lower() for form in held_out for f in found)


def test_a_held_out_frame_is_found_in_any_dress(library, monkeypatch):
    planted = iter(
        [
            "Hello. Will my kids get Zqzx?", "will my kids get zqzx", "My aunt died of Zqzx, will my  kids get it?",
            "Our baby might have Zqzx. Is that so?", "ZQZX blood test?", "Will my kids get rid of Zqzx?",
            "Zqzx blood test at school",
        ]
    )  # fmt: skip
    monkeypatch.setattr(recipe_frames.World, "question", lambda *_: next(planted))
    assert "will my kids get {t}?" in usable(ASPECT_FRAMES["inheritance"], "held-out")
    assert frames(library, "inheritance", 7, 0) == ["Will my kids get rid of {t}?", "{t} blood test at school"]


def test_a_file_of_frames_is_one_that_fine_tuning_reads(library, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe_frames, "build_library", lambda texts: library)
    out = tmp_path / "frames.json"
    monkeypatch.setattr("sys.argv", ["frames", "--texts", "none", "--each", "5", "--out", str(out)])
    recipe_frames.main()
    found = read_frames(out)
    assert set(found) == set(ASPECTS) and set(found) < set(ASPECT_FRAMES)
    assert all(in_own_words(kind, "gout", random.Random(0)) for kind in found)
