"""Approximate search for indexes too large to compare every row: inverted lists of 8-bit codes, read again exactly.

An inverted file (Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor search") sorts the vectors into lists
around k-means centroids and searches the lists nearest to the query. Codes are one byte per dimension (SQ8). The candidates'
scores are then computed from the original float32 vectors, so a score is always the true cosine, and only the choice of
candidates is approximate. HNSW (Malkov and Yashunin 2018) was measured beside it on 20,000 of MedQuAD's vectors: recall .978 in
0.9 ms where this takes 1.6 ms, but 5.5 s to build instead of 1.5 and four times the memory. Each generation is built anew, so
building decides.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.vectors import ExactStore, VectorStore, by_score, few_threads, save_index, selector

if TYPE_CHECKING:
    import numpy as np

APPROXIMATE = "approximate.faiss"
KIND = "ivf-sq8"
NEIGHBOURS = 10
"""Recall is measured at the depth that is shown."""
_POINTS_PER_LIST = 39
"""FAISS' own lower limit of training points per centroid; below it k-means is unreliable (and warns)."""
_MOST_POINTS_PER_LIST = 64
"""Training takes time in proportion; more than this moved recall by less than 0.002."""
_EXTRA = 2
"""Candidates taken per row wanted, so that neighbours which the codes put in the wrong order are still among them."""
_CONFIDENCE = 1.645
"""Standard errors (95 %, one-sided) by which the tuning queries must clear the target, so that other queries reach it too."""


class ApproximateStore:
    """Inverted lists beside the exact store that they were made from."""

    def __init__(self, exact: ExactStore, lists: Any, probes: int, exact_up_to: int) -> None:
        self._exact = exact
        self._lists = lists
        self._probes = probes
        self._exact_up_to = exact_up_to

    @classmethod
    def open(cls, folder: Path, exact: ExactStore, probes: int, exact_up_to: int) -> "ApproximateStore":
        """The lists that ``save`` wrote, memory-mapped.

        Raises:
            RuntimeError: missing or damaged.
        """
        import faiss

        lists = faiss.read_index(str(folder / APPROXIMATE), faiss.IO_FLAG_MMAP_IFC)
        if lists.ntotal != len(exact):
            raise RuntimeError(f"{APPROXIMATE} holds {lists.ntotal} vectors instead of {len(exact)}")
        return cls(exact, lists, probes, exact_up_to)

    def save(self, folder: Path) -> None:
        """Write the lists.

        Raises:
            OSError: the disk is full or read-only.
        """
        save_index(self._lists, folder / APPROXIMATE)

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._exact.dim

    def reconstruct(self, rows: "np.ndarray | Sequence[int]") -> "np.ndarray":
        """See ``VectorStore.reconstruct``: the originals, not the codes."""
        return self._exact.reconstruct(rows)

    def search(
        self, vectors: "np.ndarray", n: int, allowed: "np.ndarray | None" = None
    ) -> tuple["np.ndarray", "np.ndarray"]:
        """See ``VectorStore.search``. Scores are exact cosines.

        A filter that leaves few rows is searched exactly; one that leaves many looks into more lists, in proportion. A query
        whose lists hold fewer than ``n`` allowed rows is searched exactly too, so that nothing is missing.
        """
        import faiss

        total = len(self) if allowed is None else len(allowed)
        if allowed is not None and total <= self._exact_up_to:
            return self._exact.search(vectors, n, allowed)
        probes = min(self._lists.nlist, math.ceil(self._probes * len(self) / total))
        chosen = faiss.SearchParametersIVF(nprobe=probes, sel=None if allowed is None else selector(allowed, len(self)))
        with few_threads(len(vectors)):
            _, rows = self._lists.search(vectors, min(n * _EXTRA, total), params=chosen)
        scores, rows = rescored(self._exact, vectors, rows, n)
        short = (rows >= 0).sum(axis=1) < min(n, total)
        if short.any():
            scores[short], rows[short] = self._exact.search(vectors[short], n, allowed)
        return scores, rows


def rescored(exact: ExactStore, vectors: "np.ndarray", rows: "np.ndarray", n: int) -> tuple["np.ndarray", "np.ndarray"]:
    """The ``n`` best of each query's candidate ``rows`` (q, m) by true inner product, equal ones by row; -1 is no candidate.

    Returns:
        Scores (q, n) float32 and rows (q, n) int64, as ``VectorStore.search`` does.
    """
    import numpy as np

    found = np.full((len(vectors), n), -1, dtype=np.int64)
    scores = np.full((len(vectors), n), -np.inf, dtype=np.float32)
    for i, vector in enumerate(vectors):
        candidates = rows[i][rows[i] >= 0]
        products = exact.reconstruct(candidates) @ vector
        products, candidates = by_score(products[None, :], candidates[None, :])
        kept = min(n, candidates.shape[1])
        found[i, :kept], scores[i, :kept] = candidates[0, :kept], products[0, :kept]
    return scores, found


