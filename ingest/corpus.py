"""A finished corpus on disk, as every later stage reads it: standard library only, so it also reads on training machines."""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, sha256_file
from medqa.manifest import MANIFEST, read_manifest
from medqa.records import SPLITS, QAPair, Split

COLUMNS = ("id", "question", "answer", "source", "url", "topic", "question_type", "synonyms", "split", "cluster")
SYNONYM_SEPARATOR = "|"  # as in MedQuAD's published tables


@dataclass(frozen=True, slots=True)
class Corpus:
    """Cleaned pairs in file order (train, validation, test) and the hash of their content."""

    pairs: tuple[QAPair, ...]
    fingerprint: str

    def of(self, splits: Iterable[Split]) -> tuple[QAPair, ...]:
        """Pairs of the given splits, in order."""
        wanted = set(splits)
        return tuple(p for p in self.pairs if p.split in wanted)


def read_corpus(path: Path) -> Corpus:
    """A ``CORPUS`` folder made by ``medqa ingest``, or a plain CSV whose rows are taken as they are, their ids kept.

    Raises:
        MedqaError: nothing there, unfinished, a file changed since it was made, columns missing, ids repeated.
    """
    if path.is_file():
        return Corpus(tuple(_read_plain(path)), sha256_file(path))
    fingerprint = check_corpus(path)
    return Corpus(tuple(stream_corpus(path)), fingerprint)


def check_corpus(path: Path) -> str:
    """The hash of the content of the corpus folder ``path``, whose files are as its manifest says.

    Raises:
        MedqaError: nothing there, unfinished, or a file changed since it was made.
    """
    manifest = read_manifest(path, "corpus", f"medqa ingest SOURCE --out {path}")
    hashes: list[str] = []
    for split in SPLITS:
        file = path / f"{split}.csv"
        if not file.is_file():
            raise MedqaError(f"wanted {file}, found none; make the corpus again with: medqa ingest SOURCE --out {path}")
        hashes.append(sha256_file(file))
        if hashes[-1] != manifest["outputs"].get(file.name):
            raise MedqaError(
                f"wanted {file} as {MANIFEST} describes it, found other content; run medqa ingest again, "
                f"or give the edited file itself as --corpus"
            )
    return sha256_bytes("".join(hashes).encode())


def stream_corpus(path: Path) -> Iterator[QAPair]:
    """The pairs of the corpus folder ``path`` one by one: train, validation, test."""
    for split in SPLITS:
        yield from _read_rows(path / f"{split}.csv")


def write_pairs(stream: TextIO, pairs: Iterable[QAPair]) -> None:
    """``pairs`` as CSV with a header, all columns, synonyms joined by ``|``."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for p in pairs:
        writer.writerow([SYNONYM_SEPARATOR.join(v) if isinstance(v := getattr(p, c), tuple) else v for c in COLUMNS])


def split_synonyms(text: str) -> tuple[str, ...]:
    """``"a|b"`` -> ``("a", "b")``; blanks dropped."""
    return tuple(s for part in text.split(SYNONYM_SEPARATOR) if (s := part.strip()))


def _read_rows(path: Path) -> Iterator[QAPair]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default of 131,072 refuses long answers
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            known = {c: row.get(c) or "" for c in COLUMNS}
            synonyms = split_synonyms(known.pop("synonyms"))
            split = known.pop("split") or "train"
            if split not in SPLITS:
                raise MedqaError(f"wanted a split of {', '.join(SPLITS)} in {path}, found {split!r}")
            yield QAPair(**known, synonyms=synonyms, split=split)


def _read_plain(path: Path) -> list[QAPair]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
        missing = [c for c in ("id", "question", "answer") if c not in header]
        if missing:
            raise MedqaError(
                f"wanted the columns id, question, answer in {path}, found {header or 'an empty file'}; "
                f"clean it first with: medqa ingest {path} --out CORPUS"
            )
        pairs = list(_read_rows(path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MedqaError(
            f"wanted UTF-8 CSV in {path}, found something else ({error}); clean it first with: medqa ingest {path} --out CORPUS"
        ) from error
    ids = {p.id for p in pairs}
    if len(ids) != len(pairs) or "" in ids:
        raise MedqaError(
            f"wanted one unique id per row in {path}, found {len(ids)} ids for {len(pairs)} rows; "
            f"clean it first with: medqa ingest {path} --out CORPUS"
        )
    return pairs
