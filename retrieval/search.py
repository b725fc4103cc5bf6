"""One search: an open generation, one way of ranking, what may be found; questions' candidates in, hits out."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from medqa.records import Hit, Passage
from retrieval.aspects import Aspects
from retrieval.contents import Contents
from retrieval.fusion import Fused, fuse, fuse_ranks, top_rows, with_aspects
from retrieval.passage_file import have_header
from retrieval.ranking import Ranking
from retrieval.topics import Topics
from retrieval.variety import near_identical, order_by_mmr

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["pair", "passage"]
_WIDEN = 4
"""How many times more candidates are taken where repeats left fewer hits than asked for."""


class Search:
    """One call of ``Index.search``: one generation, one way of ranking."""

    def __init__(
        self,
        contents: Contents,
        unit: Unit,
        ranking: Ranking,
        allowed: "np.ndarray | None",
        topics: Topics | None,
    ) -> None:
        import numpy as np

        self._contents = contents
        self._unit = unit
        self._ranking = ranking
        self._lexical_weight = ranking.weight(contents.manifest)
        self._shares = ranking.shares()
        self._fuse = fuse_ranks if ranking.fusion == "rrf" else fuse
        self._topics = topics
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

        fused, ordered = self._fused(vector, np.union1d(dense_rows, lexical_rows), lexical)
        if self._ranking.aspects is not None and self._topics is not None:
            fused, ordered = self._told(vector, fused, ordered, lexical, self._ranking.aspects, self._topics)
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
                nearest=None if fused.nearest is None else float(fused.nearest[i]),
                aspect=_judged(fused, i, self._contents.passages[row]),
            )
            for i, row in ((i, int(fused.rows[i])) for i in kept)
        ]
        return hits, ordered[kept]

    def _fused(
        self, vector: "np.ndarray", rows: "np.ndarray", lexical: "np.ndarray", proposed: "np.ndarray | None" = None
    ) -> tuple[Fused, "np.ndarray"]:
        """``rows`` (ascending) by cosine and BM25, and their vectors in that order; ``proposed`` as in ``fuse``."""
        import numpy as np

        vectors = self._contents.dense.reconstruct(rows)
        # Every candidate's cosine, also those that only BM25 proposed. Six decimals: below that lies rounding, which would
        # order equal passages by the size of the batch.
        cosines = np.round(vectors @ vector, 6).astype(np.float64)
        fused = self._fuse(rows, cosines, lexical[rows].astype(np.float64), self._lexical_weight, proposed)
        return fused, vectors[np.searchsorted(rows, fused.rows)]

    def _told(
        self,
        vector: "np.ndarray",
        fused: Fused,
        vectors: "np.ndarray",
        lexical: "np.ndarray",
        aspects: Aspects,
        topics: Topics,
    ) -> tuple[Fused, "np.ndarray"]:
        """The candidates and all of their best topics, by what they tell and by what their topic is worth, too."""
        import numpy as np

        weight, topic_weight = self._shares
        if not have_header(self._contents.passages, fused.rows).any():
            return fused, vectors  # nothing can be judged: the topic alone would fill the list with its passages
        if topic_weight:
            more = topics.siblings(fused.rows, fused.scores, self._ranking.topics)
            more = more if self._allowed is None else more[self._allowed[more]]
            if len(more):
                rows = np.union1d(fused.rows, more)
                fused, vectors = self._fused(vector, rows, lexical, np.isin(rows, more, invert=True))
        headed = have_header(self._contents.passages, fused.rows)
        agreement = np.round(aspects.agreement(vector, vectors, headed), 6)  # as the cosines
        best = topics.best(fused.rows, fused.scores)
        nearest = topics.best(fused.rows, fused.dense) if topic_weight else None
        told = with_aspects(fused, agreement, best, nearest, weight, topic_weight)
        places = {int(row): place for place, row in enumerate(fused.rows)}
        return told, vectors[[places[int(row)] for row in told.rows]]

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
    fused one: above all others, which end at 1. For a passage that the reranker does not judge its score so far stands in."""
    import numpy as np

    reranker = ranking.reranker
    if reranker is None or not hits:
        return hits, vectors
    weight = reranker.weight if ranking.rerank_weight == "auto" else ranking.rerank_weight
    head = hits[: ranking.rerank]
    judged = [i for i, hit in enumerate(head) if hit.passage.header or not reranker.headed_only]
    if not judged:
        return hits, vectors
    read = reranker.scores(question, [head[i].passage.embedded_text for i in judged])
    said = dict(zip(judged, read.tolist(), strict=True))
    before = np.array([hit.score for hit in head])
    span = before.max() - before.min()
    low, high = min(said.values()), max(said.values())
    scores = low + (before - before.min()) / (span or 1.0) * (high - low)
    scores[judged] = list(said.values())
    fused = fuse(np.arange(len(head)), before, scores, weight)  # equal ones as they were
    ranks = {i: rank for rank, i in enumerate(sorted(said, key=lambda i: -said[i]), start=1)}
    first = [
        replace(head[i], score=1 + float(score), rerank=said.get(i), rerank_rank=ranks.get(i))
        for i, score in zip(fused.rows.tolist(), fused.scores.tolist(), strict=True)
    ]
    return [*first, *hits[len(head) :]], vectors[[*fused.rows.tolist(), *range(len(head), len(hits))]]


def _varied(hits: list[Hit], vectors: "np.ndarray", variety: float, k: int) -> list[Hit]:
    import numpy as np

    chosen = order_by_mmr(np.array([hit.score for hit in hits]), vectors, variety, k)
    return [hits[i] for i in chosen]
