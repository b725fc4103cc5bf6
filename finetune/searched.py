"""The lists that a search would show: candidates fused, judged by aspects and topics, every answer once by its best passage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune.retriever_eval import Pool, Ranked
from medqa.records import Passage
from retrieval.aspects import Aspects
from retrieval.fusion import Fused, with_aspects
from retrieval.ranking import Ranking
from retrieval.topics import Topics

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Judged:
    """One question's candidates with what aspects and topics say of them; arrays (n,) and aligned."""

    found: Ranked
    agreement: "np.ndarray"
    """Of passage and question; in [0, 1]."""
    topic: "np.ndarray"
    """The best score of the passage's topic."""

    def ranked(self, weight: float, topic_weight: float) -> Ranked:
        """Ordered by these shares of ``agreement`` and ``topic``."""
        fused = Fused(self.found.rows, self.found.scores, self.found.scores, self.found.scores)
        told = with_aspects(fused, self.agreement, self.topic, None, weight, topic_weight)
        return Ranked(told.rows, told.scores)


def judge(
    pool: Pool,
    asked: "np.ndarray",
    vectors: "np.ndarray",
    passages: Sequence[Passage],
    aspects: Aspects,
    lexical_weight: float,
) -> Iterator[tuple[Judged, Judged]]:
    """For each question: its candidates alone, and with all passages of the best topics, as where topics count.

    Args:
        pool: questions and passages.
        asked: (questions, dim).
        vectors: (passages, dim).
        passages: those of the pool: their titles are topics, those without a header are not judged.
        aspects: the classifiers.
        lexical_weight: share of BM25.
    """
    import numpy as np

    cosines = asked @ vectors.T
    topics = Topics.of([p.title for p in passages])
    headed = np.array([bool(p.header) for p in passages], dtype=bool)
    for i, alone in enumerate(pool.rank(cosines, lexical_weight)):
        more = topics.siblings(alone.rows, alone.scores, Ranking().topics)
        widened = pool.fused_with(i, alone, more, cosines[i], lexical_weight)
        first, second = (
            Judged(
                found,
                aspects.agreement(asked[i], vectors[found.rows], headed[found.rows]),
                topics.best(found.rows, found.scores),
            )
            for found in (alone, widened)
        )
        yield first, second


def distinct(pool: Pool, ranked: Ranked) -> Ranked:
    """``ranked`` with each answer's best passage alone: what a search reranks."""
    import numpy as np

    _, first = np.unique(pool.owner[ranked.rows], return_index=True)
    kept = np.sort(first)
    return Ranked(ranked.rows[kept], ranked.scores[kept])
