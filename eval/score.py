"""Rows of answers -> figures, per index and variant. Per-question scores are kept: comparisons need them.

The row is defined in ``eval.rows``. Besides it, scoring reads these keys where they are there; where they are missing or None
the scores that need them are None with the reason:

- ``evidence``: cosine of question and closest passage (``rag.abstain.evidence`` of all hits), for risk and coverage;
- ``lm``: ``{"nats", "tokens", "bytes", "truncated"}`` of the reference given this row's prompt (``eval.lm``);
- ``error``: text, where answering failed: the row counts as an empty answer.

Whether refusing is right follows from ``relevant``: an index that holds the reference answer can answer the question.

What this module gives, and how it is used::

    tools = tools_for(corpus.pairs, encoder, bert_folder=None, support=0.6)  # once for all cells
    figures = score_rows(rows, resamples, seed, tools)  # the rows of one cell
    rows[0]["scores"]["rougeL"], rows[0]["score_reasons"].get("drugs")
    figures["metrics"]["rougeL"]  # {"mean", "low", "high", "n", "null", "reason"}; all names of eval.measures.MEASURES
    figures["empty_ids"], figures["risk_coverage"]

    # eval.effects: paired intervals over the rows of several systems on the same index
    effects(rows_by_name, contrasts, resamples, seed, groups=FACTORS)
    # -> list of Effect(contrast, metric, factor, level, n, left_out, mean, low, high, p, p_holm, better, reason)
    # contrasts: {"tuned - plain": {"tuned": 1, "plain": -1}, "interaction": INTERACTION, ...}; default_contrasts(names)
    # for `eval compare`: effects({"A": rows_a, "B": rows_b}, {"B - A": {"B": 1, "A": -1}}, ...)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.bertscore import BertScorer, load_bert_scorer
from eval.bootstrap import Interval, bootstrap_columns, bootstrap_sums
from eval.grounding import REFUSED, grounding_scores, refusal_scores
from eval.health.agreement import NEITHER, f1
from eval.health.care import SILENT, care_agreement
from eval.health.negation import contradicted_share
from eval.health.quantities import numbers, quantities
from eval.health.readability import grade
from eval.health.safety import rules_fired, safety_scores
from eval.health.terms import TermList, find_conditions, find_drugs, find_genes, term_list
from eval.measures import MEASURES, PER_ANSWER
from eval.retrieval_metrics import NOTHING_TO_FIND, query_scores
from eval.risk_coverage import risk_coverage
from eval.rouge import rouge_scores
from eval.set_measures import set_measures
from eval.similarity import similarities
from eval.text_metrics import corpus_bleu, corpus_chrf, length_ratio, token_f1
from medqa.records import QAPair
from retrieval.encoder import Encoder
from retrieval.reuse import ReusingEncoder

_RETRIEVAL = [name for name in PER_ANSWER if MEASURES[name].family == "retrieval"]
_FINDERS: Mapping[str, Callable[[str, TermList], Iterable[object]]] = {
    "conditions": find_conditions,
    "drugs": find_drugs,
    "genes": find_genes,
}


@dataclass(frozen=True)
class Tools:
    """What scoring needs beside the rows; scores whose tool is missing are None with that reason."""

    terms: TermList | None = None
    encoder: Encoder | None = None
    bert: BertScorer | None = None
    support: float = 0.6
    """Share of a sentence's content words that must stand in a passage; give the pipeline's own (``rag.support``)."""


NO_TOOLS = Tools()


def tools_for(pairs: Sequence[QAPair], encoder: Encoder | None, bert_folder: Path | None, support: float) -> Tools:
    """Tools for all cells of a run: the term list of the corpus, and an encoder that embeds every text once."""
    return Tools(
        terms=term_list(pairs),
        encoder=ReusingEncoder(encoder) if encoder else None,
        bert=load_bert_scorer(bert_folder) if bert_folder else None,
        support=support,
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one answer: every name of ``PER_ANSWER``."""

    scores: dict[str, float | None]
    reasons: dict[str, str]
    """Of the scores that are None, why."""


def score_predictions(rows: Sequence[Mapping[str, Any]], tools: Tools = NO_TOOLS) -> list[Scored]:
    """Scores of every row, in order. A pure function: the same rows and tools give the same numbers."""
    answers = [text_of(row) for row in rows]
    references = [row["reference"] for row in rows]
    rouge = rouge_scores(answers, references)
    similar = similarities(answers, references, tools.encoder) if tools.encoder else None
    bert = tools.bert.score(answers, references) if tools.bert else None
    scored = []
    for n, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        parts: list[tuple[Mapping[str, float | None], Mapping[str, str]]] = [
            (rouge[n], {}),
            ({"token_f1": token_f1(answer, row["reference"])}, {}),
            _one("length_ratio", length_ratio(answer, row["reference"]), "the reference is empty"),
            _one("similarity", None if similar is None else similar[n], "no encoder was given"),
            _one("bertscore", None if bert is None else bert[n], "no model folder for BERTScore was given"),
            grounding_scores({**row, "answer": answer}, tools.support),
            refusal_scores({**row, "answer": answer}),
            _retrieval_scores(row),
            _health_scores(row, answer, tools.terms),
        ]
        scores = {name: value for found, _ in parts for name, value in found.items()}
        reasons = {name: why for _, found in parts for name, why in found.items()}
        scored.append(Scored({name: scores[name] for name in PER_ANSWER}, reasons))
    return scored


