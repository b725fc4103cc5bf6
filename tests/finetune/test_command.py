"""The verb: what an adapter folder holds, when it is made again, and where a run goes on."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from finetune.command import train_generator
from finetune.jsonl import read_examples
from medqa.errors import MedqaError
from medqa.files import sha256_file
from medqa.manifest import read_manifest
from rag.prompt import messages_for, render
from tests.tiny_phi3 import save_tiny_phi3

from .conftest import folder_bytes
from .test_train import stop_after


def test_the_result_loads_with_stock_peft_and_changes_the_logits(make_settings, base, tmp_path, capsys):
    made = train_generator(make_settings(), None)
    out = tmp_path / "adapter"
    assert made["reused"] is False and made["best_eval_loss"] < made["base_eval_loss"]

    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(out)
    ids = torch.tensor([render(tokenizer, messages_for("What is Topic0 number 0?", None))])
    plain = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        before = plain(ids).logits
        after = PeftModel.from_pretrained(plain, str(out)).eval()(ids).logits
    assert (before - after).abs().max() > 0.01
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(base).chat_template

    names = {p.name for p in out.iterdir()}
    assert names >= {
        "adapter_model.safetensors",
        "README.md",
        "trainer_state.json",
        "manifest.json",
        "training_curve.png",
    }
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o644 for p in out.iterdir())
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny-phi3"
    for file in out.iterdir():  # nothing that names this machine's folders
        assert str(tmp_path).encode() not in file.read_bytes() and str(base.parent).encode() not in file.read_bytes()
    assert not (tmp_path / "checkpoints").exists()
    captured = capsys.readouterr()
    assert "tokens with loss" in captured.err and "LoRA on 4 modules" in captured.err
    assert captured.out == ""


def test_unchanged_is_reused_and_changed_is_not(make_settings, tmp_path, corpus):
    first = train_generator(make_settings(), None)
    before = folder_bytes(tmp_path / "adapter")
    again = train_generator(make_settings(), None)
    assert again == first | {"reused": True} and folder_bytes(tmp_path / "adapter") == before
    assert train_generator(make_settings("finetune.r=2"), None)["reused"] is False
    corpus.write_text(corpus.read_text().replace("Sentence one", "Sentence uno"))
    assert train_generator(make_settings("finetune.r=2"), None)["reused"] is False


def test_equal_runs_give_equal_adapters(make_settings, tmp_path):
    train_generator(make_settings(), None)
    train_generator(make_settings(f"finetune.out={tmp_path / 'second'}"), None)
    left, right = (tmp_path / name / "adapter_model.safetensors" for name in ("adapter", "second"))
    assert left.read_bytes() == right.read_bytes()


def test_export_then_train_on_the_file(make_settings, tmp_path):
    path = tmp_path / "examples.jsonl"
    made = train_generator(make_settings(), None, export=path)
    assert made == {"examples": str(path), "train": 24, "validation": 8}
    assert not (tmp_path / "adapter").exists()
    assert "PLANTED" not in path.read_text() and len(read_examples(path)) == 32
    ready = make_settings(f"finetune.examples={path}")
    assert train_generator(ready, None)["reused"] is False
    lines = path.read_text().splitlines()
    leak = json.loads(lines[0]) | {"id": "p099", "kind": "closed_book", "sources": None, "answer": "PLANTED"}
    path.write_text("\n".join([*lines, json.dumps(leak)]))
    with pytest.raises(MedqaError, match="without held-out pairs, found 1"):
        train_generator(ready, None)


def test_interrupted_then_resumed(make_settings, tmp_path, monkeypatch, capsys):
    train_generator(make_settings(f"finetune.out={tmp_path / 'unbroken'}"), None)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        made = train_generator(make_settings(), Path("configs/x.yaml"))
    assert made["interrupted"] and made["resume"] == "medqa finetune generator --config configs/x.yaml"
    assert "go on with: medqa finetune generator --config configs/x.yaml" in capsys.readouterr().err
    assert not (tmp_path / "adapter").exists()
    train_generator(make_settings(), None)
    assert "resuming from" in capsys.readouterr().err
    left, right = (tmp_path / name / "adapter_model.safetensors" for name in ("adapter", "unbroken"))
    assert left.read_bytes() == right.read_bytes()


def test_limit_draws_that_many_pairs(make_settings, tmp_path):
    train_generator(make_settings(), None, limit=5)
    assert json.loads((tmp_path / "adapter" / "manifest.json").read_text())["examples"]["train"] == 5


def test_an_adapter_goes_on_where_it_stopped(make_settings, tmp_path, base):
    first = train_generator(make_settings(), None)
    start = tmp_path / "start"
    (tmp_path / "adapter").rename(start)
    settings = make_settings(f"finetune.start={start}", "finetune.learning_rate=1e-9", "finetune.max_steps=3")
    second = train_generator(settings, None)
    assert second["base_eval_loss"] == pytest.approx(first["best_eval_loss"], abs=0.02)  # the first ended at its best
    assert first["base_eval_loss"] - first["best_eval_loss"] > 0.1
    manifest = read_manifest(tmp_path / "adapter", "adapter", "")
    assert manifest["inputs"]["start"] == sha256_file(start / "adapter_model.safetensors")
    before, after = (load_file(f / "adapter_model.safetensors") for f in (start, tmp_path / "adapter"))
    assert before.keys() == after.keys()
    assert max(float((before[n] - after[n]).abs().max()) for n in before) < 1e-6
    assert train_generator(settings, None)["reused"] is True

    with pytest.raises(MedqaError, match=r"wanted an adapter with r, alpha and targets of \(8, 32, .*found \(16, 32"):
        train_generator(make_settings(f"finetune.start={start}", "finetune.r=8"), None)
    other = save_tiny_phi3(tmp_path / "other" / "tiny-phi3", seed=1)
    with pytest.raises(MedqaError, match="found one of tiny-phi3"):
        train_generator(make_settings(f"finetune.start={start}", f"generator.model={other}"), None)
    with pytest.raises(MedqaError, match="wanted a adapter folder, found none at"):
        train_generator(make_settings(f"finetune.start={tmp_path / 'none'}"), None)


def test_the_micro_batch_is_found_and_the_step_stays_the_same(make_settings, tmp_path, monkeypatch, base, capsys):
    settings = make_settings("finetune.batch_size=8", "finetune.auto_batch=true", "finetune.max_steps=2")
    from finetune.checks import memory_load
    from finetune.memory import estimate, read_shape
    from finetune.model import choose_compute

    load = memory_load(settings.finetune, "none", choose_compute("cpu"))
    free = estimate(read_shape(base), replace(load, tokens=4 * 1024)).total
    monkeypatch.setattr("finetune.checks.free_memory", lambda device: free)
    train_generator(settings, None)
    manifest = json.loads((tmp_path / "adapter" / "manifest.json").read_text())
    assert manifest["micro_batch"] == 4 and manifest["steps"] == 2
    assert "4 examples at once, 2 times a step" in capsys.readouterr().err


def test_packed_chosen_by_answers_with_curves_on_disk(make_settings, tmp_path, capsys):
    made = train_generator(
        make_settings(
            "finetune.batching=packed", "finetune.batch_size=1", "finetune.sampling=easy_first", "finetune.max_steps=3",
            "finetune.best_by=rouge_l", "finetune.answer_examples=2", "generator.max_new_tokens=4",
            "finetune.report_to=tensorboard",
        ),
        None,
    )  # fmt: skip
    error = capsys.readouterr().err
    assert "packed 24 rows into" in error and "ROUGE-L" in error
    assert made["best_eval_loss"] is not None
    (events,) = tmp_path.glob("tensorboard/adapter-*/events.out.tfevents.*")  # they outlive the checkpoints
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = EventAccumulator(str(events))
    curves.Reload()
    losses = [e.value for e in curves.Scalars("eval/loss")]
    history = json.loads((tmp_path / "adapter" / "trainer_state.json").read_text())["log_history"]
    assert losses == pytest.approx([e["eval_loss"] for e in history if "eval_loss" in e], rel=1e-5)
    assert "TENSORBOARD_LOGGING_DIR" not in os.environ
