"""The training run beyond the plain one: packs, accumulation, memory that runs out, early stopping, answers, curricula."""

import json
from dataclasses import replace

import pytest
import torch

from finetune.answers import greedy_answers, mean_rouge_l
from finetune.arguments import training_arguments
from finetune.curriculum import base_losses
from finetune.lora import add_lora
from finetune.masking import IGNORE, Encoded
from finetune.train import train
from medqa.errors import MedqaError
from tests.tiny_phi3 import tiny_model

from .test_packing import toy_rows
from .test_train import CPU, KEY, PLAN, losses, same_weights, stop_after

SIZES = [40, 12, 33, 64, 9, 20, 50, 28, 31, 17, 22, 45]
ROWS = toy_rows(SIZES)
SHORT = replace(PLAN, epochs=1.0, eval_steps=2, sampling="random", learning_rate=1e-2, max_length=64)
PACKED = replace(SHORT, batching="packed", batch_size=1, pack_length=96)


def fresh(dropout=0.0):
    torch.manual_seed(7)
    return add_lora(tiny_model(), ("qkv_proj", "down_proj"), r=4, alpha=8, dropout=dropout)[0]


def run(folder, plan, rows=ROWS, **more):
    model = fresh(more.pop("dropout", 0.0))
    return model, train(model, rows, ROWS[:5], 0, plan, CPU, folder, KEY, **more)


def close(left, right):
    pairs = zip(left.named_parameters(), right.named_parameters(), strict=True)
    return all(torch.allclose(a, b, atol=2e-5) for (_, a), (_, b) in pairs)


def test_the_evaluation_loss_is_the_mean_over_supervised_tokens(tmp_path):
    _, outcome = run(tmp_path, replace(PACKED, max_steps=1, warmup_steps=0))
    model = fresh().eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for row in ROWS[:5]:
            n = sum(label != IGNORE for label in row.labels)
            total += n * model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels])).loss.item()
            count += n
    assert outcome.base_eval_loss == pytest.approx(total / count, abs=1e-5)


def test_a_packed_run_resumes_to_the_same_losses_and_weights(tmp_path, monkeypatch):
    plan = replace(PACKED, epochs=2.0, accumulation=2)
    whole, unbroken = run(tmp_path / "a", plan, dropout=0.1)
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        assert run(tmp_path / "b", plan, dropout=0.1)[1].interrupted
    model, resumed = run(tmp_path / "b", plan, dropout=0.1)
    assert resumed.resumed_from == 3 and same_weights(model, whole)
    assert losses(resumed).items() <= losses(unbroken).items()


def test_equal_steps_whether_rows_are_batched_accumulated_or_packed(tmp_path):
    # All twelve rows in one optimiser step: three ways to the same gradient, and so to the same weights.
    one = replace(SHORT, max_steps=1, warmup_steps=0)
    batched, _ = run(tmp_path / "a", replace(one, batch_size=12))
    accumulated, _ = run(tmp_path / "b", replace(one, batch_size=3, accumulation=4))
    padded, _ = run(tmp_path / "c", replace(one, batch_size=6, accumulation=2, batching="padded"))
    packed, _ = run(tmp_path / "d", replace(PACKED, max_steps=1, warmup_steps=0, pack_length=512))
    assert all(close(batched, other) for other in (accumulated, padded, packed))
    assert not close(batched, fresh())


