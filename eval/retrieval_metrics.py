"""Rankings against the truth, in the vocabulary of TREC: qrels (which documents answer which query) and runs (what was found).

The discounts and gains are those of :mod:`retrieval.metrics`; here are whole queries, and the conventions of trec_eval, so that
the figures equal those of other programs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from medqa.errors import MedqaError
from retrieval.metrics import ndcg, reciprocal_rank

Qrels = Mapping[str, Mapping[str, float]]
"""Query id -> document id -> grade; above 0 is relevant."""
Run = Mapping[str, Mapping[str, float]]
"""Query id -> document id -> score; higher is better."""

NOTHING_TO_FIND = "the index holds nothing that answers it"


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Documents by falling score; equal ones by falling id, as trec_eval orders them."""
    return sorted(sorted(scores, reverse=True), key=lambda d: -scores[d])


def query_scores(
    ranking: Sequence[str],
    grades: Mapping[str, float],
    cuts: Sequence[int] = (1, 5, 10),
    gain: Literal["exponential", "linear"] = "exponential",
) -> dict[str, float | None]:
    """``hit@k``, ``recall@k``, ``mrr@k`` and ``ndcg@k`` of one query, for each k of ``cuts``.

    - hit: 1 if a relevant document stands among the first k, else 0;
    - recall: relevant documents among the first k / all relevant ones (at most k of them can stand there, so it may not
      reach 1);
    - mrr: 1 / rank of the first relevant document, 0 beyond k;
    - ndcg: as in :mod:`retrieval.metrics`; with ``gain="linear"`` a grade is its own gain, as in trec_eval. For grades of 0
      and 1 they are the same.

    All are None where no document is relevant: there is nothing to find, and 0 would blame the ranking for it. An empty ranking
    is 0 throughout.
    """
    names = [f"{name}@{k}" for k in cuts for name in ("hit", "recall", "mrr", "ndcg")]
    relevant = {d for d, grade in grades.items() if grade > 0}
    if not relevant:
        return dict.fromkeys(names)
    values = [_gain(grades.get(d, 0), gain) for d in ranking]
    ideal = [_gain(grade, gain) for grade in grades.values()]
    found: dict[str, float | None] = {}
    for k in cuts:
        hits = sum(d in relevant for d in ranking[:k])
        found[f"hit@{k}"] = float(hits > 0)
        found[f"recall@{k}"] = hits / len(relevant)
        found[f"mrr@{k}"] = reciprocal_rank(values, k)
        found[f"ndcg@{k}"] = ndcg(values, ideal, k)
    return found


def run_scores(
    run: Run,
    qrels: Qrels,
    cuts: Sequence[int] = (1, 5, 10),
    gain: Literal["exponential", "linear"] = "exponential",
) -> dict[str, dict[str, float | None]]:
    """``query_scores`` of every query of ``qrels``, in its order.

    Raises:
        MedqaError: ``run`` and ``qrels`` hold different queries. A query that found nothing belongs into the run with an empty
            ranking; leaving it out would raise the mean.
    """
    if run.keys() != qrels.keys():
        unranked, unjudged = sorted(qrels.keys() - run.keys()), sorted(run.keys() - qrels.keys())
        raise MedqaError(
            f"wanted the same queries in run and qrels, found {len(unranked)} without a ranking {unranked[:3]} and "
            f"{len(unjudged)} without grades {unjudged[:3]}; give files of the same query set"
        )
    return {q: query_scores(ranked(run[q]), grades, cuts, gain) for q, grades in qrels.items()}


def _gain(grade: float, gain: Literal["exponential", "linear"]) -> float:
    """The grade whose exponential gain is wanted: 2 ** log2(1 + g) - 1 = g. Grades below 0 (TREC's "not judged") count as 0."""
    return math.log2(1 + max(0.0, grade)) if gain == "linear" else max(0.0, grade)
