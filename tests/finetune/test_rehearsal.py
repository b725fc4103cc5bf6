"""Examples that are rehearsed beside the corpus': mixed in, hashed, checked, never exported."""

import json

import pytest

from finetune.command import train_generator
from finetune.examples import Example
from finetune.inputs import load_corpus, load_examples
from finetune.jsonl import read_examples, write_examples
from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from rag.prompt import Source

OTHERS = [
    Example(
        f"r{n}",
        f"What is Rehearsed{n}?",
        (Source(f"Rehearsed{n} is a toy."),),
        f"Rehearsed{n} is a toy. [1]",
        "grounded",
    )
    for n in range(5)
]


@pytest.fixture
def rehearsal(tmp_path):
    write_examples(tmp_path / "rehearsal.jsonl", OTHERS)
    return tmp_path / "rehearsal.jsonl"


def test_they_are_trained_on_beside_the_corpus_and_change_the_result(make_settings, tmp_path, rehearsal):
    train_generator(make_settings(), None)
    plain = read_manifest(tmp_path / "adapter", "adapter", "")
    with_them = make_settings(f"finetune.rehearsal={rehearsal}")
    assert train_generator(with_them, None)["reused"] is False
    manifest = read_manifest(tmp_path / "adapter", "adapter", "")
    assert manifest["examples"]["train"] == plain["examples"]["train"] + 5
    assert set(manifest["inputs"]) - set(plain["inputs"]) == {"rehearsal"}
    assert manifest["best_eval_loss"] != plain["best_eval_loss"]
    assert train_generator(with_them, None)["reused"] is True
    write_examples(rehearsal, OTHERS[:4])
    assert train_generator(with_them, None)["reused"] is False


def test_an_export_holds_the_corpus_alone_so_that_nothing_is_rehearsed_twice(make_settings, tmp_path, rehearsal):
    out = tmp_path / "examples.jsonl"
    train_generator(make_settings(f"finetune.rehearsal={rehearsal}"), None, export=out)
    assert not any(e.id.startswith("r") for e in read_examples(out))
    both = make_settings(f"finetune.examples={out}", f"finetune.rehearsal={rehearsal}")
    train, validation = load_examples(both, load_corpus(both), None)
    assert [e.id for e in train if e.id.startswith("r")] == ["r0", "r1", "r2", "r3", "r4"]
    assert not any(e.id.startswith("r") for e in validation)


def test_a_limit_holds_for_them_too(make_settings, rehearsal):
    settings = make_settings(f"finetune.rehearsal={rehearsal}")
    train, _ = load_examples(settings, load_corpus(settings), 3)
    assert [e.id.startswith("r") for e in train] == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "What is Secret number 99?"}, "without held-out pairs, found 1"),
        ({"split": "validation"}, "wanted training examples to rehearse"),
    ],
)
def test_files_that_cannot_be_rehearsed(make_settings, tmp_path, row, message):
    path = tmp_path / "rehearsal.jsonl"
    write_examples(path, OTHERS[:1])
    path.write_text(json.dumps(json.loads(path.read_text()) | row))
    with pytest.raises(MedqaError, match=message):
        train_generator(make_settings(f"finetune.rehearsal={path}"), None)
    assert not (tmp_path / "adapter").exists()
