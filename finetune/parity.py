"""Are two models the same one? Loss and greedy tokens on the same rows, and the gate that decides."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finetune.row_scores import RowScore, mean_loss
from medqa.errors import GateFailed


@dataclass(frozen=True, slots=True)
class Parity:
    """A merged model beside the one it was made from; losses in nats per supervised token."""

    rows: int
    tokens: int
    """Supervised tokens compared."""
    loss_reference: float
    """Base plus adapter."""
    loss_merged: float
    loss_difference: float
    """Of the two above, without sign."""
    worst_row_difference: float
    """The largest difference of any one row's mean loss: for people, no gate; short rows make it jump."""
    greedy_agreement: float
    """Share of supervised positions at which both models choose the same token."""

    def as_dict(self) -> dict[str, Any]:
        """For manifests and ``--json``."""
        return asdict(self)


def measure_parity(reference: Sequence[RowScore], merged: Sequence[RowScore]) -> Parity:
    """The figures of the same rows under both models, token-weighted."""
    pairs = list(zip(reference, merged, strict=True))
    same = [a == b for left, right in pairs for a, b in zip(left.greedy, right.greedy, strict=True)]
    left_loss, right_loss = mean_loss(reference), mean_loss(merged)
    return Parity(
        rows=len(pairs),
        tokens=len(same),
        loss_reference=round(left_loss, 6),
        loss_merged=round(right_loss, 6),
        loss_difference=round(abs(left_loss - right_loss), 6),
        worst_row_difference=round(max(abs(a.loss - b.loss) / a.tokens for a, b in pairs), 6),
        greedy_agreement=round(sum(same) / len(same), 4),
    )


def gate(parity: Parity, max_loss_difference: float, min_agreement: float, reference: str, remedy: str) -> None:
    """Pass, or say by how much not.

    Raises:
        GateFailed: ``parity`` is beyond either bound; also where a loss is not a number.
    """
    if parity.loss_difference <= max_loss_difference and parity.greedy_agreement >= min_agreement:
        return
    raise GateFailed(
        f"wanted the merged model within {max_loss_difference} nats per token and {min_agreement:.1%} equal greedy tokens of "
        f"{reference}, found {parity.loss_difference} and {parity.greedy_agreement:.1%} on {parity.rows} validation rows; "
        f"{remedy}"
    )
