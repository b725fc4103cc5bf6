import json
import math
import signal
import sys
from collections import Counter

import pytest
import yaml

from finetune.jsonl import write_examples
from finetune.masking import IGNORE, Encoded
from finetune.search import search
from finetune.search_ranking import (
    bootstrap_difference,
    bootstrap_loss,
    finalists,
    rank,
    t_interval,
)
from finetune.search_space import Choice, Space, from_params, to_params
from finetune.search_study import Study, TrialRecord, Verdict, make_pruner
from finetune.search_trial import make_budget
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.settings import load_settings

from .conftest import make_pair
from .test_examples import Shares, build
from .test_train import stop_after

CHOICE = Choice(4, 8, 0.0, ("qkv_proj", "down_proj"), 0.01)


@pytest.fixture
def make_settings(tmp_path, base):
    pairs = [make_pair(n, f"Topic{n // 3}", "train" if n < 18 else "validation") for n in range(24)]
    write_examples(tmp_path / "examples.jsonl", build(pairs, Shares(0.3, 0.5, 0.2), limit=2))

    def make(*overrides):
        values = {
            "generator.model": base, "generator.device": "cpu", "corpus": tmp_path / "none",
            "finetune.examples": tmp_path / "examples.jsonl", "finetune.batch_size": 4, "finetune.eval_examples": 6,
            "finetune.checkpointing": False, "finetune.r": 4, "finetune.alpha": 8, "finetune.dropout": 0.0,
            "finetune.targets": "[qkv_proj, down_proj]", "finetune.learning_rate": 0.01, "finetune.warmup_steps": 0,
            "search.out": tmp_path / "search", "search.trials": 4, "search.supervised_tokens": 300,
            "search.evaluations": 2, "search.r": "[2, 4]", "search.alpha": "[8, 16]", "search.dropout": "[0.0]",
            "search.targets": "[[qkv_proj, down_proj], [o_proj]]", "search.learning_rate": "[1.0e-4, 5.0e-2]",
            "search.pruner": "none", "search.finalists": 2, "search.seeds": 2, "search.bootstrap": 200,
        }  # fmt: skip
        return load_settings(None, [*(f"{k}={v}" for k, v in values.items()), *overrides])

    return make


def read(folder):
    return json.loads((folder / "trials.json").read_text())


def essence(found):
    """What must not depend on interruptions: all but times and trial numbers."""
    trials = [{k: v for k, v in t.items() if k not in ("seconds", "trial")} for t in found["trials"]]
    return found["best"], trials, [f["losses"] for f in found["finalists"]]


