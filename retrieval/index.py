"""An open index: questions -> hits, by cosine, BM25 and aspect together, read again by a cross-encoder where there is one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medqa.errors import MedqaError
from medqa.records import Hit, Passage
from retrieval import generations
from retrieval.contents import Contents, load_contents
from retrieval.encoder import Encoder
from retrieval.filters import Filters
from retrieval.fusion import Fused, fuse, fuse_ranks, top_rows, with_agreement
from retrieval.passage_file import have_header
from retrieval.ranking import Ranking
from retrieval.variety import near_identical, order_by_mmr

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
    def encoder(self) -> str:
        """Fingerprint of the encoder that made the vectors."""
        return self._encoder.fingerprint

    @property
    def generation(self) -> str:
        """The generation's name, e.g. ``000001``."""
        return self._contents.folder.name

    @property
    def passages(self) -> Sequence[Passage]:
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
        ranking: Ranking | None = None,
        filters: Filters | None = None,
        exclude: Callable[[Passage], bool] | None = None,
    ) -> list[list[Hit]]:
        """The ``k`` best hits of each question, best first; fewer only where the index holds fewer.

        Args:
            questions: embedded in one batch; a question's hits do not depend on the others.
            k: hits per question.
            unit: ``passage`` gives each passage once (of those that say the same, the best), ``pair`` each pair once, by its
                best passage.
            ranking: weights and stages; the defaults where it is None.
            filters: only passages that they admit are found.
            exclude: passages for which it is true are treated as absent; asked once per passage and call.

        Returns:
            One list per question. ``Hit.dense`` is always filled; a rank is None where that arm did not propose the hit.
        """
        if k < 1:
            raise MedqaError(f"wanted at least one hit per question, found k={k}")
        if not questions:
            return []
        contents = self._contents
        search = _Search(contents, unit, ranking or Ranking(), _allowed(contents.passages, filters, exclude))
        vectors = self._encoder.encode_queries(questions)
        proposed = search.dense_rows(vectors, k)
        found = zip(questions, vectors, proposed, strict=True)
        return [search.hits(question, vector, rows, k) for question, vector, rows in found]


