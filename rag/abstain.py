"""No evidence, no answer: the gate in front of the language model."""

from collections.abc import Sequence

from medqa.records import Hit


def evidence(hits: Sequence[Hit]) -> float | None:
    """Cosine of the question and the closest passage of the topics shown; None without hits.

    Of a topic the passage that answers is shown, which need not be the one that is closest to the question; whether there is
    anything on the topic was calibrated on the closest.
    """
    scores = [h.dense if h.nearest is None else h.nearest for h in hits]
    return max((s for s in scores if s is not None), default=None)


def why_abstain(hits: Sequence[Hit], threshold: float | None) -> str:
    """The reason not to call the model, or an empty string. ``threshold`` None never abstains on a score."""
    best = evidence(hits)
    if best is None:
        return "no passage was found"
    if threshold is not None and best < threshold:
        return f"the closest passage is too far from the question (similarity {best:.2f}, needed {threshold:.2f})"
    return ""


def is_refusal(text: str, refusal: str) -> bool:
    """True if the model declined: the refusal sentence opens its answer (case and final stop do not matter)."""
    fold = " ".join(text.casefold().split()).rstrip(".")
    return fold.startswith(" ".join(refusal.casefold().split()).rstrip("."))
