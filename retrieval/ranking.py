"""How a search ranks: the plain arguments behind the settings ``retrieval.*``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from medqa.errors import MedqaError
from retrieval.aspects import Aspects
from retrieval.rerank import Reranker

Fusion = Literal["scores", "rrf"]
Weight = float | Literal["auto"]

LEXICAL_WEIGHT = 0.1
"""Weight of BM25 where an index has none of its own. MedQuAD's validation questions would bear up to .3 (nDCG@10 .838 at .1,
.842 at .2 and .3, .820 without BM25); consumers' questions lose from .15 on (.969 at .1, .960 at .3). Reciprocal ranks peak
at the same weight (.834; .792 with both arms alike, as published)."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One way of ranking."""

    candidates: int = 100
    """Passages that each arm proposes."""
    lexical_weight: Weight = "auto"
    """Share of BM25 in the fused score, 0 to 1; ``auto``: the index's own."""
    fusion: Fusion = "scores"
    """``scores``: min-max normalised scores; ``rrf``: reciprocal ranks."""
    aspects: Aspects | None = None
    """Judges whether a passage tells what is asked about its topic."""
    aspect_weight: Weight = "auto"
    """Share of that judgement in the score, 0 to 1; ``auto``: what suits ``aspects``, or none with reciprocal ranks."""
    topic_weight: Weight = "auto"
    """Share of the best fused score of a passage's topic; ``auto``: what suits ``aspects``. Without aspects there is none:
    within a topic nothing else could tell its passages apart."""
    topics: int = 5
    """Of so many of the best topics all passages are candidates."""
    variety: float = 0.0
    """Weight of unlikeness to the hits before, 0 to 1; 0 leaves the order alone."""
    reranker: Reranker | None = None
    rerank: int = 20
    """How many of the best are read again by ``reranker``."""
    rerank_weight: Weight = "auto"
    """Share of the reranker's score against the fused one, 0 to 1; ``auto``: the reranker's own."""

    def shares(self) -> tuple[float, float]:
        """(of the aspects, of the topic) in the score; 0 without aspects.

        Raises:
            MedqaError: together above 1.
        """
        if self.aspects is None:
            return 0.0, 0.0
        # What suits the aspects was fitted for scores; reciprocal ranks lie far closer together.
        fitted = (0.0, 0.0) if self.fusion == "rrf" else (self.aspects.weight, self.aspects.topic_weight)
        aspect = fitted[0] if self.aspect_weight == "auto" else self.aspect_weight
        topic = fitted[1] if self.topic_weight == "auto" else self.topic_weight
        if aspect + topic > 1 + 1e-9:  # rounding
            raise MedqaError(
                f"wanted retrieval.aspect_weight and topic_weight of at most 1 together, found {aspect} and {topic}; "
                "lower one of them"
            )
        return aspect, topic

    def weight(self, manifest: Mapping[str, Any]) -> float:
        """BM25's share for the index of ``manifest``."""
        if self.lexical_weight != "auto":
            return self.lexical_weight
        if self.fusion == "rrf":  # an index' own weight was fitted for scores
            return LEXICAL_WEIGHT
        return float(manifest.get("fusion", {}).get("lexical_weight", LEXICAL_WEIGHT))
