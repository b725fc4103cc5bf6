"""The retriever's verb: what it measures, which scale it publishes and which it refuses."""

import json
import math

import numpy as np
import pytest

from finetune.retriever import PassageMaker, choose_scale, mix_of, train_retriever
from finetune.retriever_data import with_header
from finetune.retriever_eval import GradedSet, ValidationSet, cosines, loses
from ingest.corpus import write_pairs
from medqa.cli import main
from medqa.errors import GateFailed, MedqaError
from medqa.manifest import read_manifest
from medqa.records import QAPair
from medqa.settings import load_settings

from .conftest import planted


def test_header_is_written_as_the_index_writes_it(encoder):
    [pair] = planted()[:1]
    for header in ("topic", "question+topic+synonyms", ""):
        [passage] = PassageMaker(encoder.tokenizer)([pair], tuple(p for p in header.split("+") if p))
        assert with_header(pair, header, passage.text) == passage.embedded_text


def test_scale_is_the_best_that_loses_nothing():
    table = {
        0.0: {"a": 0.5, "gate x": 1.0},
        0.5: {"a": 0.6, "gate x": 1.0},
        0.8: {"a": 0.7, "gate x": 1.1},
        1.0: {"a": 0.9, "gate x": 0.99},
    }
    assert choose_scale(table, ["gate x"]) == (0.8, "")
    assert choose_scale(table, []) [0] == 1.0  # fmt: skip
    assert choose_scale({s: table[s] for s in (0.0, 1.0)}, ["gate x"]) == (
        None, "at scale 1.0: gate x 0.9900 against 1.0000",
    )  # fmt: skip
    assert loses({"x": 1 - 1e-12}, {"x": 1.0}) == []


def test_shares_above_one_are_refused():
    with pytest.raises(MedqaError, match="at most 1 together"):
        mix_of(0.5, 0.4, 0.2, 0.0)


def test_validation_counts_all_pairs_with_the_question_or_the_answer(encoder):
    pairs = planted(("train",) * 6 + ("validation",) * 2)
    twin = QAPair("twin", pairs[12].question, "Something else entirely.", topic="other", split="train")
    pairs = [*pairs, twin]
    questions = ValidationSet.of(pairs, PassageMaker(encoder.tokenizer)(pairs, ("topic",)), 4, seed=0)
    assert {n: len(g) for n, g in questions.groups.items()} == {"plain": 4, "synonym": 4, "people": 4}
    asked = [q for q in questions.pool.questions if q == pairs[12].question]
    assert len(asked) == 1
    assert questions.relevant[questions.pool.questions.index(asked[0])] == {12, 16}
    # Perfect rankings give 1, rankings without any right answer 0.
    rows = {i: [r for r, o in enumerate(questions.pool.owner) if o in rel] for i, rel in enumerate(questions.relevant)}
    assert set(questions.figures([rows[i] for i in rows]).values()) == {1.0}
    assert set(questions.figures([[] for _ in rows]).values()) == {0.0}
    assert "rashoid" in " ".join(questions.pool.questions)


