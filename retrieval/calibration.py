"""Below which cosine is there no evidence? Measured on the corpus itself when an index is built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from medqa.files import sha256_bytes
from medqa.records import Passage, QAPair
from retrieval.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np

QUESTIONS = 200
"""Sample size: a rate of 10 % is then known to about +-4 points (95 %)."""
FEWEST = 20
"""Below this many questions a threshold would be chance."""

MOST_REFUSED = 0.1
"""Refuse at most a tenth of the questions whose topic is there. Where topics crowd (MedQuAD has dozens of leukaemias) the two
score distributions overlap so far that the best mean accuracy would refuse four in ten; behind this gate stand the model's own
refusal and the check of every citation, so letting through costs less than turning away."""
METHOD = f"youden, at most {MOST_REFUSED} of present refused"
"""Part of an index' recipe: another method makes another manifest."""

_OWN = "the passages of the question's own topic"
_OWN_LEFT_OUT = (
    _OWN + ", except those of pairs with the same question (the header holds the question, which would find itself)"
)
_DEFINITION = (
    "Cosine of question and passage. present: the best among {own}; absent: the best among the passages of other topics, "
    "as if the index held nothing on the question's. A pair without a topic is its own topic. threshold: the value that "
    "maximises the mean of the share of present scores at or above it and of absent scores below it, lowered where it "
    "would refuse more than a tenth of the present ones. wrong_answers: share of absent scores at or above it; "
    "wrong_refusals: share of present scores below it."
)


def calibrate(
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    vectors: "np.ndarray",
    encoder: Encoder,
    question_in_header: bool,
    seed: int,
) -> dict[str, Any]:
    """The threshold for abstaining, with what to expect of it; all numbers null, with a reason, where it cannot be had.

    Args:
        pairs: the pairs in the index. Those of the validation split are asked, or all where there are too few.
        passages: the index's, in row order.
        vectors: (n_passages, dim) float32, L2-normalised.
        encoder: made ``vectors``.
        question_in_header: whether a passage's embedded text holds its pair's question.
        seed: decides which questions are asked.
    """
    definition = _DEFINITION.format(own=_OWN_LEFT_OUT if question_in_header else _OWN)
    groups = _Groups(pairs, passages, question_in_header)
    asked = _usable([p for p in pairs if p.split == "validation"], groups, seed)
    if len(asked) < FEWEST:
        asked = _usable(pairs, groups, seed)
    if len(asked) < FEWEST:
        reason = f"{len(asked)} questions have passages of their own and of other topics; at least {FEWEST} are needed"
        return {"threshold": None, "reason": reason, "n": len(asked), "definition": definition}
    cosines = encoder.encode_queries([pair.question for pair, _, _ in asked]) @ vectors.T  # (n_asked, n_passages)
    present = [float(row[own].max()) for row, (_, own, _) in zip(cosines, asked, strict=True)]
    absent = [float(row[other].max()) for row, (_, _, other) in zip(cosines, asked, strict=True)]
    threshold = min(youden_threshold(present, absent), highest_refusing(present, MOST_REFUSED))
    return {
        "threshold": threshold,
        "reason": "",
        "n": len(asked),
        "wrong_answers": sum(s >= threshold for s in absent) / len(absent),
        "wrong_refusals": sum(s < threshold for s in present) / len(present),
        "present": _quantiles(present),
        "absent": _quantiles(absent),
        "definition": definition,
    }


def youden_threshold(present: Sequence[float], absent: Sequence[float]) -> float:
    """The midpoint between neighbouring scores that maximises balanced accuracy, answering at or above it.

    Equal to maximising Youden's J = sensitivity + specificity - 1 (Youden 1950). Of equal midpoints the lowest: it refuses
    least. Where all scores are one value, that value.
    """
    import numpy as np

    scores = np.unique(np.concatenate([present, absent]))
    cuts = (scores[:-1] + scores[1:]) / 2 if len(scores) > 1 else scores
    kept = 1 - np.searchsorted(np.sort(present), cuts, side="left") / len(present)
    refused = np.searchsorted(np.sort(absent), cuts, side="left") / len(absent)
    return float(cuts[int(np.argmax(kept + refused))])


def highest_refusing(present: Sequence[float], most: float) -> float:
    """The highest threshold that leaves at most the share ``most`` of ``present`` below it."""
    return sorted(present)[int(most * len(present))]


def _usable(pairs: Sequence[QAPair], groups: "_Groups", seed: int) -> list[tuple[QAPair, "np.ndarray", "np.ndarray"]]:
    """Up to ``QUESTIONS`` pairs, drawn by seed and id alone, that have passages of their own topic and of others."""
    drawn = sorted(pairs, key=lambda p: sha256_bytes(f"{seed}:{p.id}".encode()))
    found = []
    for pair in drawn:
        own, other = groups.rows(pair)
        if own.any() and other.any():
            found.append((pair, own, other))
        if len(found) == QUESTIONS:
            break
    return found


class _Groups:
    """Which rows belong to a question's own topic, and which to others."""

    def __init__(self, pairs: Sequence[QAPair], passages: Sequence[Passage], question_in_header: bool) -> None:
        import numpy as np

        questions = {p.id: _fold(p.question) for p in pairs}
        self._question_in_header = question_in_header
        self._codes: dict[str, int] = {}  # comparing numbers is some fifty times as fast as comparing strings
        self._topics = np.array([self._code(_topic(p.title, p.pair_id)) for p in passages])
        self._questions = np.array([self._code(questions.get(p.pair_id, "")) for p in passages])

    def _code(self, text: str) -> int:
        return self._codes.setdefault(text, len(self._codes))

    def rows(self, pair: QAPair) -> tuple["np.ndarray", "np.ndarray"]:
        """Masks over the rows, ``(own, other)``. Passages with the same question never count as another topic's."""
        same_topic = self._topics == self._code(_topic(pair.topic, pair.id))
        same_question = self._questions == self._code(_fold(pair.question))
        own = same_topic & ~same_question if self._question_in_header else same_topic
        return own, ~same_topic & ~same_question


def _topic(topic: str, pair_id: str) -> str:
    return _fold(topic) or f"\0{pair_id}"  # no folded topic begins with a zero byte


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _quantiles(scores: Sequence[float]) -> dict[str, float]:
    import numpy as np

    levels = (5, 25, 50, 75, 95)
    return {f"p{q}": float(v) for q, v in zip(levels, np.percentile(scores, levels), strict=True)}
