"""A finished corpus on disk: pairs as Parquet and CSV, what was dropped and why, what looks personal, the reports."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.build import Made
from ingest.clean import Drop
from ingest.corpus import COLUMNS, write_pairs
from ingest.markdown import to_markdown
from ingest.page import to_html
from ingest.screen import Screened
from ingest.spool import Spool
from medqa.files import write_json
from medqa.records import SPLITS, QAPair

DROPPED = "dropped.csv"
PHI = "phi.csv"
_DROPPED_COLUMNS = ("source", "row", "reason", "detail", "question", "answer")
_PHI_COLUMNS = ("source", "row", "field", "rule", "start", "end")
_BATCH = 10_000  # pairs per Parquet row group: some 20 MB of MedQuAD's answers


def write_corpus(folder: Path, made: Made, screened: Iterable[Screened]) -> None:
    """All files of a corpus but its manifest; pairs are read from disk and written one at a time."""
    write_parquet(folder / "pairs.parquet", (pair for split in SPLITS for pair in made.pairs(split)))
    for split in SPLITS:
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            write_pairs(stream, made.pairs(split))
    drops = ((d.file, d.row, d.reason, _printable(d.detail), d.question, d.answer) for d in _sorted(made.drops))
    _write_csv(folder / DROPPED, _DROPPED_COLUMNS, drops)
    _write_csv(folder / PHI, _PHI_COLUMNS, ((s.file, s.row, s.field, s.rule, s.start, s.end) for s in screened))
    write_json(folder / "report.json", made.report)
    (folder / "report.md").write_text(to_markdown(made.report), encoding="utf-8")
    (folder / "report.html").write_text(to_html(made.report), encoding="utf-8")


def write_parquet(path: Path, pairs: Iterator[QAPair]) -> None:
    """``pairs`` with the columns of the CSV files, synonyms as a list; the schema does not depend on the content."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.list_(pa.string()) if name == "synonyms" else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        while batch := list(islice(pairs, _BATCH)):
            columns = {n: [list(v) if isinstance(v := getattr(p, n), tuple) else v for p in batch] for n in COLUMNS}
            writer.write_table(pa.table(columns, schema=schema))


def read_drops(path: Path) -> Iterator[Drop]:
    """The drops that ``write_corpus`` listed."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default of 131,072 refuses long details
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield Drop(row["source"], int(row["row"]), row["reason"], row["detail"], row["question"], row["answer"])


def read_screened(corpus: Path) -> Iterator[Screened]:
    """The places that look like personal data which ``write_corpus`` listed."""
    with (corpus / PHI).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield Screened(
                row["source"], int(row["row"]), row["field"], row["rule"], int(row["start"]), int(row["end"])
            )


def _sorted(drops: Spool[Drop]) -> Iterator[Drop]:
    """By file and row; only the order is held in memory."""
    order = sorted((drop.file, drop.row, drop.reason, number) for number, drop in enumerate(drops))
    return (drops[number] for *_, number in order)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _printable(text: str) -> str:
    """``text`` on one line, without characters that cannot be written as UTF-8."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
