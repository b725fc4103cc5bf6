"""Is an index what its manifest says it is, and how large is it?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes, sha256_file
from medqa.manifest import MANIFEST, read_manifest
from medqa.records import Passage
from retrieval import generations
from retrieval.contents import KIND, Contents, load_contents
from retrieval.encoder import Encoder
from retrieval.passages import passage_id
from retrieval.stores import store_problems
from retrieval.vectors import UNIT_TOLERANCE

_SAMPLE = 32
"""Passages embedded again: enough to notice vectors of another model or shifted rows, at the cost of a second."""
_SAME = 0.99
"""Cosine below which a vector is not its text's. bf16 against fp32 stays above .999; another passage is far below."""


def verify_index(index: Path, encoder: Encoder | None = None) -> list[str]:
    """Problems of the current generation, one line each; empty when it is sound.

    Checks every file's hash, the counts, that ids are unique and follow from the texts, that sentence spans lie in their
    texts, and the length of every vector. With ``encoder``, also its fingerprint and a sample of vectors made again.

    Raises:
        MedqaError: no index there at all.
    """
    folder = generations.current(index)
    manifest = read_manifest(folder, KIND, f"medqa index build --index {index}")
    problems = _file_problems(folder, manifest["outputs"])
    try:
        contents = load_contents(folder)
    except MedqaError as error:
        return [*problems, str(error)]
    problems += _passage_problems(contents.passages, manifest)
    problems += _vector_problems(contents) + store_problems(contents.dense)
    if encoder is not None:
        problems += _encoder_problems(contents, encoder)
    return problems


def index_stats(index: Path) -> dict[str, Any]:
    """The current generation's counts, settings, calibration and size, and the generations on disk.

    Raises:
        MedqaError: no index there.
    """
    folder = generations.current(index)
    manifest = read_manifest(folder, KIND, f"medqa index build --index {index}")
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return {
        "index": str(index),
        "generation": folder.name,
        "created": manifest["created"],
        "pairs": manifest["pairs"],
        "passages": manifest["passages"],
        "dim": manifest["dim"],
        "settings": manifest["settings"],
        "encoder": manifest["inputs"]["encoder"],
        "corpus": manifest["inputs"]["corpus"],
        "calibration": manifest["calibration"],
        "store": manifest["store"],
        "bytes": size,
        "memory_peak": manifest["memory_peak"],
        "estimate": manifest["estimate"],
        "generations": [
            {"name": f.name, "created": read_json(f / MANIFEST)["created"], "current": f == folder}
            for f in generations.complete(index)
        ],
    }


def _file_problems(folder: Path, hashes: dict[str, str]) -> list[str]:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    missing = [f"{name}: missing" for name in sorted(hashes.keys() - found)]
    extra = [f"{name}: not in the manifest" for name in sorted(found - hashes.keys())]
    changed = [
        f"{name}: content differs from the manifest"
        for name in sorted(found & hashes.keys())
        if sha256_file(folder / name) != hashes[name]
    ]
    return missing + extra + changed


def _passage_problems(passages: Sequence[Passage], manifest: dict[str, Any]) -> list[str]:
    problems = []
    if len({p.id for p in passages}) != len(passages):
        problems.append("passages: ids are not unique")
    if len({p.pair_id for p in passages}) != manifest["pairs"]:
        problems.append(f"passages: wanted {manifest['pairs']} pairs, found {len({p.pair_id for p in passages})}")
    for passage in passages:
        number = int(passage.id.rsplit(":", 2)[1])
        if passage.id != passage_id(passage.pair_id, number, passage.embedded_text):
            problems.append(f"passage {passage.id}: the id does not follow from the text")
        if not _spans_fit(passage):
            problems.append(f"passage {passage.id}: sentence spans do not fit the text")
    return problems


def _spans_fit(passage: Passage) -> bool:
    edges = [edge for span in passage.sentences for edge in span]
    return edges == sorted(edges) and bool(edges) and edges[0] == 0 and edges[-1] == len(passage.text)


def _vector_problems(contents: Contents) -> list[str]:
    import numpy as np

    vectors = contents.vectors()
    if vectors.shape[1] != contents.manifest["dim"]:
        return [f"vectors: wanted {contents.manifest['dim']} dimensions, found {vectors.shape[1]}"]
    off = np.abs(np.linalg.norm(vectors, axis=1) - 1)
    bad = int((~(off <= UNIT_TOLERANCE)).sum())
    return [f"vectors: {bad} are not of length 1"] if bad else []


def _encoder_problems(contents: Contents, encoder: Encoder) -> list[str]:
    if contents.manifest["inputs"]["encoder"] != encoder.fingerprint:
        return ["vectors: made by another encoder than the one given"]
    by_hash = sorted(range(len(contents.passages)), key=lambda i: sha256_bytes(contents.passages[i].id.encode()))
    drawn = by_hash[:_SAMPLE]
    again = encoder.encode_passages([contents.passages[i].embedded_text for i in drawn])
    cosines = (contents.dense.reconstruct(drawn) * again).sum(axis=1)
    return [
        f"passage {contents.passages[i].id}: its vector is not that of its text (cosine {cosine:.3f})"
        for i, cosine in zip(drawn, cosines, strict=True)
        if not cosine >= _SAME
    ]
