"""Reader of MedQuAD's XML documents (https://github.com/abachaa/MedQuAD), from a folder or a zip."""

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ingest.corpus import SYNONYM_SEPARATOR
from ingest.encoding import readable
from ingest.raw import RawRow
from medqa.errors import MedqaError

_MAX_DOCUMENT = 16 * 1024 * 1024  # bytes; the largest of MedQuAD's has 0.2 MB. More is no document, or a zip bomb.


def read_medquad(source: Path) -> Iterator[RawRow]:
    """All pairs of all ``*.xml`` below a folder or in a zip, by path. A document that cannot be parsed is one bad row.

    Pairs of a document without a single answer come with ``unanswered`` set: that is how three of the collections were
    published.

    Raises:
        MedqaError: no XML document there, or a damaged zip.
    """
    found = False
    for name, data in _from_zip(source) if source.suffix == ".zip" else _from_folder(source):
        found = True
        yield from read_document(f"{source.name}/{name}", data)
    if not found:
        raise MedqaError(
            f"wanted MedQuAD's XML documents in {source}, found none; give a csv, tsv, jsonl or parquet file"
        )


def read_document(name: str, data: bytes) -> list[RawRow]:
    """The pairs of one document; ids are ``SOURCE-QID``, since the collections count from 1 each."""
    try:
        if b"<!DOCTYPE" in data[:4096]:
            raise ValueError("has a document type declaration, which MedQuAD's do not")
        if len(data) > _MAX_DOCUMENT:
            raise ValueError(f"has more than {_MAX_DOCUMENT} bytes")
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError) as error:
        return [RawRow(name, 1, {}, f"not a MedQuAD document: {error}")]
    shared = {
        "source": root.get("source", ""),
        "url": root.get("url", ""),
        "topic": _text(root.find("Focus")),
        "synonyms": SYNONYM_SEPARATOR.join(s for e in root.iter("Synonym") if (s := _text(e).strip())),
    }
    pairs = list(root.iter("QAPair"))
    unanswered = not any(_text(pair.find("Answer")).strip() for pair in pairs)
    rows = []
    for number, pair in enumerate(pairs, start=1):
        question = pair.find("Question")
        about = question.attrib if question is not None else {}
        fields = {
            **shared,
            "id": f"{shared['source']}-{about.get('qid', '')}",
            "question": _text(question),
            "answer": _text(pair.find("Answer")),
            "question_type": about.get("qtype", ""),
        }
        rows.append(RawRow(name, number, fields, unanswered=unanswered))
    return rows


def _text(element: ET.Element | None) -> str:
    return "" if element is None else "".join(element.itertext())


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.xml")):
        with readable(path):
            data = path.read_bytes()
        yield path.relative_to(folder).as_posix(), data


def _from_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with readable(path), zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda i: i.filename):
                if info.filename.lower().endswith(".xml") and not info.filename.startswith("__MACOSX"):
                    with archive.open(info) as stream:
                        yield info.filename, stream.read(_MAX_DOCUMENT + 1)
    except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: encrypted
        raise MedqaError(
            f"wanted a zip of MedQuAD's XML documents, found {path} unreadable ({error}); fetch it again"
        ) from error
