"""How honest an answer is with its sources, counted from the verified citations of its row.

All shares are None, with a reason, for refusals (they claim nothing) and for systems without sources (nothing can be cited
there). An empty or failed answer of a system with sources has a share of 0: it was asked and gave nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.rows import shown_passages
from eval.text_metrics import strip_markers
from medqa.records import Passage
from rag.citations import read_markers
from rag.support import check_support
from retrieval.sentences import split_sentences

RUN = 8
"""Words in a row that count as copied: long enough that two writers hardly share them by chance."""

CLOSED = "this system has no sources"
REFUSED = "it refused"


@dataclass(frozen=True, slots=True)
class Grounding:
    """Counts over one answer; the measures are ratios of them."""

    sentences: int
    supported: int
    """Sentences that a passage they cite bears out."""
    grounded: int
    """Sentences that some passage shown bears out, cited or not."""
    citations: int
    holding: int
    """Citations whose passage bears their sentence out."""
    invented: int
    """Markers that pointed to no passage."""


def why_not_judged(row: Mapping[str, Any]) -> str:
    """Why the grounding of ``row`` cannot be judged; empty where it can."""
    if row["variant"] in ("plain", "tuned"):
        return CLOSED
    return REFUSED if row["abstained"] else ""


def judge(row: Mapping[str, Any], minimum: float) -> Grounding:
    """Counts of an answer with sources; ``minimum`` as in :func:`rag.support.check_support`."""
    sentences = [cited.sentence for cited in read_markers(row["answer"])]
    unsupported = set(row["unsupported"])
    shown = [as_passage(p) for p in shown_passages(row)]
    grounded = sum(
        s not in unsupported or any(check_support(s, passage, minimum).supported for passage in shown)
        for s in sentences
    )
    holding = sum(bool(c["supported"]) for c in row["citations"])
    supported = max(0, len(sentences) - len(row["unsupported"]))
    return Grounding(len(sentences), supported, grounded, len(row["citations"]), holding, row["invented_markers"])


def grounding_scores(row: Mapping[str, Any], minimum: float) -> tuple[dict[str, float | None], dict[str, str]]:
    """Scores and, for those that are None, reasons.

    - ``supported`` = supported / sentences: the citation recall of ALCE (Gao et al., EMNLP 2023, arXiv:2305.14627), with
      :func:`rag.support.check_support` in the place of its entailment model;
    - ``grounded`` = grounded / sentences: faithfulness to what was shown, whatever is cited;
    - ``citation_precision`` = holding / (citations + invented markers): 0 where an answer cites nothing, as in ALCE;
    - ``citation_recall`` = supported / grounded: of what could have been cited rightly, how much was; None where nothing could;
    - ``copied``: share of the answer's words in runs of at least ``RUN`` words that stand in a passage shown (an answer
      shorter than that counts as one run);
    - ``invented_markers``: their number.
    """
    names = ("supported", "grounded", "citation_precision", "citation_recall", "copied", "invented_markers")
    reason = why_not_judged(row)
    if reason:
        return dict.fromkeys(names), dict.fromkeys(names, reason)
    g = judge(row, minimum)
    if not g.sentences:
        return {**dict.fromkeys(names, 0.0), "invented_markers": float(g.invented)}, {}
    scores: dict[str, float | None] = {
        "supported": g.supported / g.sentences,
        "grounded": g.grounded / g.sentences,
        "citation_precision": g.holding / (g.citations + g.invented) if g.citations + g.invented else 0.0,
        "citation_recall": g.supported / g.grounded if g.grounded else None,
        "copied": copied_share(row["answer"], [p["text"] for p in shown_passages(row)]),
        "invented_markers": float(g.invented),
    }
    return scores, {} if g.grounded else {"citation_recall": "no passage shown bears any sentence out"}


def refusal_scores(row: Mapping[str, Any]) -> tuple[dict[str, float | None], dict[str, str]]:
    """``refused`` (0 or 1) and ``refusal_right``: 1 where it refused what the index cannot answer or answered what it can.

    An index can answer a question when it holds the reference answer (``relevant`` is not empty). A system without an index
    has nothing to refuse by: None. An empty or failed answer is neither a refusal nor right.
    """
    refused = bool(row["abstained"])
    scores: dict[str, float | None] = {"refused": float(refused), "refusal_right": None}
    if row.get("relevant") is None:
        return scores, {"refusal_right": CLOSED}
    answered = not refused and bool(row["answer"].strip())
    scores["refusal_right"] = float(answered if row["relevant"] else refused)
    return scores, {}


def copied_share(answer: str, passages: Sequence[str], run: int = RUN) -> float:
    """Share of the words of ``answer`` that lie in a run of at least ``run`` words standing in one of ``passages``.

    Words are compared without case and punctuation, markers left out; 0 for an answer without words.
    """
    words = _words(strip_markers(answer))
    if not words:
        return 0.0
    size = min(run, len(words))
    there = {tuple(w[i : i + size]) for w in map(_words, passages) for i in range(len(w) - size + 1)}
    copied = [False] * len(words)
    for i in range(len(words) - size + 1):
        if tuple(words[i : i + size]) in there:
            copied[i : i + size] = [True] * size
    return sum(copied) / len(words)


def as_passage(shown: Mapping[str, Any]) -> Passage:
    """A passage of a row as the record that :mod:`rag.support` reads."""
    text = shown["text"]
    title = shown.get("title", "")
    return Passage(shown["passage_id"], shown["pair_id"], text, tuple(split_sentences(text)), title=title)


def _words(text: str) -> list[str]:
    return [w for w in ("".join(c for c in token if c.isalnum()) for token in text.lower().split()) if w]
