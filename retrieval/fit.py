"""How much should BM25 count? Measured on the corpus' own validation questions when an index is built."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest.text import same_key
from medqa.files import sha256_bytes
from medqa.records import Passage, QAPair
from retrieval.encoder import Encoder
from retrieval.fusion import fuse, top_rows
from retrieval.lexical import LexicalIndex
from retrieval.metrics import ndcg
from retrieval.ranking import LEXICAL_WEIGHT

if TYPE_CHECKING:
    import numpy as np

QUESTIONS = 400
"""Sample size: the difference of two weights, whose rankings are alike, is then known to about +-.005 nDCG."""
FEWEST = 100
"""Below this many questions the default is more trustworthy than a fit."""
WEIGHTS = tuple(n / 20 for n in range(21))
DEPTH = 10
_CHUNK = 32
"""Questions at once: 32 rows of cosines over a million passages take 128 MB."""

_DEFINITION = (
    f"nDCG@{DEPTH} of validation questions over this index, pair level; relevant: the pair and all pairs with the same "
    "question or answer. lexical_weight: the lowest of the weights tried that is not worse than the best one by more than "
    "one standard error of their paired difference; low, because people's own words meet the corpus' words less often than "
    "its questions do."
)


def fit_lexical_weight(
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    vectors: "np.ndarray",
    lexical: LexicalIndex,
    encoder: Encoder,
    question_in_header: bool,
    seed: int,
    candidates: int = 100,
) -> dict[str, Any]:
    """The weight of BM25 that suits this index, with the curve behind it; the default, with the reason, where none can be had.

    Args:
        pairs: those in the index; the ones of the validation split are asked.
        passages: the index's, in row order.
        vectors: (n_passages, dim) float32, L2-normalised.
        lexical: BM25 over the same rows.
        encoder: made ``vectors``.
        question_in_header: whether a passage's embedded text holds its pair's question; every question would then find itself.
        seed: decides which questions are asked.
        candidates: passages that each arm proposes.
    """
    indexed = {p.pair_id for p in passages}
    asked = [p for p in pairs if p.split == "validation" and p.id in indexed]
    asked = sorted(asked, key=lambda p: sha256_bytes(f"{seed}:{p.id}".encode()))[:QUESTIONS]
    reason = ""
    if question_in_header:
        reason = "the header holds the question, so every question would find itself"
    elif len(asked) < FEWEST:
        reason = f"{len(asked)} validation questions in the index; at least {FEWEST} are needed"
    if reason:
        return {"lexical_weight": LEXICAL_WEIGHT, "reason": reason, "n": 0, "definition": _DEFINITION}
    gains = _gains(asked, pairs, passages, vectors, lexical, encoder, candidates)
    return {
        "lexical_weight": choose_weight(gains),
        "reason": "",
        "n": len(asked),
        "ndcg": {f"{w:.2f}": round(float(mean), 4) for w, mean in zip(WEIGHTS, gains.mean(axis=0), strict=True)},
        "definition": _DEFINITION,
    }


def choose_weight(gains: "np.ndarray") -> float:
    """The lowest weight within one standard error of the best (Breiman et al. 1984).

    Args:
        gains: (n_questions, n_weights), columns as ``WEIGHTS``.
    """
    import numpy as np

    best = int(np.argmax(gains.mean(axis=0)))
    behind = gains[:, [best]] - gains  # (n_questions, n_weights)
    error = behind.std(axis=0) / np.sqrt(len(gains))
    return WEIGHTS[int(np.argmax(behind.mean(axis=0) <= error))]


def _gains(
    asked: Sequence[QAPair],
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    vectors: "np.ndarray",
    lexical: LexicalIndex,
    encoder: Encoder,
    candidates: int,
) -> "np.ndarray":
    """(n_asked, n_weights): nDCG of each question at each weight."""
    import numpy as np

    relevant = _relevant(asked, pairs)
    owners = [p.pair_id for p in passages]
    gains = np.empty((len(asked), len(WEIGHTS)))
    for i, cosines in enumerate(_cosines(asked, vectors, encoder)):
        words = lexical.scores(asked[i].question)
        nearest = np.argpartition(-cosines, min(candidates, len(cosines)) - 1)[:candidates]
        rows = np.union1d(nearest, top_rows(words, candidates))
        ideal = [1.0] * len(relevant[i])
        for j, weight in enumerate(WEIGHTS):
            ranked = fuse(rows, cosines[rows].astype(np.float64), words[rows].astype(np.float64), weight).rows
            found = dict.fromkeys(owners[row] for row in ranked.tolist())  # each pair once, at its best passage
            grades = [float(owner in relevant[i]) for owner in list(found)[:DEPTH]]
            gains[i, j] = ndcg(grades, ideal, DEPTH)
    return gains


def _cosines(asked: Sequence[QAPair], vectors: "np.ndarray", encoder: Encoder) -> Iterator["np.ndarray"]:
    """For each question its cosine with every passage, (n_passages,)."""
    for start in range(0, len(asked), _CHUNK):
        chunk = encoder.encode_queries([p.question for p in asked[start : start + _CHUNK]])
        yield from chunk @ vectors.T


def _relevant(asked: Sequence[QAPair], pairs: Sequence[QAPair]) -> list[set[str]]:
    by_question, by_answer = defaultdict(set), defaultdict(set)
    for pair in pairs:
        by_question[same_key(pair.question)].add(pair.id)
        by_answer[same_key(pair.answer)].add(pair.id)
    return [by_question[same_key(p.question)] | by_answer[same_key(p.answer)] for p in asked]
