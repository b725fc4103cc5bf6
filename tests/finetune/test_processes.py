"""Two processes on the CPU train what one trains: started by torchrun as a person would, compared with one process."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file

from finetune.command import train_generator
from finetune.jsonl import write_examples
from finetune.train import blank_rows
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.processes import any_of, from_main, is_main, join, rank, world_size
from medqa.settings import load_settings
from tests.tiny_phi3 import save_tiny_phi3

from .conftest import make_pair
from .test_examples import Shares, build

ROWS = 18  # two more than a multiple of the four that two processes read at once


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    pairs = [make_pair(n, f"Topic{n // 3}", "train" if n < ROWS else "validation") for n in range(ROWS + 8)]
    path = tmp_path_factory.mktemp("data") / "examples.jsonl"
    write_examples(path, build(pairs, Shares(0.3, 0.5, 0.2), limit=2))
    return path


@pytest.fixture(autouse=True)
def in_fp32(monkeypatch):
    """As the worker: what one process trains is compared with it to the fifth digit."""
    monkeypatch.setattr("medqa.hardware.cpu_has_bf16", lambda: False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny_phi3(tmp_path_factory.mktemp("models") / "tiny-phi3")


def overrides(tiny, examples, out, batch, **more):
    values = {
        "offline": True, "generator.model": tiny, "generator.device": "cpu", "corpus": out.parent / "none",
        "finetune.examples": examples, "finetune.out": out, "finetune.batch_size": batch, "finetune.epochs": 2,
        "finetune.eval_steps": 2, "finetune.eval_examples": 8, "finetune.warmup_steps": 1, "finetune.dropout": 0.0,
        "finetune.learning_rate": 0.05, "finetune.checkpointing": False, "finetune.targets": "[qkv_proj, down_proj]",
        **more,
    }  # fmt: skip
    return [f"{k}={v}" for k, v in values.items()]


def two_processes(folder, values, *own):
    """Run the worker twice over, joined by torchrun; (exit code, stdout, stderr)."""
    folder.mkdir(exist_ok=True)
    sets = [part for value in values for part in ("--set", value)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    worker = [str(PROJECT / "tests" / "finetune" / "worker.py"), str(folder), *own, "--"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *worker, "finetune", "generator", "--json", *sets],
        capture_output=True, text=True, timeout=120, cwd=PROJECT, env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def records(folder):
    return [[json.loads(line) for line in (folder / f"rank-{n}.jsonl").read_text().splitlines()] for n in (0, 1)]


def losses(out):
    history = json.loads((out / "trainer_state.json").read_text())["log_history"]
    return {(e["step"], k): e[k] for e in history for k in ("loss", "eval_loss") if k in e}


def same_adapters(left, right):
    ours, theirs = (load_file(f / "adapter_model.safetensors") for f in (left, right))
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=2e-4, rtol=1e-2)


def without_padding(row):
    return tuple(re.sub(r"(,0)+$", "", ",".join(map(str, row))).split(","))


@pytest.mark.slow
def test_two_processes_train_what_one_trains_each_row_once_also_when_a_signal_reached_one_of_them(
    tmp_path, tiny, examples
):
    one = tmp_path / "one"
    train_generator(load_settings(None, overrides(tiny, examples, one, batch=4)), None)
    two, log = tmp_path / "two", tmp_path / "log"
    values = overrides(tiny, examples, two, batch=2)
    code, out, err = two_processes(log, values, "--stop", "3")
    assert code == 0, err
    assert json.loads(out)["interrupted"] and json.loads(out)["step"] == 3  # printed once, and both stopped there
    assert json.loads(out)["resume"] == "torchrun --nproc-per-node 2 -m medqa.cli finetune generator"
    code, out, err = two_processes(log, values)
    assert code == 0, err
    summary = json.loads(out)  # one document: the second process prints nothing
    assert err.count("resuming from") == 1 and summary["reused"] is False
    manifest = json.loads((two / "manifest.json").read_text())
    assert manifest["settings"]["processes"] == 2 and manifest["steps"] == 10

    ranks = records(log)
    assert all({r["world"] for r in lines} == {2} for lines in ranks)
    assert all({r["type"] for r in lines} == {"DistributedType.MULTI_CPU"} for lines in ranks)
    seen = Counter(without_padding(row) for lines in ranks for r in lines for row in r["rows"])
    assert len(seen) == ROWS and set(seen.values()) == {2}  # two epochs, each row once in each
    shares = [sum(len(r["rows"]) for r in lines) for lines in ranks]
    assert shares == [20, 16]  # of 18 rows: 10 and 8 per epoch, the last turn's second half is blank

    ours, theirs = losses(two), losses(one)
    assert ours.keys() == theirs.keys()
    assert {k: v for k, v in ours.items() if k[1] == "loss"} == pytest.approx(
        {k: v for k, v in theirs.items() if k[1] == "loss"}, abs=2e-5
    )
    assert ours == pytest.approx(theirs, abs=2e-3)
    same_adapters(two, one)


@pytest.mark.slow
@pytest.mark.usefixtures("small_4_bit_weights")
def test_a_4_bit_base_spread_over_two_processes_trains_the_same(tmp_path, tiny, examples, monkeypatch):
    for place in ("finetune.command", "finetune.model"):
        monkeypatch.setattr(f"{place}.refuse_4bit_on_cpu", lambda *_: None)
    one, two, log = tmp_path / "one", tmp_path / "two", tmp_path / "log"
    quantize = {"generator.quantize": "nf4"}
    train_generator(load_settings(None, overrides(tiny, examples, one, batch=4, **quantize)), None)
    sharded = ("finetune.sharding=fsdp", "finetune.checkpointing=true")  # recomputed layers are gathered twice
    values = [*overrides(tiny, examples, two, batch=2, **quantize), *sharded]
    code, out, err = two_processes(log, values, "--shard", "--stop", "3")
    assert code == 0 and json.loads(out)["step"] == 3, err
    code, _, err = two_processes(log, values, "--shard")
    assert code == 0 and "resuming from" in err, err
    assert {r["type"] for lines in records(log) for r in lines} == {"DistributedType.FSDP"}
    assert losses(two) == pytest.approx(losses(one), abs=2e-3)
    same_adapters(two, one)
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), str(two))  # a plain PEFT folder


@pytest.mark.slow
def test_two_processes_with_a_pack_each_train_what_one_trains_with_two(tmp_path, tiny, examples):
    packed = {"finetune.batching": "packed", "finetune.pack_length": 600, "finetune.max_length": 512,
              "finetune.sampling": "random"}  # fmt: skip
    one, two, log = tmp_path / "one", tmp_path / "two", tmp_path / "log"
    twice = {"finetune.accumulation": 2}
    train_generator(load_settings(None, overrides(tiny, examples, one, batch=1, **packed, **twice)), None)
    code, _, err = two_processes(log, overrides(tiny, examples, two, batch=1, **packed))
    assert code == 0, err
    packs = Counter(tuple(row) for lines in records(log) for r in lines for row in r["rows"])
    assert len(packs) == 9 and set(packs.values()) == {2}  # an odd number: the tenth is blank
    assert losses(two) == pytest.approx(losses(one), abs=2e-3)
    same_adapters(two, one)


def test_blanks_fill_the_last_turn_and_come_last(monkeypatch):
    assert blank_rows(18, 4, 0) == []  # alone there is no turn to fill
    monkeypatch.setenv("WORLD_SIZE", "2")
    blanks = blank_rows(18, 4, 0)
    assert len(blanks) == 2 and all(label == -100 for row in blanks for label in row.labels)
    assert blank_rows(16, 4, 0) == []


def test_alone_there_is_nothing_to_agree_on():
    assert (rank(), world_size(), is_main()) == (0, 1, True)
    join("cpu")
    assert not torch.distributed.is_initialized()
    assert any_of(True) and not any_of(False)
    assert from_main(lambda: 7) == 7


def test_sharding_needs_several_gpus(tiny, examples, tmp_path):
    values = [*overrides(tiny, examples, tmp_path / "out", batch=2), "finetune.sharding=fsdp"]
    with pytest.raises(MedqaError, match="wanted at least two processes with a GPU each") as error:
        train_generator(load_settings(None, values), None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("world", "torn_down"), [("1", True), ("2", False)])
def test_a_process_beside_others_ends_with_its_output_but_does_not_tear_the_interpreter_down(world, torn_down):
    program = """
import atexit, os
from medqa.processes import end
atexit.register(print, "torn down")
print("written")
end(3)
"""
    environment = os.environ | {"WORLD_SIZE": world, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (3, "written\n" + "torn down\n" * torn_down)