def number_of_lists(n: int) -> int:
    """2 * sqrt(n), as far as there are points enough to train so many.

    FAISS' guideline begins at 4 * sqrt(n); training grows with the square of the number, and queries have time to spare.
    """
    return max(1, min(round(2 * math.sqrt(n)), n // _POINTS_PER_LIST))


def build_approximate(
    exact: ExactStore, queries: "np.ndarray", recall: float, exact_up_to: int, seed: int
) -> tuple[ApproximateStore | None, dict[str, Any]]:
    """Lists over ``exact``, looking into as few of them as reach ``recall``, with what was measured.

    Half of the queries choose the number of lists, the other half, held aside, measure the recall that is reported; while
    that falls short the next number is tried.

    Args:
        exact: all vectors.
        queries: (q, dim) float32 unit vectors, at least 2.
        recall: share of the true ten nearest that must be found, on average.
        exact_up_to: filters that leave at most so many rows are searched exactly.
        seed: of the k-means.

    Returns:
        The store, or None where the target is out of reach, and the manifest's facts.
    """
    import faiss
    import numpy as np

    n = len(exact)
    lists = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(exact.dim), exact.dim, number_of_lists(n), faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    lists.cp.seed = seed
    lists.cp.spherical = True  # the centroids of unit vectors under the inner product are unit vectors
    lists.cp.max_points_per_centroid = _MOST_POINTS_PER_LIST
    sample = np.random.default_rng(seed).permutation(n)[: lists.nlist * _MOST_POINTS_PER_LIST]
    lists.train(exact.reconstruct(np.sort(sample)))
    for start in range(0, n, _BLOCK):
        lists.add(exact.reconstruct(np.arange(start, min(start + _BLOCK, n))))
    least = least_true(exact, queries)
    probes, measured = tune(
        _ladder(lists.nlist),
        lambda probes, rows: recalls(ApproximateStore(exact, lists, probes, exact_up_to), queries[rows], least[rows]),
        len(queries),
        recall,
    )
    facts = {
        "lists": lists.nlist,
        "probes": probes,
        "recall": measured,
        "recall_target": recall,
        "recall_at": NEIGHBOURS,
        "queries_tuning": (len(queries) + 1) // 2,
        "queries_held_aside": len(queries) // 2,
    }
    if probes is None:
        return None, facts
    return ApproximateStore(exact, lists, probes, exact_up_to), facts


_BLOCK = 65_536
"""Vectors added at once: 100 MB of 384-dimensional float32, so that the originals need not be in memory together."""


def tune(
    ladder: Sequence[int], measure: Callable[[int, slice], "np.ndarray"], queries: int, target: float
) -> tuple[int | None, float]:
    """The first value of ``ladder`` whose recall clears ``target``, and its recall on the queries held aside.

    Args:
        ladder: values from the cheapest to the dearest.
        measure: (value, which queries) -> recall of each of them. Every second query tunes; the others are held aside, and
            asked only at values that cleared the target.
        queries: how many there are, at least 2.
        target: mean recall wanted.

    Returns:
        None and the recall of the last value held against the queries aside, where none clears the target.
    """
    reached = 0.0
    for value in ladder:
        each = measure(value, slice(0, queries, 2))
        error = float(each.std()) / math.sqrt(len(each))
        if each.mean() < 1 and each.mean() - _CONFIDENCE * error < target:
            continue
        reached = float(measure(value, slice(1, queries, 2)).mean())
        if reached >= target:
            return value, reached
    return None, reached


def least_true(exact: ExactStore, queries: "np.ndarray") -> "np.ndarray":
    """(q,) cosine of each query's last true neighbour: the one at ``NEIGHBOURS``, or the last of a smaller store."""
    import numpy as np

    scores, _ = exact.search(queries, min(NEIGHBOURS, len(exact)))
    return np.asarray(scores[:, -1])


def recalls(store: VectorStore, queries: "np.ndarray", least: "np.ndarray") -> "np.ndarray":
    """(q,) recall at ``NEIGHBOURS`` of each query: share of the rows found whose cosine reaches its ``least_true``.

    Equal passages have equal cosines; by row number either of them would be counted as missed.
    """
    import numpy as np

    scores, _ = store.search(queries, min(NEIGHBOURS, len(store)))
    return np.asarray((scores >= least[:, None] - _ROUNDING).mean(axis=1))


_ROUNDING = 1e-6
"""What two ways of summing 384 products may differ by."""


def _ladder(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, 16, 24 … up to ``most``: steps of a third to a half."""
    steps = sorted({round(2**i * f) for i in range(most.bit_length()) for f in (1, 1.5)})
    return [*(s for s in steps if s < most), most]
