"""The body of ``medqa ingest``, where settings become plain arguments: read, clean, group, split, certify, write."""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest.build import Made, clean, split_and_certify
from ingest.clean import Drop
from ingest.corpus import write_pairs
from ingest.raw import RawRow
from ingest.readers import read_rows
from ingest.report import count_drops, to_markdown
from medqa.errors import MedqaError
from medqa.files import sha256_file, sha256_tree, staged_folder, write_json
from medqa.manifest import MANIFEST, is_current, read_manifest, recipe_key, write_manifest
from medqa.records import SPLITS, QAPair, Split
from medqa.settings import Settings

KIND = "corpus"


def ingest(sources: Sequence[Path], out: Path, settings: Settings, limit: int | None = None) -> dict[str, Any]:
    """Make the corpus ``out`` from ``sources`` and return a summary; an unchanged corpus is reused.

    ``limit`` takes the first rows only, over all sources. A run that fails leaves ``out`` as it was.

    Raises:
        MedqaError: unreadable input, nothing left after cleaning, or ``out`` is something other than a corpus.
    """
    if not sources:
        raise MedqaError("wanted at least one input, found none; run: medqa ingest SOURCE... --out CORPUS")
    check_target(out)
    inputs = fingerprints(sources)
    recipe = {
        "ingest": settings.ingest.model_dump(),
        "split": settings.split.model_dump(),
        "seed": settings.seed,
        "limit": limit,
    }
    if is_current(out, KIND, recipe_key(KIND, inputs, recipe)):
        return {**read_manifest(out, KIND, "medqa ingest")["summary"], "corpus": str(out), "reused": True}

    rows = itertools.islice(_all_rows(sources, settings.ingest.columns), limit)
    cleaned = clean(rows, settings.ingest.min_question_words, settings.ingest.min_answer_words)
    if not cleaned.rows:
        raise MedqaError(_nothing_left(sources, cleaned.drops))
    shares: dict[Split, float] = {"validation": settings.split.validation, "test": settings.split.test}
    made = split_and_certify(
        cleaned,
        threshold=settings.ingest.near_duplicate,
        drop_near=settings.ingest.drop_near_duplicates,
        by=settings.split.by,
        shares={"train": 1 - sum(shares.values()), **shares},
        seed=settings.seed,
    )
    summary = summarise(made.report)
    with staged_folder(out) as stage:
        write_corpus(stage, made)
        write_manifest(stage, KIND, inputs, recipe, {"summary": summary})
    return {**summary, "corpus": str(out), "reused": False}


def write_corpus(folder: Path, made: Made) -> None:
    """All files of a corpus but its manifest."""
    write_parquet(folder / "pairs.parquet", made.pairs)
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            write_pairs(stream, [p for p in made.pairs if p.split == split])
    with (folder / "dropped.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["source", "row", "reason", "detail", "question", "answer"])
        writer.writerows([d.file, d.row, d.reason, _printable(d.detail), d.question, d.answer] for d in made.drops)
    write_json(folder / "report.json", made.report)
    (folder / "report.md").write_text(to_markdown(made.report), encoding="utf-8")


def write_parquet(path: Path, pairs: Sequence[QAPair]) -> None:
    """``pairs`` with the columns of the CSV files, synonyms as a list; the schema does not depend on the content."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = QAPair.__dataclass_fields__
    schema = pa.schema([(name, pa.list_(pa.string()) if name == "synonyms" else pa.string()) for name in names])
    columns = {n: [list(v) if isinstance(v := getattr(p, n), tuple) else v for p in pairs] for n in names}
    pq.write_table(pa.table(columns, schema=schema), path)


def check_target(out: Path) -> None:
    """Refuse to replace anything that is not a corpus.

    Raises:
        MedqaError: ``out`` is a file, or a folder with other content.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise MedqaError(f"wanted a folder for the corpus, found the file {out}; give another --out")
    if not (out / MANIFEST).is_file():
        if any(out.iterdir()):
            raise MedqaError(f"wanted a corpus or nothing at {out}, found a folder of other things; give another --out")
        return
    try:
        read_manifest(out, KIND, "medqa ingest")
    except MedqaError as error:
        raise MedqaError(f"{error}; or delete {out}, or give another --out") from error


def fingerprints(sources: Sequence[Path]) -> dict[str, str]:
    """Name of each source -> hash of its content, in the order given.

    Raises:
        MedqaError: a source does not exist or cannot be read.
    """
    hashes = {}
    for number, source in enumerate(sources, start=1):
        try:
            hashes[f"{number} {source.name}"] = sha256_tree(source) if source.is_dir() else sha256_file(source)
        except FileNotFoundError:
            raise MedqaError(f"wanted an input at {source}, found nothing there; check the path") from None
        except OSError as error:
            raise MedqaError(f"wanted to read {source}, found: {error.strerror}; check its permissions") from error
    return hashes


def summarise(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line prints of a report."""
    certificate = report["certificate"]
    return {
        **report["rows"],
        "splits": {split: counts["rows"] for split, counts in report["splits"].items()},
        "groups": report["groups"]["count"],
        "largest_group": report["groups"]["largest"][0]["rows"],
        "test_train": certificate["split"]["test/train"],
        "test_train_random_split": certificate["random"]["test/train"],
        "closest_test_train": certificate["closest"]["jaccard"],
        "warnings": report["warnings"],
    }


def _all_rows(sources: Sequence[Path], columns: Mapping[str, str]) -> Iterator[RawRow]:
    for source in sources:
        yield from read_rows(source, columns)


def _nothing_left(sources: Sequence[Path], drops: Sequence[Drop]) -> str:
    names = ", ".join(s.name for s in sources)
    if not drops:
        return f"wanted rows in {names}, found a header only; give a file with rows"
    top = sorted(count_drops(drops).items(), key=lambda item: -item[1])[:3]
    reasons = ", ".join(f"{reason} ({count})" for reason, count in top)
    return (
        f"wanted at least one usable row in {names}, found none of {len(drops)}: {reasons}; "
        "check the file, ingest.columns and ingest.min_answer_words"
    )


def _printable(text: str) -> str:
    """``text`` on one line, without characters that cannot be written as UTF-8."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
