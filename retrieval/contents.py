"""What one generation holds: passages, their vectors (FAISS) and their BM25 index. Row ``i`` is passage ``i`` in all three."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from medqa.records import Passage
from retrieval.lexical import LexicalIndex

if TYPE_CHECKING:
    import numpy as np

KIND = "index"
PASSAGES = "passages.jsonl"
VECTORS = "vectors.faiss"
LEXICAL = "bm25"
UNIT_TOLERANCE = 1e-3
"""How far a vector's norm may be from 1: fp32 normalisation leaves 1e-6; a vector that was never normalised is far off."""


@dataclass(frozen=True, slots=True)
class Contents:
    """One generation, loaded."""

    folder: Path
    manifest: dict[str, Any]
    passages: tuple[Passage, ...]
    dense: Any
    """faiss.IndexFlatIP over L2-normalised vectors: exact, its scores are cosines."""
    lexical: LexicalIndex

    def vectors(self) -> "np.ndarray":
        """All vectors, (n_passages, dim) float32."""
        import numpy as np

        return np.asarray(self.dense.reconstruct_n(0, self.dense.ntotal), dtype=np.float32)


def write_contents(folder: Path, passages: Sequence[Passage], vectors: "np.ndarray") -> None:
    """Write all but the manifest.

    Args:
        folder: exists.
        passages: in row order.
        vectors: (n_passages, dim) float32.

    Raises:
        MedqaError: vectors that are not of unit length or do not match the passages.
        OSError: the disk is full or read-only.
    """
    import faiss
    import numpy as np

    if len(vectors) != len(passages):
        raise MedqaError(
            f"wanted one vector per passage, found {len(vectors)} for {len(passages)}; the encoder is at fault"
        )
    off = float(np.abs(np.linalg.norm(vectors, axis=1) - 1).max(initial=0))
    if not off <= UNIT_TOLERANCE:  # also catches NaN
        raise MedqaError(f"wanted vectors of length 1, found one that is {off:.3g} off; the encoder is at fault")
    with (folder / PASSAGES).open("w", encoding="utf-8") as stream:
        for passage in passages:
            stream.write(json.dumps(asdict(passage), ensure_ascii=False) + "\n")
    dense = faiss.IndexFlatIP(vectors.shape[1])
    dense.add(np.ascontiguousarray(vectors, dtype=np.float32))
    try:
        faiss.write_index(dense, str(folder / VECTORS))
    except RuntimeError as error:  # faiss' way of saying that a write failed
        raise OSError(" ".join(str(error).split())) from error
    LexicalIndex.build([p.embedded_text for p in passages]).save(folder / LEXICAL)


def load_contents(folder: Path) -> Contents:
    """A complete generation.

    Raises:
        MedqaError: unfinished, damaged, or counts that disagree.
    """
    import faiss

    index = folder.parent.parent
    manifest = read_manifest(folder, KIND, f"medqa index build --index {index}")
    try:
        passages = read_passages(folder)
        dense = faiss.read_index(str(folder / VECTORS))
        lexical = LexicalIndex.load(folder / LEXICAL)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
        raise MedqaError(_damaged(index, folder, " ".join(str(error).split())[:160])) from error
    counts = {manifest["passages"], len(passages), dense.ntotal, len(lexical)}
    if len(counts) != 1:
        raise MedqaError(_damaged(index, folder, f"counts of passages that disagree: {sorted(counts)}"))
    return Contents(folder, manifest, passages, dense, lexical)


def read_passages(folder: Path) -> tuple[Passage, ...]:
    """The passages of a generation, in row order."""
    with (folder / PASSAGES).open(encoding="utf-8") as stream:
        return tuple(_passage(json.loads(line)) for line in stream)


def _passage(row: dict[str, Any]) -> Passage:
    row["sentences"] = tuple((start, end) for start, end in row["sentences"])
    return Passage(**row)


def _damaged(index: Path, folder: Path, found: str) -> str:
    return (
        f"wanted a sound generation {folder.name} in {index}, found: {found}; "
        f"go back with: medqa index rollback --index {index}, or build again"
    )
