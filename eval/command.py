"""Bodies of ``eval run`` and ``eval compare``: here settings become plain arguments."""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from eval.page import to_html
from eval.pipelines import Pipelines
from eval.questions import check_header, pick_questions
from eval.recipe import cell_key, run_inputs, system_inputs
from eval.report import markdown_report
from eval.rows import ask_about, by_cell
from eval.run import KIND, answer_cells, prune, write_run
from eval.score import Tools, tools_for
from eval.systems import System, plan, systems_of
from eval.tables import make_tables
from ingest.corpus import Corpus, read_corpus
from medqa.errors import MedqaError
from medqa.files import read_json, staged_folder, write_atomically
from medqa.manifest import MANIFEST, is_current, recipe_key, write_manifest
from medqa.paths import locate
from medqa.settings import Settings
from retrieval.encoder import EMBEDDED, load_encoder

_SECTIONS = {"seed", "offline", "corpus", "passages", "retrieval", "generator", "rag", "eval"}
"""Settings that an evaluation uses; ``offline`` and paths have no part in its key."""


def run(settings: Settings, limit: int | None = None) -> tuple[dict[str, Any], str]:
    """``medqa eval run``: a summary and the Markdown report. An unchanged run is read, not repeated."""
    check_header(settings.eval.header)
    systems = systems_of(settings)
    cells = plan(systems, settings.eval.indexes)
    corpus = read_corpus(locate(settings.corpus))
    number = min(n for n in (limit, settings.eval.questions, len(corpus.pairs)) if n is not None)
    pairs = pick_questions(corpus, settings.eval.split, number, settings.seed)
    out = Path(settings.eval.out)
    pipelines = Pipelines(corpus, pairs, out.with_name(f"{out.name}-indexes"), systems, settings)

    shared = run_inputs(corpus, pairs)
    own = {(index, s.name): system_inputs(index, s, pipelines) for index, s in cells}
    keys = {(index, s.name): cell_key(index, s, shared | own[index, s.name]) for index, s in cells}
    inputs = shared | {f"{index} {name}": key for (index, name), key in keys.items()}
    key_settings = {
        "seed": settings.seed,
        **settings.eval.model_dump(mode="json", include={"bootstrap", "split", "language", "bertscore"}),
    }
    if is_current(out, KIND, recipe_key(KIND, inputs, key_settings)):
        summary = {"out": str(out), "reused": True, "metrics": read_json(out / "metrics.json")}
        return summary, (out / "report.md").read_text(encoding="utf-8")
    _refuse_foreign(out)

    work = out.with_name(f"{out.name}-answers")
    asked = ask_about(pairs, corpus.pairs)
    rows, measured = answer_cells(cells, asked, pipelines, work, keys, language=settings.eval.language)
    metrics = make_tables(by_cell(rows), measured, _tools(settings, corpus), settings.eval.bootstrap, settings.seed)
    thresholds = {s.name: pipelines.threshold(s) for s in systems if s.uses_index}
    facts = _facts(settings, corpus, len(pairs), systems, thresholds)
    report, page = markdown_report(metrics, rows, facts), to_html(metrics, rows, facts)
    with staged_folder(out) as stage:
        write_run(stage, rows, metrics, report, page)
        resolved = settings.model_dump(mode="json", include=_SECTIONS)
        write_atomically(stage / "settings.yaml", _settings_yaml(resolved))
        write_manifest(
            stage,
            KIND,
            inputs,
            key_settings,
            {
                "questions": [p.id for p in pairs],
                "resolved": resolved,
                "models": {f"{index} {name}": found for (index, name), found in own.items()},
                "thresholds": thresholds,
                "machine": {"system": platform.platform(), "processor": platform.machine()},
            },
        )
    prune(work, keys)
    return {"out": str(out), "reused": False, "metrics": metrics}, report


def _tools(settings: Settings, corpus: Corpus) -> Tools:
    bert = settings.eval.bertscore
    encoder = load_encoder(EMBEDDED, settings.retrieval.batch_size)  # whatever the retriever under test is
    return tools_for(corpus.pairs, encoder, None if bert is None else locate(bert), settings.rag.support)


def _facts(
    settings: Settings, corpus: Corpus, asked: int, systems: Sequence[System], thresholds: dict[str, float | None]
) -> dict[str, str]:
    bars = {"none" if t is None else f"{t:.3f}" for t in thresholds.values()}
    return {
        "questions": f"{asked} of the {settings.eval.split} split, drawn with seed {settings.seed}",
        "corpus": f"{len(corpus.pairs):,} pairs, {settings.corpus}",
        "model": f"{settings.generator.model}, adapter {settings.generator.adapter}",
        "budgets": f"{settings.rag.passages} passages, {settings.rag.prompt_tokens} tokens of prompt, "
        f"{settings.generator.max_new_tokens} of answer, greedy",
        "abstention threshold": f"{' or '.join(sorted(bars)) or 'none'} (cosine of the closest passage)",
        "intervals": f"95 %, paired bootstrap over questions, {settings.eval.bootstrap} resamples",
    }


def _settings_yaml(resolved: dict[str, Any]) -> str:
    head = "# The resolved settings of this run. To repeat it: medqa eval run --config settings.yaml --out NEW\n"
    return head + yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)


def _refuse_foreign(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise MedqaError(f"wanted a new or an earlier run folder at {out}, found other files; choose another --out")
