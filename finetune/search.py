"""``medqa finetune search``: settings become plain arguments here, and nowhere below."""

import math
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from finetune.checks import refuse_contradictions
from finetune.command import train_plan, train_recipe
from finetune.inputs import load_corpus, load_examples, recipe_inputs
from finetune.lora import find_targets
from finetune.masking import encode_all
from finetune.model import choose_compute, load_base, refuse_4bit_on_cpu
from finetune.row_scores import mean_loss
from finetune.search_plots import save_plots
from finetune.search_ranking import Ranked, finalists, rank
from finetune.search_report import as_json, best_yaml, markdown, winner
from finetune.search_space import Choice, Space
from finetune.search_study import Study, TrialRecord, Verdict, make_pruner
from finetune.search_trial import Bench, make_budget, run_trial
from medqa.base_model import base_fingerprint, load_tokenizer, portable_name, resolve_model
from medqa.files import write_atomically, write_json
from medqa.manifest import recipe_key, write_manifest
from medqa.processes import refuse_several, say
from medqa.settings import FinetuneSettings, SearchSettings, Settings

KIND = "search"
NOT_IN_THE_KEY = ("out", "trials", "finalists", "seeds", "bootstrap")
"""Settings that may change between two calls of one search: more trials, more seeds."""
OUT_OF_MEMORY = "out of memory"


def search(settings: Settings, config: Path | None, limit: int | None = None) -> tuple[dict[str, Any], str | None]:
    """Try settings until ``search.trials`` are finished, run the best again with other seeds, and write what came of it.

    An interrupted search goes on with the same command, and tries what the unbroken one would have tried.

    Returns:
        (summary, report): the report is Markdown, None where the search was interrupted.

    Raises:
        MedqaError: no Optuna, no base model, nothing to train on, or a folder that holds another search.
    """
    refuse_several("medqa finetune search")
    ss, fs = settings.search, settings.finetune
    out = Path(ss.out)
    refuse_contradictions(fs)
    compute = choose_compute(settings.generator.device)
    refuse_4bit_on_cpu(settings.generator.quantize, compute)
    folder = resolve_model(settings.generator.model, settings.offline)
    corpus = load_corpus(settings)
    inputs = recipe_inputs(settings, corpus, base_fingerprint(folder))
    space = Space(ss.r, ss.alpha, ss.dropout, ss.targets, ss.learning_rate)
    recipe = train_recipe(settings, limit) | {"search": ss.model_dump(mode="json", exclude=set(NOT_IN_THE_KEY))}
    study = _study(settings, out, recipe_key(KIND, inputs, recipe), space)

    train_examples, eval_examples = load_examples(settings, corpus, limit)
    tokenizer = load_tokenizer(folder)
    rows = encode_all(tokenizer, train_examples, fs.max_length).rows
    eval_rows = encode_all(tokenizer, eval_examples, fs.max_length).rows
    budget = make_budget(rows, ss.supervised_tokens, settings.seed)
    bench = Bench(
        load_base=lambda: load_base(folder, settings.generator.quantize, compute, fs.upcast),
        budget=budget,
        eval_rows=eval_rows,
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        plan=train_plan(_paced(fs, ss, len(budget.rows), budget.epochs), settings.seed),
        compute=compute,
        folder=out / "checkpoints",
    )
    say(
        f"every trial: {len(budget.rows)} rows, {budget.supervised:,} supervised tokens; {len(eval_rows)} validation rows"
    )
    own = Choice(fs.r, fs.alpha, fs.dropout, fs.targets, fs.learning_rate)
    if len(study.finished()) < ss.trials:
        model = bench.load_base()
        for targets in space.targets:  # now, not in the middle of the night
            find_targets(model, targets)
        del model
    done = _trials(study, bench, own if space.holds(own) else None, ss.trials, settings.seed)
    if not done or not _repeat(study, bench, ss, settings.seed):
        return _interrupted(study, config), None
    facts = {
        "base": portable_name(settings.generator.model),
        "rows": len(budget.rows),
        "supervised_tokens": budget.supervised,
        "validation_rows": len(eval_rows),
    }
    return _write(study, out, own, ss, settings.seed, facts, inputs, recipe)


def _study(settings: Settings, out: Path, key: str, space: Space) -> Study:
    ss = settings.search
    return Study(out, key, space, make_pruner(ss.pruner, ss.evaluations), settings.seed)


