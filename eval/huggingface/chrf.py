"""chrF as an ``evaluate`` metric, without its download."""

import datasets
import evaluate

from eval.text_metrics import corpus_chrf


class Chrf(evaluate.Metric):
    """chrF2 in [0, 1] over all texts, with sacrebleu's signature (Popović, 2015). Markers such as ``[1]`` are left out."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Popović, chrF: character n-gram F-score for automatic MT evaluation, WMT 2015",
            inputs_description="predictions, references: lists of texts",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | str]:
        return corpus_chrf(predictions, references)
