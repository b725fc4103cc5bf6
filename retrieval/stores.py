"""Which vector store a generation gets: exact, approximate or Milvus; how it is written and opened again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from retrieval.approximate import KIND as APPROXIMATE_KIND
from retrieval.approximate import ApproximateStore, build_approximate
from retrieval.vectors import ExactStore, VectorStore, write_vectors

if TYPE_CHECKING:
    import numpy as np

EXACT_UP_TO = 100_000
"""Vectors that are still compared one by one: one query takes .09 ms per thousand on a 2-core AVX2 machine (4 ms for MedQuAD's
46,588, 9 ms here), and with the encoder's 5 to 8 ms a search should stay below 25. ``benchmarks/retrieval_scale.py``."""
RECALL = 0.97
"""Share of the true ten nearest that an approximate store has to find."""
QUESTIONS = 512
"""Questions that tune and measure an approximate store, half of them each: a recall of .97 is then known to about +-.01."""

Ask = Callable[[int], "np.ndarray"]
"""Number of questions -> (at most so many, dim) float32 query vectors."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How vectors are stored and searched: the plain arguments behind the settings ``retrieval.store`` and its neighbours."""

    kind: Literal["faiss", "milvus"] = "faiss"
    exact_up_to: int = EXACT_UP_TO
    """Up to so many passages every query is compared with every vector."""
    recall: float = RECALL
    """Recall at 10 that a larger index is tuned to."""
    uri: str | None = None
    """Milvus: a server's URI, or a folder for Milvus Lite; None is ``milvus.db`` in the index folder."""

    def recipe(self) -> str:
        """What decides the files of a generation, for its key."""
        where = f", {self.uri or 'lite'}" if self.kind == "milvus" else ""
        return f"{self.kind}, exact up to {self.exact_up_to}, else recall {self.recall:g}{where}"


def write_store(
    folder: Path,
    index: Path,
    vectors: "np.ndarray",
    keys: Sequence[str],
    ask: Ask,
    storage: Storage,
    encoder: str,
    seed: int,
) -> dict[str, Any]:
    """Write the vectors of a generation and what searches them; the facts for the manifest's ``store``.

    The original float32 vectors are always there (``vectors.faiss``, memory-mapped): scores are cosines of the originals with
    every store, an update takes them over bit by bit, and nothing is lost with an approximate index or a server.

    Args:
        folder: the generation's, not yet published.
        index: the index folder, which Milvus' collection belongs to.
        vectors: (n, dim) float32, of unit length.
        keys: one unique text per row that changes with the vector.
        ask: gives query vectors for tuning; called only where something is tuned.
        storage: what is wanted.
        encoder: the fingerprint of the vectors' maker.
        seed: of the k-means.

    Raises:
        MedqaError: vectors that are not of unit length; Milvus is not there or refuses.
        OSError: the disk is full or read-only.
    """
    write_vectors(folder, vectors)
    if storage.kind == "milvus":
        from retrieval.milvus import write_rows

        return write_rows(folder, index, keys, ask, storage, encoder)
    if len(vectors) <= storage.exact_up_to:
        return {"kind": "exact"}
    store, facts = build_approximate(ExactStore.open(folder), ask(QUESTIONS), storage.recall, storage.exact_up_to, seed)
    if store is None:
        return {"kind": "exact", "reason": "no number of lists reached the recall wanted", "tried": facts}
    store.save(folder)
    return {"kind": APPROXIMATE_KIND, "exact_up_to": storage.exact_up_to, **facts}


def open_store(folder: Path, facts: Mapping[str, Any]) -> VectorStore:
    """The store that ``write_store`` made, by the facts that it returned.

    Raises:
        RuntimeError, OSError, ValueError, KeyError: missing or damaged.
        MedqaError: Milvus cannot be reached.
    """
    exact = ExactStore.open(folder)
    if facts["kind"] == APPROXIMATE_KIND:
        return ApproximateStore.open(folder, exact, facts["probes"], facts["exact_up_to"])
    if facts["kind"] == "milvus":
        from retrieval.milvus import MilvusStore

        return MilvusStore.open(folder, exact, facts)
    return exact


def sweep_stores(index: Path, complete: Sequence[Path], storage: Storage) -> None:
    """Delete what an outside store holds beyond the generations ``complete``.

    Raises:
        MedqaError: Milvus cannot be reached.
    """
    if storage.kind == "milvus":
        from retrieval.milvus import sweep

        sweep(index, complete, storage.uri)


def store_problems(store: VectorStore) -> list[str]:
    """What is wrong with a store beside its files; empty when it is sound.

    Raises:
        MedqaError: Milvus cannot be reached.
    """
    missing = getattr(store, "missing", None)
    count = missing() if missing is not None else 0
    return [f"milvus: {count} rows are missing; send them again with: medqa index build"] if count else []