def _paced(fs: FinetuneSettings, ss: SearchSettings, rows: int, epochs: float) -> FinetuneSettings:
    """The recipe with evaluations and warm-up in proportion to a trial's length instead of a whole run's."""
    steps = max(1, math.ceil(rows / (fs.batch_size * fs.accumulation) * epochs))
    return fs.model_copy(
        update={"eval_steps": max(1, steps // ss.evaluations), "warmup_steps": min(fs.warmup_steps, steps // 5)}
    )


def _trials(study: Study, bench: Bench, own: Choice | None, wanted: int, seed: int) -> bool:
    """Run what is missing of ``wanted`` trials; False where a signal interrupted it."""
    from tqdm import tqdm

    begun = len(study.finished())
    with tqdm(total=wanted, initial=min(begun, wanted), desc="search", unit="trial", disable=None) as bar:
        for number in range(begun + 1, wanted + 1):
            verdict = study.run_one(own, lambda trial, choice: _one(bench, trial, choice, seed))
            if verdict is None:
                return False
            bar.update(1)
            loss = "" if verdict.loss is None else f" {verdict.loss:.4f}"
            tqdm.write(f"trial {number}/{wanted}: {verdict.state}{loss}, {verdict.seconds:.0f} s", file=sys.stderr)
            if verdict.last:
                return False
    return True


def _one(bench: Bench, trial: Any, choice: Choice, seed: int) -> Verdict | None:
    import torch

    from finetune.search_pruning import Report

    report = Report(trial)
    began = time.perf_counter()
    try:
        scores, stop = run_trial(bench, choice, seed, [report])
    except torch.cuda.OutOfMemoryError:  # a large r may not fit where a small one does: a finding, not the end
        return Verdict("failed", None, (), time.perf_counter() - began, OUT_OF_MEMORY)
    seconds = time.perf_counter() - began
    if scores is None:
        return None
    if report.pruned:
        return Verdict("pruned", None, (), seconds, last=stop)
    pairs = tuple((s.loss, s.tokens) for s in scores)
    loss = mean_loss(scores)
    if not math.isfinite(loss):
        return Verdict(
            "failed", None, (), seconds, "the loss is not a number: the learning rate is too high for these settings"
        )
    return Verdict("complete", loss, pairs, seconds, last=stop)


def _repeat(study: Study, bench: Bench, ss: SearchSettings, seed: int) -> bool:
    """Run the best again with other seeds, as far as that has not been done; False where a signal interrupted it."""
    best = [r.record for r in rank(study.finished(), None, ss.bootstrap, seed) if r.record.state == "complete"]
    known = study.repeats()
    for record in best[: ss.finalists]:
        for other in range(seed + 1, seed + ss.seeds):
            if (record.number, other) in known:
                continue
            scores, stop = run_trial(bench, record.choice, other, [])
            if scores is None:
                return False
            loss = mean_loss(scores)
            study.add_repeat(record.number, other, loss)
            say(f"trial {record.number} with seed {other}: {loss:.4f}")
            if stop:
                return False
    return True


def _write(
    study: Study, out: Path, own: Choice, ss: SearchSettings, seed: int, facts: dict[str, Any], inputs: Any, recipe: Any
) -> tuple[dict[str, Any], str]:
    records = study.finished()
    recipe_trial = next((r for r in records if r.choice == own and r.state == "complete"), None)
    ranked: list[Ranked] = rank(records, recipe_trial, ss.bootstrap, seed)
    best = finalists(ranked, study.repeats(), ss.finalists)
    facts |= {"states": _states(records), "recipe_trial": recipe_trial.number if recipe_trial else None}
    plots = save_plots(out, ranked, best)
    report = markdown(ranked, best, facts, plots)
    write_atomically(out / "report.md", report)
    write_json(out / "trials.json", as_json(ranked, best, facts))
    chosen = winner(ranked, best)
    if chosen is not None:
        write_atomically(out / "best.yaml", best_yaml(chosen, out.name))
    checkpoints = out / "checkpoints"
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()
    write_manifest(out, KIND, inputs, recipe, facts)
    summary = {"search": str(out), **facts, "best": None if chosen is None else chosen.as_dict()}
    return summary, report


def _states(records: list[TrialRecord]) -> dict[str, int]:
    counts = Counter(r.state for r in records)
    return {state: counts[state] for state in ("complete", "pruned", "failed")}


def _interrupted(study: Study, config: Path | None) -> dict[str, Any]:
    command = "medqa finetune search" + (f" --config {config}" if config else "")
    finished = len(study.finished())
    say(f"stopped after {finished} trials; the running one is saved; go on with: {command}")
    return {"interrupted": True, "finished": finished, "resume": command}
