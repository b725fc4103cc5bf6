"""ROUGE-1, -2, -L and -Lsum as ``evaluate`` names them."""

import datasets
import evaluate

from eval.rouge import ROUGE_TYPES
from eval.rouge import rouge_scores


class Rouge(evaluate.Metric):
    """Mean F-measures in [0, 1] (Lin, 2004; rouge-score with the Porter stemmer). Markers such as ``[1]`` are left out."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004",
            inputs_description="predictions, references: lists of texts",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        scores = rouge_scores(predictions, references)
        return {name: sum(s[name] for s in scores) / len(scores) for name in ROUGE_TYPES}
