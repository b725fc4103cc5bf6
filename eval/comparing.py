"""Body of ``eval compare``: two runs, or two generations of an index."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.compare import compare_rows, markdown_comparison
from eval.effects import FEWEST
from eval.questions import pick_questions
from eval.recipe import content_hash
from eval.refresh import Generation, markdown_refresh, refresh
from eval.run import KIND, MAKE, read_rows, read_run
from ingest.corpus import read_corpus
from medqa.errors import MedqaError
from medqa.files import read_json, staged_folder, write_atomically, write_json
from medqa.manifest import MANIFEST, read_manifest, recipe_key, write_manifest
from medqa.paths import locate
from medqa.queries import Query, read_queries
from medqa.records import Hit, Variant
from medqa.settings import Settings
from rag.build import default_variant, open_model
from rag.pipeline import Pipeline
from rag.predict import predict
from retrieval import generations
from retrieval.aspects import aspects_folder
from retrieval.command import load_ranking
from retrieval.contents import KIND as INDEX
from retrieval.contents import load_contents
from retrieval.encoder import load_encoder
from retrieval.index import Index


def compare(
    a: Path,
    b: Path,
    settings: Settings,
    *,
    fail_on_regression: bool = False,
    queries: Path | None = None,
    variant: Variant | None = None,
    limit: int | None = None,
    out: Path | None = None,
) -> tuple[dict[str, Any], str]:
    """``medqa eval compare``: a summary and the Markdown report, both also written to the folder ``out`` if given.

    ``a`` and ``b`` are two runs, or two generations of an index (or an index, for its current one).
    """
    a, b = _artefact(a), _artefact(b)
    kinds = [_kind(a), _kind(b)]
    if kinds == [KIND, KIND]:
        if queries is not None or variant is not None:
            raise MedqaError("wanted two index generations with --queries or --variant, found two runs; leave them out")
        summary, report = _runs(a, b, settings, fail_on_regression)
    elif kinds == [INDEX, INDEX]:
        if fail_on_regression:
            raise MedqaError(
                "wanted two runs with --fail-on-regression, found two index generations; they have no scores to regress"
            )
        work = tempfile.TemporaryDirectory() if out is None else None
        folder = Path(work.name) if work else Path(f"{out}-answers")
        try:
            summary, report = _generations(a, b, settings, _queries(settings, queries, limit), variant, folder)
        finally:
            if work:
                work.cleanup()
    else:
        raise MedqaError(f"wanted two runs or two index generations, found a {kinds[0]} ({a}) and a {kinds[1]} ({b})")
    if out is not None:
        _write(out, summary, report, a, b)
    return summary, report


def _runs(a: Path, b: Path, settings: Settings, fail: bool) -> tuple[dict[str, Any], str]:
    cells = compare_rows(read_run(a), read_run(b), settings.eval.bootstrap, settings.seed)
    regressions = [f"{c['index']} {c['variant']} {name}" for c in cells for name in c["regressions"]]
    report = markdown_comparison(a, b, cells)
    if any(cell["questions"] < FEWEST for cell in cells):
        report += f"\nFewer than {FEWEST} questions: there are no intervals, so a regression could not be seen.\n"
    if regressions:
        report += f"\nRegressions {'FAILED' if fail else 'found'}: {'; '.join(regressions)}\n"
    return {"a": str(a), "b": str(b), "cells": cells, "regressions": regressions}, report


def _generations(
    a: Path, b: Path, settings: Settings, queries: Sequence[Query], variant: Variant | None, work: Path
) -> tuple[dict[str, Any], str]:
    chosen = variant or default_variant(settings)
    if chosen in ("plain", "tuned"):
        raise MedqaError(f"wanted a variant that reads an index, found {chosen}; give --variant tuned+rag or another")
    encoder = load_encoder(settings.retrieval.encoder, settings.retrieval.batch_size, settings.retrieval.devices)
    ranking = load_ranking(settings.retrieval, encoder.fingerprint)

    def opened(folder: Path) -> Generation:
        contents = load_contents(folder)
        if contents.manifest["inputs"]["encoder"] != encoder.fingerprint:
            raise MedqaError(
                f"wanted a generation made by the encoder {settings.retrieval.encoder}, found another's in {folder}"
            )
        index = Index(folder.parent.parent, encoder, contents)
        threshold = settings.rag.threshold
        calibrated: float | None = contents.manifest["calibration"]["threshold"]

        def search(questions: Sequence[str], k: int) -> list[list[Hit]]:
            return index.search(questions, k, ranking=ranking)

        return Generation(str(folder), search, calibrated if threshold is None else threshold)

    model = open_model(settings, [chosen])
    pipeline = Pipeline(None, model, settings.rag.passages, None, settings.rag.support)
    chosen_settings = settings.model_dump(mode="json", include={"seed", "retrieval", "generator", "rag"})
    models = {k: content_hash(v) for k in ("model", "adapter") if (v := getattr(settings.generator, k))}
    if settings.retrieval.reranker:
        models["reranker"] = content_hash(settings.retrieval.reranker)
    if ranking.aspects is not None and settings.retrieval.aspects:
        models["aspects"] = content_hash(str(aspects_folder(settings.retrieval.aspects)))

    def answer(side: str, with_hits: Pipeline, again: Sequence[Query]) -> list[dict[str, Any]]:
        content = read_manifest(Path(side), INDEX, "medqa index build")["key"]
        key = recipe_key("answers", models | {"generation": content}, chosen_settings)
        file = work / f"{Path(side).name}.{key[:16]}.jsonl"
        predict(with_hits, again, chosen, file, batch_size=settings.generator.batch_size, key=key)
        return read_rows(file)

    found = {"variant": chosen, **refresh(opened(a), opened(b), queries, pipeline, answer)}
    return found, markdown_refresh(found)


def _queries(settings: Settings, queries: Path | None, limit: int | None) -> list[Query]:
    if queries is not None:
        return read_queries(queries)[:limit]
    corpus = read_corpus(locate(settings.corpus))
    number = min(n for n in (limit, settings.eval.questions, len(corpus.pairs)) if n is not None)
    return [Query(p.id, p.question) for p in pick_questions(corpus, settings.eval.split, number, settings.seed)]


def _artefact(path: Path) -> Path:
    return generations.current(path) if generations.find_current(path) is not None else path


def _kind(folder: Path) -> str:
    if not (folder / MANIFEST).is_file():
        raise MedqaError(
            f"wanted a complete run or index generation in {folder}, found no {MANIFEST}; make it with: {MAKE}"
        )
    found = read_json(folder / MANIFEST)
    return str(found.get("kind")) if isinstance(found, dict) else type(found).__name__


def _write(out: Path, summary: dict[str, Any], report: str, a: Path, b: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise MedqaError(
            f"wanted a new or an earlier comparison's folder at {out}, found other files; choose another --out"
        )
    with staged_folder(out) as stage:
        write_json(stage / "comparison.json", summary)
        write_atomically(stage / "comparison.md", report)
        inputs = {side: content_hash(str(folder)) for side, folder in (("a", a), ("b", b))}
        write_manifest(stage, "comparison", inputs, {}, {"a": str(a), "b": str(b)})
