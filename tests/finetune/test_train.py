import os
import shutil
import signal

import pytest
import torch

from finetune.arguments import TrainPlan
from finetune.checkpoints import checkpoint_folder, find_resume, remove_checkpoints
from finetune.examples import Shares
from finetune.lora import add_lora
from finetune.masking import encode_all
from finetune.model import Compute
from finetune.train import train
from medqa.errors import MedqaError
from tests.tiny_phi3 import tiny_model

from .conftest import make_pair
from .test_examples import build

CPU = Compute("cpu", "float32", "")
PLAN = TrainPlan(
    learning_rate=5e-2,
    epochs=2.0,
    max_steps=-1,
    warmup_steps=2,
    batch_size=4,
    accumulation=1,
    eval_steps=4,
    checkpointing=False,
    optim="adamw_torch",
    sampling="length",
    report_to="none",
    seed=7,
)
KEY = "f" * 64


@pytest.fixture(scope="module")
def rows(tokenizer):
    pairs = [make_pair(n, topic=f"Topic{n // 3}") for n in range(24)]
    return encode_all(tokenizer, build(pairs, Shares(0.3, 0.5, 0.2), limit=2), 400).rows


def run(rows, checkpoints, plan=PLAN):
    torch.manual_seed(7)
    model, _ = add_lora(tiny_model(), ("qkv_proj", "down_proj"), r=4, alpha=8, dropout=0.1)
    return model, train(model, rows, rows[:6], 0, plan, CPU, checkpoints, KEY)


def losses(outcome):
    return {(e["step"], k): e[k] for e in outcome.state["log_history"] for k in ("loss", "eval_loss") if k in e}


@pytest.fixture(scope="module")
def unbroken(rows, tmp_path_factory):
    return run(rows, tmp_path_factory.mktemp("unbroken"))


def stop_after(monkeypatch, step):
    """Send this process SIGTERM while the given step runs."""
    from finetune.trainer import OrderedTrainer

    plain = OrderedTrainer.training_step

    def training_step(self, *args, **kwargs):
        if self.state.global_step + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(OrderedTrainer, "training_step", training_step)


def same_weights(left, right):
    pairs = zip(left.named_parameters(), right.named_parameters(), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs)


def test_training_learns_and_reports(unbroken):
    _, outcome = unbroken
    assert outcome.step == outcome.max_steps == 12 and not outcome.interrupted  # 24 rows, 2 epochs, batch 4
    assert outcome.best_eval_loss < outcome.base_eval_loss - 0.1
    assert outcome.tokens_per_second > 0
    assert (12, "eval_loss") in losses(outcome) and (0, "eval_loss") in losses(outcome)
    assert outcome.state["best_model_checkpoint"].startswith("checkpoint-")  # a name, not a path of this machine


@pytest.mark.parametrize("step", [5, 6, 9])  # within the first epoch, at its end, within the second
def test_a_run_stopped_by_sigterm_resumes_to_the_same_losses_and_weights(rows, tmp_path, monkeypatch, unbroken, step):
    with monkeypatch.context() as patch:
        stop_after(patch, step)
        _, first = run(rows, tmp_path)
    assert first.interrupted and first.step == step
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # handlers are put back
    model, second = run(rows, tmp_path)
    assert (second.resumed_from, second.step, second.interrupted) == (step, 12, False)
    assert losses(second).items() >= {k: v for k, v in losses(unbroken[1]).items() if k[1] == "eval_loss"}.items()
    assert same_weights(model, unbroken[0])


def test_a_damaged_checkpoint_falls_back_to_the_one_before(rows, tmp_path, monkeypatch, unbroken, capfd):
    with monkeypatch.context() as patch:
        stop_after(patch, 9)
        run(rows, tmp_path)
    weights = tmp_path / "checkpoint-9" / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1  # one bit, which no format check would notice
    weights.write_bytes(data)
    model, outcome = run(rows, tmp_path)
    assert outcome.resumed_from == 8 and same_weights(model, unbroken[0])
    assert "checkpoint-9 is damaged; going on from checkpoint-8" in capfd.readouterr().err


def test_find_resume_ignores_other_recipes_and_unfinished_ones(rows, tmp_path, monkeypatch):
    stop_after(monkeypatch, 4)
    run(rows, tmp_path)
    assert find_resume(tmp_path, KEY).checkpoint.name == "checkpoint-4"
    copy = shutil.copytree(tmp_path / "checkpoint-4", tmp_path / "checkpoint-6")
    (copy / "manifest.json").unlink()
    assert find_resume(tmp_path, KEY).damaged == ("checkpoint-6",) and not copy.exists()
    found = find_resume(tmp_path, "0" * 64)
    assert found.checkpoint is None


def test_checkpoints_of_a_finished_result_go_and_others_stay(tmp_path):
    out = tmp_path / "adapter"
    mine, stale = checkpoint_folder(out, "a" * 64), checkpoint_folder(out, "b" * 64)
    other = checkpoint_folder(tmp_path / "adapter-2", "a" * 64)
    for folder in (mine, stale, other):
        folder.mkdir(parents=True)
    remove_checkpoints(out)
    assert [f.exists() for f in (mine, stale, other)] == [False, False, True]


def test_checkpointing_changes_no_loss(rows, tmp_path):
    from dataclasses import replace

    short = replace(PLAN, max_steps=3, eval_steps=3)
    _, plain = run(rows, tmp_path / "a", short)
    _, recomputed = run(rows, tmp_path / "b", replace(short, checkpointing=True))
    assert losses(plain) == pytest.approx(losses(recomputed), abs=1e-5)


def test_no_validation_rows_and_no_tracker(rows, tmp_path, monkeypatch):
    from dataclasses import replace

    with pytest.raises(MedqaError, match="wanted validation examples"):
        train(tiny_model(), rows, [], 0, PLAN, CPU, tmp_path, KEY)
    with pytest.raises(MedqaError, match=r"wanted a tracker .* found 'tensorbored'"):
        train(tiny_model(), rows, rows, 0, replace(PLAN, report_to="tensorbored"), CPU, tmp_path, KEY)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MedqaError, match="wanted tensorboard"):
        train(tiny_model(), rows, rows, 0, replace(PLAN, report_to="tensorboard"), CPU, tmp_path, KEY)
