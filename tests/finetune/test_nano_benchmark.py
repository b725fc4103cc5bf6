"""benchmarks/finetune_nano.py: rows at equal tokens, every cell by the trainer on a toy, resumed, and the tables."""

import json

import pytest
import torch

from benchmarks import finetune_nano, finetune_nano_cell
from benchmarks.finetune_nano import VARIANTS, main
from benchmarks.finetune_nano_cell import as_closed_book, draw_rows, of_mix, set_loss, supervised
from benchmarks.finetune_nano_tables import order_table, verdict
from finetune.examples import Example
from finetune.jsonl import write_examples
from finetune.masking import encode_example
from finetune.model import Compute
from finetune.search_ranking import Interval, t_interval
from rag.prompt import REFUSAL, Source
from tests.tiny_phi3 import tiny_model

MORE = " The airways are swollen." * 3


def _example(n, split="train"):
    kind = ("grounded", "closed_book", "grounded", "refusal")[n % 4]
    sources = None if kind == "closed_book" else (Source(f"Text {n}.", "Asthma"), Source("Other text.", "Gout"))
    answer = {
        "grounded": f"Text {n}.{MORE} [1] More. [2]",
        "closed_book": f"Text {n}.{MORE} More.",
        "refusal": REFUSAL,
    }[kind]
    shown = () if sources is None else (f"{split}{n}", "x")
    return Example(f"{split}{n}", f"What is asthma {n}?", sources, answer, kind, split, shown)


TRAIN = [_example(n) for n in range(80)]
VALIDATION = [_example(n, "validation") for n in range(4)]


def test_mixes_ask_the_same_questions_with_and_without_sources():
    assert as_closed_book(TRAIN[0]).answer == f"Text 0.{MORE} More."
    closed, grounded = of_mix(TRAIN, "closed_book"), of_mix(TRAIN, "grounded")
    assert {e.kind for e in closed} == {"closed_book"} and len(closed) == 60
    assert {e.kind for e in grounded} == {"grounded", "refusal"} and len(grounded) == 60
    assert of_mix(TRAIN, "mixed") == TRAIN


def test_rows_are_drawn_by_seed_up_to_the_tokens(tokenizer):
    rows = draw_rows(tokenizer, TRAIN, 0, 300, 256)
    assert rows == draw_rows(tokenizer, TRAIN, 0, 300, 256) != draw_rows(tokenizer, TRAIN, 1, 300, 256)
    assert sum(map(supervised, rows[:-1])) < 300 <= sum(map(supervised, rows))
    with pytest.raises(ValueError, match="--supervised"):
        draw_rows(tokenizer, TRAIN, 0, 10**6, 256)


def test_the_loss_of_a_set_is_the_mean_over_its_supervised_tokens(tokenizer):
    rows = [r for e in VALIDATION if (r := encode_example(tokenizer, e, 256)) is not None]
    model = tiny_model().train()
    total = 0.0
    for row in rows:  # alone, without padding, by torch's own loss
        with torch.no_grad():
            logits = model.eval()(torch.tensor([row.input_ids])).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(row.labels[1:]), reduction="sum"))
    model.train()
    found = set_loss(model, rows, tokenizer.pad_token_id, 3, Compute("cpu", "float32", "a test"))
    assert found == pytest.approx(total / sum(map(supervised, rows)), rel=1e-5)
    assert model.training and len({len(r.input_ids) for r in rows}) > 1  # left as it was; padding took part


def test_a_difference_is_a_help_only_if_its_interval_says_so():
    change = t_interval([-0.02, -0.021, -0.019])
    assert change.value == pytest.approx(-0.02) and change.low == pytest.approx(-0.02 - 4.3026527 * 0.001 / 3**0.5)
    assert verdict(change) == "helped" and verdict(Interval(0.02, -change.high, -change.low)) == "harmed"
    assert verdict(t_interval([-0.1, 0.1])) == "no difference shown" and verdict(t_interval([-0.1])) == "one seed"


def test_seeds_are_paired_and_failed_cells_left_out():
    def cell(loss):
        return {"steps": 4, "evals": [{"step": 4, "mixed": loss, "closed_book": loss, "grounded": loss}]}

    cells = {"mixed/0": cell(1.0), "mixed/1": cell(2.0), "packed/0": cell(1.1), "packed/1": {"reason": "no memory"}}
    line = next(text for text in order_table(cells) if text.startswith("| packed"))
    assert "| 1 | 4 | 1.1000" in line and "+0.1000 | one seed" in line


def test_a_toy_run_measures_every_cell_and_is_resumed(base, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(finetune_nano_cell, "EVALUATIONS", 2)  # each with a checkpoint
    monkeypatch.setattr(finetune_nano, "SPEED", {"packed": VARIANTS["packed"]})
    write_examples(tmp_path / "examples.jsonl", [*TRAIN, *VALIDATION])
    out = tmp_path / "nano.json"
    command = ["--examples", str(tmp_path / "examples.jsonl"), "--out", str(out), "--model", str(base)]
    command += ["--tiny", "--workers", "0", "--seeds", "1"]
    main([*command, "--no-speed"])
    found = json.loads(out.read_text())
    assert set(found["cells"]) == {f"{name}/0" for name in VARIANTS}
    assert not [c["reason"] for c in found["cells"].values() if "reason" in c]
    mixed = found["cells"]["mixed/0"]
    for name in ("padded", "packed", "by_length", "short_first", "easy_first"):
        cell = found["cells"][f"{name}/0"]
        assert [cell[k] for k in ("rows", "tokens", "supervised")] == [
            mixed[k] for k in ("rows", "tokens", "supervised")
        ]
        assert cell["steps"] == cell["expected_steps"] and cell["evals"][0] == pytest.approx(
            mixed["evals"][0], rel=1e-3
        )
    # Of three rows with sources one has the same answer in all sets; the trainer's own loss lies between those of its parts.
    first = mixed["evals"][0]
    assert min(first["grounded"], first["closed_book"]) < first["mixed"] < max(first["grounded"], first["closed_book"])

    del found["cells"]["packed/0"]
    found["cells"]["padded/0"] = {"reason": "no memory"}
    out.write_text(json.dumps(found))
    capsys.readouterr()
    main(command)  # what is missing or failed, and the speeds
    again = json.loads(out.read_text())["cells"]
    assert "packed/0" in again and "reason" not in again["padded/0"] and again["mixed/0"] == mixed
    assert [k for k in again if k.startswith("speed")] == ["speed/packed"]
    shown = capsys.readouterr().out
    assert shown.count(" s  ") == 3 and "curriculum: easy first" in shown
    with pytest.raises(SystemExit, match="another --out"):
        main([*command[:-5], "--supervised", "5", "--budget", "0"])