def _allowed(
    passages: Sequence[Passage], filters: Filters | None, exclude: Callable[[Passage], bool] | None
) -> "np.ndarray | None":
    """Mask of the rows that may be found; None for all."""
    import numpy as np

    if not filters and exclude is None:
        return None
    admit = filters.admit if filters else lambda _: True
    skip = exclude or (lambda _: False)
    return np.fromiter((admit(p) and not skip(p) for p in passages), bool, len(passages))


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

    def __init__(self, contents: Contents, unit: Unit, ranking: Ranking, allowed: "np.ndarray | None") -> None:
        import numpy as np

        self._contents = contents
        self._unit = unit
        self._ranking = ranking
        self._lexical_weight = ranking.weight(contents.manifest)
        self._aspect_weight = ranking.share_of_aspects()
        self._fuse = fuse_ranks if ranking.fusion == "rrf" else fuse
        self._allowed = allowed
        self._allowed_rows = None if allowed is None else np.flatnonzero(allowed)

    def dense_rows(self, vectors: "np.ndarray", n: int) -> list["np.ndarray"]:
        """Rows of the nearest allowed passages of each question, nearest first: ``n``, at least the ranking's candidates."""
        n = min(max(n, self._ranking.candidates), len(self._contents.passages))
        _, rows = self._contents.dense.search(vectors, n, self._allowed_rows)
        return [r[r >= 0] for r in rows]  # -1 fills up where fewer are allowed

    def hits(self, question: str, vector: "np.ndarray", dense_rows: "np.ndarray", k: int) -> list[Hit]:
        """Fuse both arms' candidates, more of them where repeats use them up before ``k`` hits are found; then the stages
        that only look at the best."""
        if not len(dense_rows):
            return []  # every passage is excluded
        lexical = self._contents.lexical.scores(question)
        if self._allowed is not None:
            lexical = lexical * self._allowed
        n, total = len(dense_rows), len(self._contents.passages)
        wanted = max(k, self._ranking.rerank if self._ranking.reranker else 0, self._pool(k))
        while True:
            lexical_rows = top_rows(lexical, n)
            hits, vectors = self._ranked(vector, dense_rows, lexical_rows, lexical, wanted)
            if len(hits) >= k or len(dense_rows) < n or n >= total:
                break
            n = min(n * _WIDEN, total)
            dense_rows = self.dense_rows(vector[None, :], n)[0]
        if self._ranking.reranker is not None:
            hits, vectors = _reranked(question, hits, vectors, self._ranking)
        if self._ranking.variety > 0:
            return _varied(hits, vectors, self._ranking.variety, k)
        return hits[:k]

    def _pool(self, k: int) -> int:
        """How many hits variety chooses ``k`` from."""
        return k * _WIDEN if self._ranking.variety > 0 else k

    def _ranked(
        self, vector: "np.ndarray", dense_rows: "np.ndarray", lexical_rows: "np.ndarray", lexical: "np.ndarray", k: int
    ) -> tuple[list[Hit], "np.ndarray"]:
        """The ``k`` best distinct candidates and their passages' vectors, (hits, dim)."""
        import numpy as np

        rows = np.union1d(dense_rows, lexical_rows)
        vectors = self._contents.dense.reconstruct(rows)
        # Every candidate's cosine, also those that only BM25 proposed. Six decimals: below that lies rounding, which would
        # order equal passages by the size of the batch.
        cosines = np.round(vectors @ vector, 6).astype(np.float64)
        fused = self._fuse(rows, cosines, lexical[rows].astype(np.float64), self._lexical_weight)
        ordered = vectors[np.searchsorted(rows, fused.rows)]
        if (aspects := self._ranking.aspects) is not None:
            headed = have_header(self._contents.passages, fused.rows.tolist())
            agreement = np.round(aspects.agreement(vector, ordered, headed), 6)  # as the cosines
            fused = with_agreement(fused, agreement, self._aspect_weight)
            ordered = vectors[np.searchsorted(rows, fused.rows)]
        kept = self._distinct(fused.rows.tolist(), ordered, k)
        dense_ranks = {int(row): rank for rank, row in enumerate(dense_rows, start=1)}
        lexical_ranks = {int(row): rank for rank, row in enumerate(lexical_rows, start=1)}
        hits = [
            Hit(
                passage=self._contents.passages[row],
                score=float(fused.scores[i]),
                dense=float(fused.dense[i]),
                dense_rank=dense_ranks.get(row),
                lexical=float(fused.lexical[i]),
                lexical_rank=lexical_ranks.get(row),
                aspect=_judged(fused, i, self._contents.passages[row]),
            )
            for i, row in ((i, int(fused.rows[i])) for i in kept)
        ]
        return hits, ordered[kept]

    def _distinct(self, rows: list[int], vectors: "np.ndarray", k: int) -> list[int]:
        """Places of the ``k`` best candidates that say different things, or are of different pairs."""
        seen: set[str] = set()
        kept: list[int] = []
        for i, row in enumerate(rows):
            passage = self._contents.passages[row]
            key = passage.pair_id if self._unit == "pair" else passage.text
            if key in seen or (self._unit == "passage" and near_identical(vectors, kept, i)):
                continue
            seen.add(key)
            kept.append(i)
            if len(kept) == k:
                break
        return kept


def _judged(fused: Fused, i: int, passage: Passage) -> float | None:
    """The aspect's agreement of candidate ``i``; None where nobody judged it."""
    return float(fused.agreement[i]) if fused.agreement is not None and passage.header else None


def _reranked(
    question: str, hits: list[Hit], vectors: "np.ndarray", ranking: Ranking
) -> tuple[list[Hit], "np.ndarray"]:
    """The first ``ranking.rerank`` in the order of both scores fused, the others behind them. A reranked hit's score is 1 + the
    fused one: above all others, which end at 1."""
    import numpy as np

    reranker = ranking.reranker
    if reranker is None or not hits:
        return hits, vectors
    weight = reranker.weight if ranking.rerank_weight == "auto" else ranking.rerank_weight
    head = hits[: ranking.rerank]
    scores = np.asarray(reranker.scores(question, [hit.passage.embedded_text for hit in head]), dtype=np.float64)
    fused = fuse(np.arange(len(head)), np.array([hit.score for hit in head]), scores, weight)  # equal ones as they were
    ranks = np.argsort(np.argsort(-scores, kind="stable"), kind="stable") + 1
    first = [
        replace(head[i], score=1 + float(score), rerank=float(scores[i]), rerank_rank=int(ranks[i]))
        for i, score in zip(fused.rows.tolist(), fused.scores.tolist(), strict=True)
    ]
    return [*first, *hits[len(head) :]], vectors[[*fused.rows.tolist(), *range(len(head), len(hits))]]


def _varied(hits: list[Hit], vectors: "np.ndarray", variety: float, k: int) -> list[Hit]:
    import numpy as np

    chosen = order_by_mmr(np.array([hit.score for hit in hits]), vectors, variety, k)
    return [hits[i] for i in chosen]
