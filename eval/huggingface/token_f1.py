"""Token F1 and length ratio as an ``evaluate`` metric."""

import datasets
import evaluate

from eval.text_metrics import length_ratio
from eval.text_metrics import token_f1


class TokenF1(evaluate.Metric):
    """Mean token F1 (SQuAD) in [0, 1], and words per word of the references that have any (None where none has)."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016",
            inputs_description="predictions, references: lists of texts",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        pairs = list(zip(predictions, references, strict=True))
        ratios = [ratio for p, r in pairs if (ratio := length_ratio(p, r)) is not None]
        return {
            "token_f1": sum(token_f1(p, r) for p, r in pairs) / len(pairs),
            "length_ratio": sum(ratios) / len(ratios) if ratios else None,
        }
