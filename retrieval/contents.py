"""What one generation holds: passages, their vectors and their BM25 index. Row ``i`` is passage ``i`` in all three."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from medqa.records import Passage
from retrieval.lexical import LexicalIndex
from retrieval.passage_file import PassageFile, write_passages
from retrieval.stores import Ask, Storage, open_store, store_problems, write_store
from retrieval.vectors import ExactStore, VectorStore

if TYPE_CHECKING:
    import numpy as np

KIND = "index"
LEXICAL = "bm25"
PAIRS = "pairs.json"
"""Hash of every pair's content: an update cuts only those that changed."""


@dataclass(frozen=True, slots=True)
class Contents:
    """One generation, opened: files are mapped, and read as far as they are used."""

    folder: Path
    manifest: dict[str, Any]
    passages: Sequence[Passage]
    dense: VectorStore
    lexical: LexicalIndex

    def vectors(self) -> "np.ndarray":
        """All vectors, (n_passages, dim) float32."""
        import numpy as np

        return self.dense.reconstruct(np.arange(len(self.dense)))


def write_contents(
    folder: Path,
    passages: Sequence[Passage],
    vectors: "np.ndarray",
    lexical: LexicalIndex,
    *,
    index: Path,
    ask: Ask,
    storage: Storage,
    encoder: str,
    seed: int,
) -> dict[str, Any]:
    """Write all but the manifest; the vector store's facts for it.

    Args:
        folder: exists.
        passages: in row order.
        vectors: (n_passages, dim) float32.
        lexical: over the passages' embedded texts.
        index, ask, storage, encoder, seed: see ``write_store``.

    Raises:
        MedqaError: vectors that are not of unit length or do not match the passages.
        OSError: the disk is full or read-only.
    """
    if len(vectors) != len(passages):
        raise MedqaError(
            f"wanted one vector per passage, found {len(vectors)} for {len(passages)}; the encoder is at fault"
        )
    write_passages(folder, passages)
    lexical.save(folder / LEXICAL)
    # A collision of ids would need 32 equal bits; the text beside it makes the key as good as its hash.
    keys = [f"{p.id}\n{p.embedded_text}" for p in passages]
    return write_store(folder, index, vectors, keys, ask, storage, encoder, seed)


def write_pairs(folder: Path, hashes: Mapping[str, str]) -> None:
    """Write the hash of every pair's content, by pair id.

    Raises:
        OSError: the disk is full or read-only.
    """
    (folder / PAIRS).write_text(json.dumps(hashes, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def load_contents(folder: Path) -> Contents:
    """A complete generation.

    Raises:
        MedqaError: unfinished, damaged, or counts that disagree.
    """
    return _load(folder, open_store)


def load_originals(folder: Path) -> Contents:
    """As ``load_contents``, with the original vectors only: no server is asked."""
    return _load(folder, lambda folder, _: ExactStore.open(folder))


def is_whole(folder: Path) -> bool:
    """False where an outside store has lost rows of the generation in ``folder``, whose files are sound."""
    try:
        return not store_problems(load_contents(folder).dense)
    except MedqaError:
        return False


def _load(folder: Path, open_dense: Callable[[Path, Mapping[str, Any]], VectorStore]) -> Contents:
    index = folder.parent.parent
    manifest = read_manifest(folder, KIND, f"medqa index build --index {index}")
    try:
        passages = PassageFile.open(folder)
        dense = open_dense(folder, manifest["store"])
        lexical = LexicalIndex.load(folder / LEXICAL)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
        raise MedqaError(_damaged(index, folder, " ".join(str(error).split())[:160])) from error
    counts = {manifest["passages"], len(passages), len(dense), len(lexical)}
    if len(counts) != 1:
        raise MedqaError(_damaged(index, folder, f"counts of passages that disagree: {sorted(counts)}"))
    return Contents(folder, manifest, passages, dense, lexical)


def read_passages(folder: Path) -> Sequence[Passage]:
    """The passages of a generation, in row order; each is read when it is asked for."""
    return PassageFile.open(folder)


def _damaged(index: Path, folder: Path, found: str) -> str:
    return (
        f"wanted a sound generation {folder.name} in {index}, found: {found}; "
        f"go back with: medqa index rollback --index {index}, or build again"
    )
