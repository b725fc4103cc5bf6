"""Rows of answers -> figures, per index and variant. Per-question scores are kept: comparisons need them.

The row is defined in ``eval.rows``. Besides it, scoring reads these keys where they are there; where they are missing or None
the scores that need them are None with the reason:

- ``evidence``: cosine of question and closest passage (``rag.abstain.evidence`` of all hits), for risk and coverage;
- ``lm``: ``{"nats", "tokens", "bytes", "truncated"}`` of the reference given this row's prompt (``eval.lm``);
- ``error``: text, where answering failed: the row counts as an empty answer.

Whether refusing is right follows from ``relevant``: an index that holds the reference answer can answer the question.

What this module gives, and how it is used::

    tools = Tools(terms=term_list(corpus.pairs), encoder=encoder, bert=None, support=0.6)
    figures = score_rows(rows, resamples, seed, tools)   # the rows of one cell
    rows[0]["scores"]["rougeL"], rows[0]["score_reasons"].get("drugs")
    figures["metrics"]["rougeL"]  # {"mean", "low", "high", "n", "null", "reason"}; all names of eval.measures.MEASURES
    figures["empty_ids"], figures["risk_coverage"]

    # eval.effects: paired intervals over the rows of several systems on the same index
    effects(rows_by_name, contrasts, resamples, seed, groups=("question_type", "topic_frequency", "source", "length"))
    # -> list of Effect(contrast, metric, factor, level, n, left_out, mean, low, high, p, p_holm, better, reason)
    # contrasts: {"tuned - plain": {"tuned": 1, "plain": -1}, "interaction": INTERACTION, ...}; default_contrasts(names)
    # for `eval compare`: effects({"A": rows_a, "B": rows_b}, {"B - A": {"B": 1, "A": -1}}, ...)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.bootstrap import bootstrap_mean
from eval.grounding import mean_or_none, supported_share
from eval.text_metrics import ROUGE_TYPES, corpus_bleu, rouge_scores

SCORES = (*ROUGE_TYPES, "supported")


def score_rows(rows: Sequence[dict[str, Any]], resamples: int, seed: int) -> dict[str, Any]:
    """Figures of one variant on one index.

    Adds ``scores`` to every row. ``supported`` averages over the answers that can be judged; where none can, it is null with
    the reason beside it.
    """
    answers = [row["answer"] for row in rows]
    refs = [row["reference"] for row in rows]
    for row, rouge in zip(rows, rouge_scores(answers, refs), strict=True):
        row["scores"] = {**rouge, "supported": supported_share(row)}
    bleu = corpus_bleu(answers, refs)
    supported = mean_or_none([row["scores"]["supported"] for row in rows])
    figures: dict[str, Any] = {
        "questions": len(rows),
        **{name: _interval([row["scores"][name] for row in rows], resamples, seed) for name in ROUGE_TYPES},
        "bleu": bleu["bleu"],
        "bleu_signature": bleu["signature"],
        "supported": supported,
        "judged": sum(row["scores"]["supported"] is not None for row in rows),
        "refusals": sum(bool(row["abstained"]) for row in rows) / len(rows),
        "invented_markers": sum(row["invented_markers"] for row in rows),
        "empty": sum(not row["answer"].strip() for row in rows),
        "seconds_per_answer": sum(sum(row["timings_ms"].values()) for row in rows) / len(rows) / 1000,
    }
    if supported is None:
        figures["supported_reason"] = "this variant has no sources" if _closed(rows) else "it refused every question"
    return figures


def _interval(values: Sequence[float], resamples: int, seed: int) -> dict[str, float]:
    interval = bootstrap_mean(values, resamples, seed)
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _closed(rows: Sequence[Mapping[str, Any]]) -> bool:
    return all(row["variant"] in ("plain", "tuned") for row in rows)
