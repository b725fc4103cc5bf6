"""Bodies of ``medqa eval export`` and ``medqa eval ranking``: rankings to and from other programs."""

from pathlib import Path
from typing import Any, Literal

from eval.bootstrap import bootstrap_columns
from eval.retrieval_metrics import run_scores
from eval.rows import by_cell
from eval.run import read_rows
from eval.trec import qrels_and_run, read_qrels, read_run, write_qrels, write_run
from medqa.errors import MedqaError
from medqa.files import staged_folder
from medqa.manifest import read_manifest

CUTS = (1, 5, 10)


def export_rankings(run: Path, out: Path) -> dict[str, Any]:
    """Write ``<index>.qrels`` and ``<index>.<system>.run`` for every system of a finished run that has an index.

    Questions that an index cannot answer have no line in TREC's qrels; they are left out of the runs too and counted,
    so that both files hold the same queries. An index that can answer none (held-out) gives no files.

    Raises:
        MedqaError: no finished run there, no ranking in it, or ``out`` is not empty.
    """
    read_manifest(run, "evaluation", "medqa eval run --config configs/X.yaml")
    cells = by_cell(read_rows(run / "predictions.jsonl"))
    if out.exists() and any(out.iterdir()):
        raise MedqaError(f"wanted a new or empty folder for the rankings, found files in {out}; choose another --out")
    ranked = {cell: rows for cell, rows in cells.items() if cell[0] != "none"}
    if not ranked:
        raise MedqaError(f"wanted a run of systems with an index, found none in {run}; add tuned+rag or extractive")
    written: list[str] = []
    left_out: dict[str, int] = {}
    with staged_folder(out) as stage:
        for (index, name), rows in ranked.items():
            answerable = [row for row in rows if row["relevant"]]
            left_out[index] = len(rows) - len(answerable)
            if not answerable:
                continue
            qrels, found = qrels_and_run(answerable)
            write_qrels(stage / f"{index}.qrels", qrels)
            tag = "_".join(name.split())
            write_run(stage / f"{index}.{tag}.run", found, tag)
            written += [f"{index}.qrels", f"{index}.{tag}.run"]
    return {"out": str(out), "files": sorted(set(written)), "left_out": left_out}


def score_ranking(
    run: Path, qrels: Path, gain: Literal["exponential", "linear"], resamples: int, seed: int
) -> dict[str, Any]:
    """Figures of a TREC run against TREC qrels: name -> mean with its 95 % interval, and the number of queries.

    Queries without a relevant document have no figures; ``nothing_to_find`` counts them.

    Raises:
        MedqaError: files that cannot be read, or of different queries.
    """
    import numpy as np

    scored = run_scores(read_run(run), read_qrels(qrels), CUTS, gain)
    names = list(next(iter(scored.values()), {}))
    table = np.array([[scores[name] for name in names] for scores in scored.values()], dtype=np.float64)
    if not names or np.isnan(table).all():
        raise MedqaError(f"wanted at least one query with a relevant document, found none in {qrels}")
    intervals = bootstrap_columns(table, resamples, seed)
    figures = {
        name: {"mean": i.mean, "low": i.low, "high": i.high} for name, i in zip(names, intervals, strict=True) if i
    }
    empty = int(np.isnan(table[:, 0]).sum())
    return {"queries": len(scored), "nothing_to_find": empty, "gain": gain, "metrics": figures}
