"""The frozen records that cross stage boundaries. Ids travel end to end, so that any sentence of an answer can be traced
back to the row of the corpus it came from."""

from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Variant = Literal["plain", "tuned", "plain+rag", "tuned+rag", "extractive"]
VARIANTS: tuple[Variant, ...] = ("plain", "tuned", "plain+rag", "tuned+rag", "extractive")

Span = tuple[int, int]
"""Half-open character range ``[start, end)`` in the text named beside it."""


@dataclass(frozen=True, slots=True)
class QAPair:
    """One cleaned question/answer pair."""

    id: str
    question: str
    answer: str
    source: str = ""
    url: str = ""
    topic: str = ""
    question_type: str = ""
    synonyms: tuple[str, ...] = ()
    split: Split = "train"
    cluster: str = ""
    """Id of the near-duplicate-and-topic group; a whole group lies in one split."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of whole sentences of one answer: the unit that is embedded, retrieved and cited."""

    id: str
    pair_id: str
    text: str
    sentences: tuple[Span, ...]
    """Character spans of the sentences in ``text``."""
    header: str = ""
    """What is embedded in front of ``text`` (question, topic, synonyms); not part of what is quoted."""
    title: str = ""
    """What is shown in front of ``text`` in the prompt and to people: the topic."""
    source: str = ""
    url: str = ""
    question_type: str = ""

    @property
    def embedded_text(self) -> str:
        """The text that the encoder and BM25 see."""
        return f"{self.header}\n{self.text}" if self.header else self.text


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage and how it came about. Scores are higher-is-better; a rank is None where that arm missed it."""

    passage: Passage
    score: float
    """The score that orders the list, before variety where that is on."""
    dense: float | None = None
    """Cosine of question and embedded text, in [-1, 1]."""
    dense_rank: int | None = None
    nearest: float | None = None
    """Cosine of the closest candidate of the same topic: the topic's evidence. None where topics play no part."""
    lexical: float | None = None
    """BM25 score, >= 0, not comparable between questions."""
    lexical_rank: int | None = None
    aspect: float | None = None
    """How likely the passage tells what is asked about its topic, in [0, 1]; None where nothing judged it."""
    rerank: float | None = None
    """The cross-encoder's score, not comparable between questions; None where it did not read the passage."""
    rerank_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """One marker in an answer, the passage it points to and whether that passage bears the sentence out."""

    marker: int
    passage: Passage
    sentence: str
    """The sentence of the answer that carries the marker, without it."""
    span: Span | None
    """Where in ``passage.text`` the best supporting sentence stands; None where nothing overlaps."""
    supported: bool
    why: str
    """The reason of the verdict, for people."""


@dataclass(frozen=True, slots=True)
class Safety:
    """Verdict of the safety gate on a question and its answer."""

    action: Literal["allow", "warn", "block"] = "allow"
    rules: tuple[str, ...] = ()
    """Names of the rules that fired."""
    message: str = ""
    """What the person is told, beside (warn) or instead of (block) an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What every surface shows: ask, predict, chat, eval."""

    question: str
    text: str
    variant: Variant
    citations: tuple[Citation, ...] = ()
    uncited: tuple[Hit, ...] = ()
    """Hits that were in the prompt but that no marker points to."""
    abstained: bool = False
    reason: str = ""
    """Why the system abstained; empty when it did not."""
    safety: Safety = field(default_factory=Safety)
    invented_markers: int = 0
    """Markers that pointed outside the context; they are removed from ``text``."""
    unsupported: tuple[str, ...] = ()
    """Sentences of ``text`` that no cited passage bears out."""
    evidence: float | None = None
    """Cosine of the question and the closest passage found; None where nothing was looked for or found."""
    timings_ms: dict[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    """What the language model read, in its tokens; 0 where it was not called."""
    new_tokens: int = 0
    """What it wrote."""
    truncated: bool = False
    """The token limit was reached before the model ended its answer."""