def without_memory_for(monkeypatch, tokens):
    """Forward passes over more than ``tokens`` tokens run out of memory, halfway through the layers."""
    from transformers.models.phi3.modeling_phi3 import Phi3DecoderLayer

    plain = Phi3DecoderLayer.forward
    failures = []

    def forward(self, hidden_states, *args, **kwargs):
        if self.training and hidden_states.shape[0] * hidden_states.shape[1] > tokens:
            failures.append(tuple(hidden_states.shape[:2]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much.")
        return plain(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(Phi3DecoderLayer, "forward", forward)
    return failures


@pytest.mark.parametrize(
    ("plan", "tokens"),
    [
        (replace(SHORT, batch_size=4, accumulation=2), 160),
        (replace(PACKED, pack_length=192, accumulation=2), 180),
    ],
)
def test_when_memory_runs_out_batches_are_split_and_nothing_is_lost(tmp_path, monkeypatch, capfd, plan, tokens):
    expected, whole = run(tmp_path / "a", plan)
    failures = without_memory_for(monkeypatch, tokens)
    model, outcome = run(tmp_path / "b", plan)
    assert len(failures) == 1 and outcome.parts == 2  # once, and never again
    assert "out of memory" in capfd.readouterr().err
    assert outcome.step == whole.step and close(model, expected)
    assert outcome.best_eval_loss == pytest.approx(whole.best_eval_loss, abs=1e-4)


def test_memory_that_does_not_hold_one_row_is_one_line(tmp_path, monkeypatch):
    without_memory_for(monkeypatch, 10)
    with pytest.raises(MedqaError, match=r"found too little even in .* parts .* lower finetune\.max_length") as error:
        run(tmp_path, PACKED)
    assert "\n" not in str(error.value)


def test_early_stopping_counts_evaluations_also_across_a_resume(tmp_path, capfd):
    # At this rate every step makes it worse: the first evaluation stays the best.
    plan = replace(SHORT, epochs=4.0, eval_steps=1, learning_rate=3.0, warmup_steps=0, patience=3)
    _, outcome = run(tmp_path, plan)
    evaluations = [e for e in outcome.state["log_history"] if "eval_loss" in e]
    best = min(range(len(evaluations)), key=lambda n: evaluations[n]["eval_loss"])
    assert len(evaluations) - 1 - best == 3 and outcome.step < outcome.max_steps and not outcome.interrupted
    assert "stopping early" in capfd.readouterr().err


def test_the_best_checkpoint_by_answers(tmp_path):
    scores = iter([0.1, 0.4, 0.9, 0.2])
    plan = replace(SHORT, max_steps=3, eval_steps=1, warmup_steps=0, best_by="rouge_l")
    seen = []

    def answers(model):
        seen.append([p.detach().clone() for p in model.parameters() if p.requires_grad])
        return next(scores)

    model, outcome = run(tmp_path, plan, answers=answers)
    assert outcome.best_step == 2
    assert all(
        torch.equal(a, b) for a, b in zip(seen[2], [p for p in model.parameters() if p.requires_grad], strict=True)
    )
    assert outcome.best_eval_loss == losses(outcome)[(2, "eval_loss")]


def test_the_number_of_kept_checkpoints(tmp_path):
    run(tmp_path, replace(SHORT, batch_size=2, eval_steps=1, kept_checkpoints=3))
    assert len(list(tmp_path.glob("checkpoint-*"))) == 3


def test_base_losses_are_transformers_own_and_kept(tmp_path):
    model = fresh()
    found = base_losses(model, ROWS[:3], tmp_path, CPU)
    base = tiny_model().eval()
    for row, loss in zip(ROWS, found, strict=False):
        own = base(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels])).loss.item()
        assert loss == pytest.approx(own, abs=1e-5)
    path = tmp_path / "base_losses.json"
    path.write_text(json.dumps([3.0, 2.0, 1.0]))
    assert base_losses(model, ROWS[:3], tmp_path, CPU) == [3.0, 2.0, 1.0]


def test_a_curriculum_feeds_easy_rows_first(tmp_path):
    (tmp_path / "base_losses.json").write_text(json.dumps([float(n) for n in range(12)]))
    fed = []
    model = fresh()

    def note(_, args, kwargs):
        if model.training:
            fed.append(kwargs["input_ids"][0].tolist())

    model.register_forward_pre_hook(note, with_kwargs=True)
    train(model, ROWS, ROWS[:2], 0, replace(SHORT, batch_size=1, sampling="easy_first"), CPU, tmp_path, KEY)
    assert [ids[: SIZES[n]] for n, ids in enumerate(fed)] == [row.input_ids for row in ROWS]


def test_rouge_of_answers_by_hand(tokenizer, monkeypatch):
    rows = [Encoded([2, 40, 3, 41, 4], [IGNORE] * 3 + [41, 4])] * 2
    monkeypatch.setattr("finetune.answers.greedy_answers", lambda *_: ["", "What is asthma?"])
    monkeypatch.setattr("finetune.answers._decode", lambda *_: "What is it?")
    # "what is it" and "what is asthma": 2 of 3 words on both sides; nothing counts 0
    assert mean_rouge_l(None, tokenizer, rows, 4) == pytest.approx((0 + 2 / 3) / 2)


def test_greedy_answers_are_the_argmax_of_each_prompt_alone(tokenizer):
    rows = [Encoded([*range(40, 40 + n), 4], [IGNORE] * n + [4]) for n in (3, 9)]
    model = fresh().eval()
    wanted = []
    for row in rows:
        ids = row.input_ids[:-1]
        for _ in range(4):
            with torch.no_grad():
                ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
            if ids[-1] == 4:
                break
        wanted.append(tokenizer.decode(ids[len(row.input_ids) - 1 :], skip_special_tokens=True).strip())
    assert greedy_answers(model, tokenizer, rows, 4) == wanted


def test_one_process_uses_one_gpu_of_several(tmp_path, monkeypatch, capsys):
    from transformers import TrainingArguments

    def two_gpus(self):
        if not hasattr(self, "_n_gpu"):
            self._n_gpu = 2  # as the library counts them on such a machine
        return self._n_gpu

    monkeypatch.setattr(TrainingArguments, "n_gpu", property(two_gpus))
    monkeypatch.setattr(TrainingArguments, "_setup_devices", torch.device("cpu"))
    plan = replace(PLAN, batch_size=3)
    arguments = training_arguments(plan, CPU, tmp_path, True, None)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 3)
    assert "2 GPUs are there, one is used" in capsys.readouterr().err
