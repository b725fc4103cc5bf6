"""Bodies of ``eval run`` and ``eval compare``: here settings become plain arguments."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.compare import compare_rows, markdown_comparison
from eval.questions import check_header, pick_questions
from eval.report import markdown_report
from eval.run import answer_cells, plan, write_run
from eval.score import score_rows
from ingest.corpus import Corpus, read_corpus
from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes, sha256_file, sha256_tree, staged_folder
from medqa.manifest import MANIFEST, is_current, read_manifest, recipe_key, write_manifest
from medqa.paths import locate
from medqa.records import SPLITS, QAPair, Split
from medqa.settings import Settings
from rag.build import FusedSearch, open_model
from rag.pipeline import Pipeline
from retrieval.build import build_index
from retrieval.command import load_ranking
from retrieval.encoder import Encoder, load_encoder
from retrieval.index import Index

KIND = "evaluation"
_SPLITS_OF: dict[str, Sequence[Split]] = {"open-book": SPLITS, "held-out": ("train",)}


def run(settings: Settings, limit: int | None = None) -> tuple[dict[str, Any], str]:
    """``medqa eval run``: a summary and the Markdown report. An unchanged run is read, not repeated."""
    check_header(settings.eval.header)
    corpus = read_corpus(locate(settings.corpus))
    number = min(n for n in (limit, settings.eval.questions, len(corpus.pairs)) if n is not None)
    pairs = pick_questions(corpus, settings.eval.split, number, settings.seed)
    encoder = load_encoder(settings.retrieval.encoder, settings.retrieval.batch_size)
    inputs = _inputs(settings, corpus, encoder, pairs)
    chosen = settings.model_dump(mode="json", include={"seed", "passages", "retrieval", "generator", "rag", "eval"})
    key = recipe_key(KIND, inputs, chosen)
    out = Path(settings.eval.out)
    if is_current(out, KIND, key):
        summary = {"out": str(out), "reused": True, "metrics": read_json(out / "metrics.json")}
        return summary, (out / "report.md").read_text(encoding="utf-8")
    _refuse_foreign(out)

    work = out.with_name(f".{out.name}.work-{key[:12]}")
    cells = plan(settings.eval.variants, settings.eval.indexes)
    pipelines = _Pipelines(settings, corpus, encoder)
    rows = answer_cells(cells, pairs, pipelines.get, work, batch_size=settings.generator.batch_size, key=key)
    metrics = _score(cells, rows, settings)
    facts = {
        "questions": f"{len(pairs)} of the {settings.eval.split} split",
        "corpus": f"{len(corpus.pairs)} pairs, {settings.corpus}",
        "model": f"{settings.generator.model}, adapter {settings.generator.adapter}",
        "abstention threshold": _threshold_fact(pipelines.threshold),
        "intervals": "95 % bootstrap over questions",
    }
    report = markdown_report(metrics, rows, facts)
    with staged_folder(out) as stage:
        write_run(stage, rows, metrics, report)
        write_manifest(
            stage, KIND, inputs, chosen, {"questions": [p.id for p in pairs], "threshold": pipelines.threshold}
        )
    for leftover in out.parent.glob(f".{out.name}.work-*"):  # also those of interrupted runs with other settings
        shutil.rmtree(leftover, ignore_errors=True)
    return {"out": str(out), "reused": False, "metrics": metrics}, report


def compare(a: Path, b: Path, resamples: int, seed: int, fail_on_regression: bool) -> tuple[dict[str, Any], str]:
    """``medqa eval compare``: entries per cell, all regressions found, and the Markdown table."""
    cells = compare_rows(_rows(a), _rows(b), resamples, seed)
    regressions = [f"{c['index']} {c['variant']} {name}" for c in cells for name in c["regressions"]]
    report = markdown_comparison(a, b, cells)
    if regressions:
        verdict = "FAILED" if fail_on_regression else "found"
        report += f"\nRegressions {verdict}: {'; '.join(regressions)}\n"
    return {"a": str(a), "b": str(b), "cells": cells, "regressions": regressions}, report


class _Pipelines:
    """One model and one encoder, loaded once; a pipeline per evaluation index, built when first asked for."""

    def __init__(self, settings: Settings, corpus: Corpus, encoder: Encoder) -> None:
        self._settings, self._corpus, self._encoder = settings, corpus, encoder
        self._model = open_model(settings, settings.eval.variants)
        self._ranking = load_ranking(settings.retrieval)
        self._made: dict[str, Pipeline] = {}
        self.threshold = settings.rag.threshold

    def get(self, index: str) -> Pipeline:
        """The pipeline over ``open-book`` or ``held-out``, or the one without an index (``none``)."""
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]

    def _make(self, index: str) -> Pipeline:
        rag = self._settings.rag
        plain = Pipeline(None, self._model, rag.passages, None, rag.support)
        if index == "none":
            return plain
        opened = self._build(index)
        if self.threshold is None:
            # Calibrated once, where the validation questions have answers, and used for both indexes: what changes between
            # the two tables is the evidence, not the bar.
            reference = opened if index == "open-book" else self._build("open-book")
            self.threshold = reference.manifest["calibration"]["threshold"]
        return replace(plain, searcher=FusedSearch(opened, self._ranking), threshold=self.threshold)

    def _build(self, name: str) -> Index:
        s = self._settings
        folder = self._folder(name)
        build_index(
            self._corpus.pairs,
            self._corpus.fingerprint,
            folder,
            self._encoder,
            splits=_SPLITS_OF[name],
            header=s.eval.header,
            max_tokens=s.passages.max_tokens,
            keep_generations=1,
            reuse=True,
            seed=s.seed,
            share=[self._folder(other) for other in _SPLITS_OF if other != name],
        )
        return Index.open(folder, self._encoder)

    def _folder(self, name: str) -> Path:
        return Path(f"{self._settings.eval.out}-indexes") / name


def _score(cells: Sequence[tuple[str, str]], rows: Sequence[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """index -> variant -> figures; the table of each index repeats the variants that use none."""
    by_cell: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_cell.setdefault((row["index"], row["variant"]), []).append(row)
    scored = {cell: score_rows(by_cell[cell], settings.eval.bootstrap, settings.seed) for cell in cells}
    closed = {v: f for (index, v), f in scored.items() if index == "none"}
    used = {index for index, _ in cells}
    names: list[str] = [name for name in settings.eval.indexes if name in used] or ["none"]
    return {name: {**closed, **{v: f for (index, v), f in scored.items() if index == name}} for name in names}


def _inputs(settings: Settings, corpus: Corpus, encoder: Encoder, pairs: Sequence[QAPair]) -> dict[str, str]:
    inputs = {
        "corpus": corpus.fingerprint,
        "encoder": encoder.fingerprint,
        "questions": sha256_bytes(json.dumps([p.id for p in pairs]).encode()),
    }
    if set(settings.eval.variants) - {"extractive"}:
        model = locate(settings.generator.model)
        inputs["model"] = sha256_tree(model) if model.is_dir() else settings.generator.model
    if any(v.startswith("tuned") for v in settings.eval.variants) and settings.generator.adapter:
        manifest = locate(settings.generator.adapter) / MANIFEST
        inputs["adapter"] = sha256_file(manifest) if manifest.is_file() else settings.generator.adapter
    return inputs


def _rows(folder: Path) -> list[dict[str, Any]]:
    read_manifest(folder, KIND, "medqa eval run --config configs/X.yaml")
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _refuse_foreign(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise MedqaError(f"wanted a new or an earlier run folder at {out}, found other files; choose another --out")


def _threshold_fact(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:.3f} (cosine of the closest passage)"
