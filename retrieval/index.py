"""An open index: questions -> hits, by cosine and BM25 together."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medqa.errors import MedqaError
from medqa.records import Hit, Passage
from retrieval import generations
from retrieval.contents import Contents, load_contents
from retrieval.encoder import Encoder
from retrieval.fusion import Fused, fuse, top_rows

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["pair", "passage"]
_WIDEN = 4
"""How many times more candidates are taken where repeats left fewer hits than asked for."""


class Index:
    """One generation, loaded; it stays as it was opened until ``reload_if_changed``."""

    def __init__(self, path: Path, encoder: Encoder, contents: Contents) -> None:
        self._path = path
        self._encoder = encoder
        self._contents = contents

    @classmethod
    def open(cls, path: Path, encoder: Encoder) -> "Index":
        """The current generation of the index at ``path``.

        Raises:
            MedqaError: no index, an unfinished or damaged one, or one that another encoder made.
        """
        return cls(path, encoder, _load(path, encoder))

    @property
    def manifest(self) -> dict[str, Any]:
        """The generation's manifest."""
        return self._contents.manifest

    @property
    def generation(self) -> str:
        """The generation's name, e.g. ``000001``."""
        return self._contents.folder.name

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages, by pair id and place in the answer."""
        return self._contents.passages

    def reload_if_changed(self) -> bool:
        """Take up the generation that is current now; True if it is another one. On an error the old one stays open.

        Raises:
            MedqaError: as ``open``.
        """
        if generations.find_current(self._path) == self._contents.folder:
            return False
        self._contents = _load(self._path, self._encoder)  # one assignment: a search at work keeps what it began with
        return True

    def search(
        self,
        questions: Sequence[str],
        k: int,
        unit: Unit = "passage",
        *,
        candidates: int = 100,
        lexical_weight: float = 0.3,
        exclude: Callable[[Passage], bool] | None = None,
    ) -> list[list[Hit]]:
        """The ``k`` best hits of each question, best first; fewer only where the index holds fewer.

        Args:
            questions: embedded in one batch; a question's hits do not depend on the others.
            k: hits per question.
            unit: ``passage`` gives each passage text once, ``pair`` each pair once, by its best passage.
            candidates: passages that each arm proposes.
            lexical_weight: share of BM25 in the fused score, 0 to 1.
            exclude: passages for which it is true are treated as absent; asked once per passage and call.

        Returns:
            One list per question. ``Hit.dense`` is always filled; a rank is None where that arm did not propose the hit.
        """
        if k < 1:
            raise MedqaError(f"wanted at least one hit per question, found k={k}")
        if not questions:
            return []
        search = _Search(self._contents, unit, lexical_weight, exclude)
        vectors = self._encoder.encode_queries(questions)
        proposed = search.dense_rows(vectors, max(candidates, k))
        found = zip(questions, vectors, proposed, strict=True)
        return [search.hits(question, vector, rows, k) for question, vector, rows in found]


def _load(path: Path, encoder: Encoder) -> Contents:
    while True:
        folder = generations.current(path)
        try:
            contents = load_contents(folder)
            break
        except MedqaError:
            if generations.find_current(path) == folder:  # else a writer replaced and pruned it while we were reading
                raise
    if contents.manifest["inputs"]["encoder"] != encoder.fingerprint:
        raise MedqaError(
            f"wanted an index at {path} made by the encoder given, found another encoder's vectors; set retrieval.encoder to "
            f"the one that made it, or make it again with: medqa index build --index {path}"
        )
    return contents


class _Search:
    """One call of ``Index.search``: one generation, one way of ranking."""

    def __init__(
        self, contents: Contents, unit: Unit, lexical_weight: float, exclude: Callable[[Passage], bool] | None
    ) -> None:
        import numpy as np

        self._contents = contents
        self._unit = unit
        self._lexical_weight = lexical_weight
        self._allowed = None
        if exclude is not None:
            self._allowed = np.fromiter((not exclude(p) for p in contents.passages), bool, len(contents.passages))

    def dense_rows(self, vectors: "np.ndarray", n: int) -> list["np.ndarray"]:
        """Rows of the ``n`` nearest allowed passages of each question, nearest first."""
        import faiss
        import numpy as np

        n = min(n, len(self._contents.passages))
        if self._allowed is None:
            _, rows = self._contents.dense.search(vectors, n)
        else:
            selector = faiss.IDSelectorBatch(np.flatnonzero(self._allowed))
            _, rows = self._contents.dense.search(vectors, n, params=faiss.SearchParameters(sel=selector))  # type: ignore[call-arg]
        return [r[r >= 0] for r in rows]  # -1 fills up where fewer are allowed

    def hits(self, question: str, vector: "np.ndarray", dense_rows: "np.ndarray", k: int) -> list[Hit]:
        """Fuse both arms' candidates; more of them where repeats use them up before ``k`` hits are found."""
        if not len(dense_rows):
            return []  # every passage is excluded
        lexical = self._contents.lexical.scores(question)
        if self._allowed is not None:
            lexical = lexical * self._allowed
        n, total = len(dense_rows), len(self._contents.passages)
        while True:
            lexical_rows = top_rows(lexical, n)
            hits = self._ranked(vector, dense_rows, lexical_rows, lexical, k)
            if len(hits) == k or len(dense_rows) < n or n >= total:
                return hits
            n = min(n * _WIDEN, total)
            dense_rows = self.dense_rows(vector[None, :], n)[0]

    def _ranked(
        self, vector: "np.ndarray", dense_rows: "np.ndarray", lexical_rows: "np.ndarray", lexical: "np.ndarray", k: int
    ) -> list[Hit]:
        import numpy as np

        rows = np.union1d(dense_rows, lexical_rows)
        if not len(rows):
            return []
        # Every candidate's cosine, also those that only BM25 proposed. Six decimals: below that lies rounding, which would
        # order equal passages by the size of the batch.
        cosines = np.round(self._contents.dense.reconstruct_batch(rows) @ vector, 6).astype(np.float64)
        fused = fuse(rows, cosines, lexical[rows].astype(np.float64), self._lexical_weight)
        dense_ranks = {int(row): rank for rank, row in enumerate(dense_rows, start=1)}
        lexical_ranks = {int(row): rank for rank, row in enumerate(lexical_rows, start=1)}
        return [
            Hit(
                passage=self._contents.passages[row],
                score=float(fused.scores[i]),
                dense=float(fused.dense[i]),
                dense_rank=dense_ranks.get(row),
                lexical=float(fused.lexical[i]),
                lexical_rank=lexical_ranks.get(row),
            )
            for i, row in self._distinct(fused, k)
        ]

    def _distinct(self, fused: Fused, k: int) -> list[tuple[int, int]]:
        """Places and rows of the ``k`` best candidates with different texts, or of different pairs."""
        seen: set[str] = set()
        kept: list[tuple[int, int]] = []
        for i, row in enumerate(fused.rows.tolist()):
            passage = self._contents.passages[row]
            key = passage.pair_id if self._unit == "pair" else passage.text
            if key not in seen:
                seen.add(key)
                kept.append((i, row))
                if len(kept) == k:
                    break
        return kept