def score_rows(rows: Sequence[dict[str, Any]], resamples: int, seed: int, tools: Tools = NO_TOOLS) -> dict[str, Any]:
    """Scores the rows of one cell, adding ``scores`` and ``score_reasons`` to each, and returns the cell's figures.

    - ``questions``: their number; ``empty_ids``: those whose answer is empty or failed, which count as such in every mean;
    - ``cut_references``: references whose end did not fit behind the prompt; their loss is that of the part that did;
    - ``metrics``: name -> ``mean`` with its interval ``low``, ``high`` over the ``n`` answers that have the score; ``null``
      counts the others, ``reason`` says why they have none (empty where all have it);
    - ``signatures``: how BLEU and chrF were computed;
    - ``safety_rules``: rule -> questions on which it fired;
    - ``risk_coverage``: the curve over the answers given, by falling evidence, with 1 - token F1 as the loss; null with
      ``risk_coverage_reason`` where it cannot be drawn.
    """
    for row, scored in zip(rows, score_predictions(rows, tools), strict=True):
        row["scores"], row["score_reasons"] = scored.scores, scored.reasons
    return {
        "questions": len(rows),
        "empty_ids": [row["id"] for row in rows if not text_of(row).strip()],
        "cut_references": sum(bool((row.get("lm") or {}).get("truncated")) for row in rows),
        "metrics": summarise(rows, resamples, seed),
        "signatures": _signatures(rows),
        "safety_rules": rules_fired(rows),
        **_risk_coverage(rows),
    }


def summarise(rows: Sequence[Mapping[str, Any]], resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Name -> figure, for all of ``eval.measures``, of rows that are scored."""
    import numpy as np

    table = np.array([[row["scores"][name] for name in PER_ANSWER] for row in rows], dtype=np.float64)
    found: dict[str, dict[str, Any]] = {}
    for name, interval in zip(PER_ANSWER, bootstrap_columns(table, resamples, seed), strict=True):
        reasons = Counter(row["score_reasons"][name] for row in rows if row["scores"][name] is None)
        found[name] = _figure(interval, len(rows) - reasons.total(), reasons)
    sets, missing = set_measures(rows)
    for name, measure in sets.items():
        found[name] = _figure(bootstrap_sums(measure.statistics, measure.value, resamples, seed), len(rows), Counter())
    for name, reason in missing.items():
        found[name] = _figure(None, 0, Counter({reason: len(rows)}))
    return {name: found[name] for name in MEASURES}


def text_of(row: Mapping[str, Any]) -> str:
    """What is scored: the answer, or nothing where answering failed."""
    return "" if row.get("error") else str(row["answer"])


def _health_scores(
    row: Mapping[str, Any], answer: str, terms: TermList | None
) -> tuple[dict[str, float | None], dict[str, str]]:
    """What the question itself names counts on neither side: repeating it shows nothing."""
    reference, question = row["reference"], row["question"]
    parts: list[tuple[Mapping[str, float | None], Mapping[str, str]]] = [
        _one("numbers", f1(numbers(answer), numbers(reference)), NEITHER),
        _one("quantities", f1(quantities(answer), quantities(reference)), NEITHER),
        _one("contradiction", contradicted_share(answer, reference), "no sentence has a counterpart in the reference"),
        _one("care", care_agreement(answer, reference), SILENT),
        _one("grade", None if row["abstained"] else grade(answer), REFUSED if row["abstained"] else "it has no words"),
        (safety_scores(row), {}),
    ]
    for name, find in _FINDERS.items():
        if terms is None:
            parts.append(_one(name, None, "no term list was given"))
            continue
        ours, theirs, asked = (set[object](find(text, terms)) for text in (answer, reference, question))
        parts.append(_one(name, f1(ours - asked, theirs - asked), NEITHER))
    return {k: v for found, _ in parts for k, v in found.items()}, {
        k: v for _, found in parts for k, v in found.items()
    }


def _retrieval_scores(row: Mapping[str, Any]) -> tuple[dict[str, float | None], dict[str, str]]:
    if row.get("retrieved") is None or row.get("relevant") is None:
        return dict.fromkeys(_RETRIEVAL), dict.fromkeys(_RETRIEVAL, "no ranking was kept")
    found = query_scores(row["retrieved"], dict.fromkeys(row["relevant"], 1.0))
    reasons = {} if row["relevant"] else dict.fromkeys(_RETRIEVAL, NOTHING_TO_FIND)
    return {name: found[name] for name in _RETRIEVAL}, reasons


def _one(name: str, value: float | None, reason: str) -> tuple[dict[str, float | None], dict[str, str]]:
    return {name: value}, {name: reason} if value is None else {}


def _figure(interval: Interval | None, n: int, reasons: Counter[str]) -> dict[str, Any]:
    """One line of ``metrics``."""
    why = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
    figure: dict[str, Any] = {"mean": None, "low": None, "high": None}
    if interval is not None:
        figure = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {**figure, "n": n, "null": reasons.total(), "reason": why}


def _signatures(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    answers, references = [text_of(row) for row in rows[:1]], [row["reference"] for row in rows[:1]]
    return {
        "bleu": corpus_bleu(answers, references)["signature"],
        "chrf": corpus_chrf(answers, references)["signature"],
    }


def _risk_coverage(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    given = [row for row in rows if not row["abstained"]]
    if not given or any(row.get("evidence") is None for row in given):
        reason = "it refused every question" if not given else "there is no evidence score for every answer"
        return {"risk_coverage": None, "risk_coverage_reason": reason}
    losses = [1 - row["scores"]["token_f1"] for row in given]
    return {"risk_coverage": asdict(risk_coverage([row["evidence"] for row in given], losses, len(rows)))}