def test_the_recipe_comes_first_trials_see_equal_tokens_and_the_ranking_is_right(make_settings, tmp_path, monkeypatch):
    from finetune.trainer import OrderedTrainer

    seen = []
    plain = OrderedTrainer.training_step

    def training_step(self, model, inputs, *args, **kwargs):
        seen.append((id(self), int((inputs["labels"] != IGNORE).sum())))
        return plain(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(OrderedTrainer, "training_step", training_step)
    summary, report = search(make_settings("search.trials=3", "search.evaluations=1"), None)
    found = read(tmp_path / "search")
    runs = [sum(n for _, n in group) for group in by_trainer(seen)]
    assert len(runs) == 3 + 2 and set(runs) == {found["supervised_tokens"]} and 300 <= runs[0] < 400

    trials = found["trials"]
    losses = [t["loss"]["value"] for t in trials]
    assert losses == sorted(losses) and [t["rank"] for t in trials] == [1, 2, 3]
    first = next(t for t in trials if t["trial"] == 0)
    assert (
        Choice(*(first[k] for k in ("r", "alpha", "dropout")), tuple(first["targets"]), first["learning_rate"])
        == CHOICE
    )
    assert first["against_recipe"] is None and all(t["against_recipe"] for t in trials if t is not first)
    for t in trials:
        assert t["loss"]["low"] <= t["loss"]["value"] <= t["loss"]["high"]
        if t is not first:
            assert t["against_recipe"]["value"] == pytest.approx(t["loss"]["value"] - first["loss"]["value"], abs=1e-9)
    assert {f["trial"] for f in found["finalists"]} == {t["trial"] for t in trials[:2]}
    assert all(len(f["losses"]) == 2 and f["mean"]["low"] < f["mean"]["high"] for f in found["finalists"])

    names = {p.name for p in (tmp_path / "search").iterdir()}
    assert names == {
        "study.db", "trials.json", "report.md", "best.yaml", "trials.png", "settings.png", "finalists.png", "manifest.json"
    }  # fmt: skip
    best = yaml.safe_load((tmp_path / "search" / "best.yaml").read_text())
    assert best == {"finetune": summary["best"]} and summary["best"]["r"] == found["finalists"][0]["r"]
    load_settings(tmp_path / "search" / "best.yaml")  # a settings file of its own
    assert f"\n| 1 | {trials[0]['trial']} |" in report and "**Best settings:** r" in report


def by_trainer(seen):
    groups = {}
    for trainer, n in seen:
        groups.setdefault(trainer, []).append((trainer, n))
    return groups.values()


@pytest.mark.slow
def test_an_interrupted_search_goes_on_and_finds_what_the_unbroken_one_finds(
    make_settings, tmp_path, monkeypatch, capsys
):
    small = ("search.trials=3", "search.finalists=1")
    search(make_settings(f"search.out={tmp_path / 'unbroken'}", *small), None)
    for step, finished in ((1, 0), (1, 1), (2, 2)):  # in the first trial, in the second, as the second ends
        with monkeypatch.context() as patch:
            stop_after(patch, step)
            summary, report = search(make_settings(*small), None)
        assert summary["interrupted"] and report is None and summary["finished"] == finished
        assert not (tmp_path / "search" / "manifest.json").exists()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    search(make_settings(*small), None)
    assert capsys.readouterr().err.count("resuming from") == 2  # the trials too went on from their checkpoints
    assert essence(read(tmp_path / "search")) == essence(read(tmp_path / "unbroken"))


def test_more_trials_go_on_and_another_recipe_is_refused(make_settings, tmp_path):
    small = ("search.finalists=0", "search.supervised_tokens=100")
    search(make_settings("search.trials=1", *small), None)
    before = read(tmp_path / "search")["trials"][0]
    summary, _ = search(make_settings("search.trials=2", *small), None)
    after = read(tmp_path / "search")
    assert summary["states"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert next(t for t in after["trials"] if t["trial"] == 0)["seconds"] == before["seconds"]  # not run again
    with pytest.raises(MedqaError, match="found that of another") as error:
        search(make_settings("search.trials=2", "search.finalists=0", "search.supervised_tokens=101"), None)
    assert "\n" not in str(error.value) and read(tmp_path / "search") == after


def test_a_hopeless_trial_is_pruned_and_says_so(make_settings, tmp_path, monkeypatch):
    import optuna

    class GiveUpAllButTheFirst(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number > 0

    monkeypatch.setattr("finetune.search.make_pruner", lambda *_: GiveUpAllButTheFirst())
    search(make_settings("search.trials=2", "search.finalists=0"), None)
    found = read(tmp_path / "search")
    pruned = found["trials"][1]
    assert (pruned["state"], pruned["loss"], pruned["reason"]) == ("pruned", None, "pruned at evaluation 1")
    assert pruned["last_loss"] > 0 and found["states"] == {"complete": 1, "pruned": 1, "failed": 0}


def test_bad_input_is_one_line(make_settings, monkeypatch):
    for override, message in {
        "search.r=[]": "wanted at least one value",
        "search.learning_rate=[0.1, 0.01]": "wanted search.learning_rate as",
        "search.targets=[[o_proj], [q_proj]]": "this model has: down_proj",
        "finetune.examples=none.jsonl": "none.jsonl",
    }.items():
        with pytest.raises(MedqaError, match=message) as error:
            search(make_settings("finetune.r=3", override), None)
        assert "\n" not in str(error.value)
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with pytest.raises(MedqaError, match="wanted one process"):
            search(make_settings(), None)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MedqaError, match="wanted optuna"):
        search(make_settings(), None)


def test_a_budget_is_whole_rows_once_or_all_rows_several_times():
    rows = [Encoded([0] * 12, [IGNORE] * 2 + [1] * 10) for _ in range(10)]  # 10 supervised each
    part = make_budget(rows, 35, seed=0)
    assert (len(part.rows), part.epochs, part.supervised) == (4, 1.0, 40)
    assert make_budget(rows, 35, seed=0) == part
    assert make_budget(rows, 250, seed=0).epochs == 2.5
    distinct = [Encoded([n], [n]) for n in range(20)]
    assert make_budget(distinct, 5, seed=0).rows != make_budget(distinct, 5, seed=1).rows


def test_choices_survive_the_database():
    assert from_params(to_params(CHOICE)) == CHOICE
    space = Space((4,), (8,), (0.0,), (("qkv_proj", "down_proj"),), (0.001, 0.1))
    assert space.holds(CHOICE) and not space.holds(Choice(4, 8, 0.0, ("o_proj",), 0.01))


@pytest.mark.parametrize("kind", ["median", "hyperband", "none"])
def test_pruning_spends_less_on_bad_trials_and_the_study_finds_the_good_ones(tmp_path, kind):
    """Losses by a formula instead of training: best at a learning rate of 0.01 and r of 8, falling over four evaluations."""
    space = Space((4, 8), (8,), (0.0,), (("o_proj",),), (1e-4, 1.0))

    def run(trial, choice):
        loss = abs(math.log10(choice.learning_rate) + 2) + (choice.r != 8)
        for evaluation in range(1, 5):
            trial.report(loss + 1 / evaluation, evaluation)
            if evaluation < 4 and trial.should_prune():
                return Verdict("pruned", None, (), 0.0)
        return Verdict("complete", loss, ((loss, 1),), 0.0)

    for _ in range(2):  # opened anew, as after an interruption
        study = Study(tmp_path, "key", space, make_pruner(kind, 4), seed=0)
        for _ in range(15):
            study.run_one(None, run)
    records = study.finished()
    states = Counter(r.state for r in records)
    assert len(records) == 30 and (states["pruned"] > 5) == (kind != "none")
    assert all(r.last_evaluation == 4 for r in records if r.state == "complete")
    best = min((r for r in records if r.state == "complete"), key=lambda r: r.loss)
    assert best.choice.r == 8 and 0.003 < best.choice.learning_rate < 0.03
    drawn = [abs(math.log10(r.choice.learning_rate) + 2) for r in records]
    assert sum(drawn[20:]) < sum(drawn[:10])  # it has learned where to look


def record(number, loss=None, state="complete", rows=(), last=None):
    return TrialRecord(number, CHOICE, state, loss, rows, last, 1 if last else None, 1.0)


def test_ranking_puts_complete_before_pruned_before_failed():
    records = [record(0, 2.0), record(1, None, "pruned", last=0.5), record(2, 1.0), record(3, None, "failed"),
               record(4, None, "pruned", last=0.4)]  # fmt: skip
    assert [r.record.number for r in rank(records, None, 200, 0)] == [2, 0, 4, 1, 3]


def test_intervals_by_hand_and_against_scipy():
    rows = ((2.0, 1), (4.0, 3))
    found = bootstrap_loss(rows, 4000, 0)
    # Resamples of two rows: both first (2/1), one of each (6/4), both second (8/6), with chances 1/4, 1/2, 1/4.
    assert (found.value, found.low, found.high) == (1.5, pytest.approx(8 / 6), 2.0)
    same = bootstrap_difference(rows, ((1.0, 1), (1.0, 3)), 4000, 0)
    assert same.value == 1.0 and same.low == same.high == 1.0  # each row is worse by one nat per token
    from scipy import stats

    values = (1.0, 1.2, 1.1)
    mean = t_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=1.1, scale=stats.sem(values))
    assert (mean.value, mean.low, mean.high) == pytest.approx((1.1, low, high))
    assert t_interval((1.0,)).low is None and t_interval((1.0,)).reason == "one run only"


def test_the_finalist_with_the_best_mean_wins_not_the_best_single_run():
    ranked = rank([record(0, 1.0, rows=((1.0, 1),)), record(1, 1.1, rows=((1.1, 1),))], None, 200, 0)
    best = finalists(ranked, {(0, 1): 3.0, (0, 2): 3.0, (1, 1): 1.2}, 2)
    assert [f.record.number for f in best] == [1, 0] and best[1].losses == (1.0, 3.0, 3.0)


def test_the_search_config_opens_with_its_launch_command_and_loads():
    path = PROJECT / "configs" / "nano-search.yaml"
    settings = load_settings(path)
    assert "medqa finetune search --config configs/nano-search.yaml" in path.read_text().splitlines()[0]
    fs, ss = settings.finetune, settings.search
    space = Space(ss.r, ss.alpha, ss.dropout, ss.targets, ss.learning_rate)
    assert space.holds(
        Choice(fs.r, fs.alpha, fs.dropout, fs.targets, fs.learning_rate)
    )  # the recipe is the first trial