def graded_file(path, grades=((4, "The symptoms of fever one."), (1, "Of what and how."))):
    rows = [
        {"question": f"symptoms {t}", "answers": [{"text": text, "grade": g} for g, text in grades]}
        for t in ("fever", "rash")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_graded_questions_see_their_own_candidates_only(encoder, tmp_path):
    graded = GradedSet.read(graded_file(tmp_path / "g.jsonl"), PassageMaker(encoder.tokenizer))
    assert [a.tolist() for a in graded.pool.allowed] == [[0, 1], [2, 3]]
    assert [dict(g) for g in graded.grades] == [{0: 3.0, 1: 0.0}, {2: 3.0, 3: 0.0}]
    lexical = [r.rows.tolist() for r in graded.pool.rank(cosines(graded.pool, encoder.embed), 1.0)]
    assert lexical == [[0, 1], [2, 3]]  # only the first answers share a word with the questions
    assert graded.figures(lexical) == {"first grade": 3.0, "nDCG@10": 1.0}
    assert graded.figures([[1, 0], [2, 3]]) == {
        "first grade": 1.5, "nDCG@10": pytest.approx((1 + 1 / math.log2(3)) / 2),
    }  # fmt: skip


@pytest.mark.parametrize("content", ["{}", "x", '{"question": "a", "answers": [{"text": "b"}]}'])
def test_other_content_than_graded_questions_is_refused(encoder, tmp_path, content):
    (tmp_path / "g.jsonl").write_text(content)
    with pytest.raises(MedqaError, match="graded"):
        GradedSet.read(tmp_path / "g.jsonl", PassageMaker(encoder.tokenizer))


def settings_of(tmp_path, folder, *more):
    pairs = planted(("train",) * 6 + ("validation", "test"))
    corpus = tmp_path / "corpus.csv"
    with corpus.open("w", newline="") as stream:
        write_pairs(stream, pairs)
    flags = {
        "corpus": corpus, "retriever.base": folder, "retriever.out": tmp_path / "retriever", "retriever.batch": 6,
        "retriever.epochs": 2, "retriever.rounds": 1, "retriever.r": 4, "retriever.device": "cpu",
        "retriever.scales": "[0.5, 1.0]", "retriever.learning_rate": 1e-2,
    }  # fmt: skip
    return [f"{k}={v}" for k, v in flags.items()] + list(more)


def test_command_publishes_reuses_and_says_what_it_used(tmp_path, folder):
    gate = graded_file(tmp_path / "gate.jsonl", ((4, "fever rash"), (4, "rash fever")))  # nothing can be lost
    settings = load_settings(None, settings_of(tmp_path, folder, f"retriever.gate={gate}"))
    made = train_retriever(settings)
    assert made["reused"] is False
    assert made["scale"] in (0.5, 1.0)
    out = tmp_path / "retriever"
    manifest = read_manifest(out, "retriever", "")
    assert set(manifest["inputs"]) == {"base", "corpus", "gate"}
    assert "gate hybrid first grade" in manifest["stock"]
    assert {p.name for p in out.iterdir()} == {
        "README.md", "adapter_config.json", "adapter_model.safetensors", "history.json", "manifest.json",
    }  # fmt: skip
    card = (out / "README.md").read_text()
    assert "CC BY 4.0" in card
    assert manifest["inputs"]["corpus"] in card
    assert train_retriever(settings)["reused"] is True


def test_a_failed_gate_is_exit_1_and_publishes_nothing(tmp_path, folder, capsys, monkeypatch):
    gate = graded_file(tmp_path / "gate.jsonl")
    monkeypatch.setattr("finetune.retriever.loses", lambda tuned, stock: ["all of it"])
    arguments = [a for s in settings_of(tmp_path, folder, f"retriever.gate={gate}") for a in ("--set", s)]
    assert main(["finetune", "retriever", *arguments]) == GateFailed.exit_code == 1
    assert "at scale 0.5: all of it" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "retriever").exists()


def test_a_missing_gate_and_base_are_named_before_training(tmp_path, folder):
    with pytest.raises(MedqaError, match="nothing-here"):
        train_retriever(load_settings(None, settings_of(tmp_path, folder, "retriever.gate=nothing-here")))
    with pytest.raises(MedqaError, match=r"retriever\.base"):
        train_retriever(load_settings(None, settings_of(tmp_path, folder, "retriever.base=no-folder")))


def test_equal_seeds_give_equal_adapters(tmp_path, folder):
    from safetensors.numpy import load_file

    found = []
    for name in ("a", "b"):
        flags = settings_of(tmp_path, folder, f"retriever.out={tmp_path / name}")
        train_retriever(load_settings(None, flags))
        found.append(load_file(tmp_path / name / "adapter_model.safetensors"))
    assert found[0].keys() == found[1].keys()
    assert all(np.array_equal(found[0][k], found[1][k]) for k in found[0])
