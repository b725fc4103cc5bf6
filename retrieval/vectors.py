"""Passages' vectors behind one small interface, and the store that searches them exhaustively."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medqa.errors import MedqaError

if TYPE_CHECKING:
    import numpy as np

VECTORS = "vectors.faiss"
_FEW = 20
"""From this many queries on FAISS multiplies matrices, which gains from every thread."""
UNIT_TOLERANCE = 1e-3
"""How far a vector's norm may be from 1: fp32 normalisation leaves 1e-6; a vector that was never normalised is far off."""


class VectorStore(Protocol):
    """What a search needs of the vectors of one generation. Row ``i`` belongs to passage ``i``."""

    def __len__(self) -> int:
        """Number of vectors."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def search(
        self, vectors: "np.ndarray", n: int, allowed: "np.ndarray | None" = None
    ) -> tuple["np.ndarray", "np.ndarray"]:
        """The ``n`` nearest rows of each query by inner product, nearest first.

        Args:
            vectors: (q, dim) float32 queries of unit length, so that the inner product is the cosine.
            n: rows per query.
            allowed: sorted numbers of the rows that may be found, or None for all.

        Returns:
            Scores (q, n) float32 and rows (q, n) int64; -1 fills up where fewer rows are allowed.
        """

    def reconstruct(self, rows: "np.ndarray | Sequence[int]") -> "np.ndarray":
        """(m, dim) float32: the unit vectors of ``rows`` exactly as they were stored."""


class ExactStore:
    """All vectors as float32 in a memory-mapped ``IndexFlatIP``: every query is compared with every row."""

    def __init__(self, flat: Any) -> None:
        self._flat = flat

    @classmethod
    def open(cls, folder: Path) -> "ExactStore":
        """The vectors that ``write_vectors`` wrote. They are mapped, not read: pages come in as they are used.

        Raises:
            RuntimeError: missing or damaged.
        """
        import faiss

        return cls(faiss.read_index(str(folder / VECTORS), faiss.IO_FLAG_MMAP_IFC))

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._flat.d)

    def search(
        self, vectors: "np.ndarray", n: int, allowed: "np.ndarray | None" = None
    ) -> tuple["np.ndarray", "np.ndarray"]:
        """See ``VectorStore.search``; no row is missed."""
        import faiss

        selected = None if allowed is None else faiss.SearchParameters(sel=selector(allowed, len(self)))
        with few_threads(len(vectors)):
            return by_score(*self._flat.search(vectors, n, params=selected))

    def reconstruct(self, rows: "np.ndarray | Sequence[int]") -> "np.ndarray":
        """See ``VectorStore.reconstruct``."""
        import numpy as np

        return self._flat.reconstruct_batch(np.asarray(rows, dtype=np.int64))


@contextmanager
def few_threads(queries: int) -> Iterator[None]:
    """FAISS with one thread for few queries, in this thread only: a second one does not speed one query up (1 M rows: 59 and 61
    ms), but waiting for it makes it 2 to 5 times as slow while another process is at work."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1 if queries < _FEW else threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def by_score(scores: "np.ndarray", rows: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
    """Both (q, n), the highest score first, equal ones by row, so that every store gives one order. Six decimals decide: below
    lies rounding, which depends on the size of the batch."""
    import numpy as np

    scores = np.where(rows < 0, -np.inf, scores).astype(np.float32, copy=False)
    order = np.lexsort((rows, -np.round(scores, 6)), axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def selector(allowed: "np.ndarray", total: int) -> Any:
    """FAISS's selector of the rows ``allowed`` out of ``total``: a bitmap, one look-up per row whatever their number."""
    import faiss
    import numpy as np

    bits = np.zeros(total, dtype=bool)
    bits[allowed] = True
    return faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))


def check_unit(vectors: "np.ndarray") -> None:
    """Refuse vectors whose inner product would not be their cosine.

    Raises:
        MedqaError: a norm further than ``UNIT_TOLERANCE`` from 1, or not a number.
    """
    import numpy as np

    off = float(np.abs(np.linalg.norm(vectors, axis=1) - 1).max(initial=0))
    if not off <= UNIT_TOLERANCE:  # also catches NaN
        raise MedqaError(f"wanted vectors of length 1, found one that is {off:.3g} off; the encoder is at fault")


def write_vectors(folder: Path, vectors: "np.ndarray") -> None:
    """Write (n, dim) float32 unit vectors for ``ExactStore``.

    Raises:
        MedqaError: vectors that are not of unit length.
        OSError: the disk is full or read-only.
    """
    import faiss
    import numpy as np

    check_unit(vectors)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(np.ascontiguousarray(vectors, dtype=np.float32))
    save_index(flat, folder / VECTORS)


def save_index(index: Any, path: Path) -> None:
    """Write a FAISS index.

    Raises:
        OSError: the disk is full or read-only.
    """
    import faiss

    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:  # faiss' way of saying that a write failed
        raise OSError(" ".join(str(error).split())) from error
