"""The health measures that need nothing but the two texts, as an ``evaluate`` metric."""

import datasets
import evaluate

from eval.health.agreement import f1
from eval.health.care import care_agreement
from eval.health.negation import contradicted_share
from eval.health.quantities import numbers
from eval.health.quantities import quantities
from eval.health.readability import grade


class Health(evaluate.Metric):
    """Means of ``numbers``, ``quantities``, ``contradiction``, ``care`` and ``grade`` (see ``eval.health``) over the pairs that
    have them, and ``..._n``, how many do; a mean is None where none has."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="",
            inputs_description="predictions, references: lists of texts",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | int | None]:
        pairs = list(zip(predictions, references, strict=True))
        values = {
            "numbers": [f1(numbers(p), numbers(r)) for p, r in pairs],
            "quantities": [f1(quantities(p), quantities(r)) for p, r in pairs],
            "contradiction": [contradicted_share(p, r) for p, r in pairs],
            "care": [care_agreement(p, r) for p, r in pairs],
            "grade": [grade(p) for p, _ in pairs],
        }
        found: dict[str, float | int | None] = {}
        for name, scores in values.items():
            present = [s for s in scores if s is not None]
            found[name] = sum(present) / len(present) if present else None
            found[f"{name}_n"] = len(present)
        return found
