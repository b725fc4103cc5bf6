"""BLEU as the metric ``bleu`` of ``evaluate`` computes it, without its download."""

from typing import Any

import datasets
import evaluate

from eval.bleu import bleu_of
from eval.bleu import bleu_parts
from eval.bleu import bleu_statistics


class Bleu(evaluate.Metric):
    """BLEU-4 in [0, 1] over all texts, tokens of mteval-13a, no smoothing (Papineni et al., 2002); one reference per text.

    The result has the keys of ``evaluate.load("bleu")``. Texts are taken as they are. Where ``evaluate`` divides by zero (no
    prediction has a token) the score is 0.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002",
            inputs_description="predictions, references: lists of texts",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, Any]:
        sums = bleu_statistics(predictions, references).sum(axis=0)
        return {"bleu": float(bleu_of(sums, "none")), **bleu_parts(sums)}
