"""BERTScore (Zhang et al., ICLR 2020): every token looks for its nearest counterpart in the other text.

With token vectors x of the answer and y of the reference, one layer of a model, L2-normalised::

    P = mean over x of max over y of x·y      R = mean over y of max over x of x·y      F = 2 P R / (P + R)

As in the authors' package, special tokens can be a counterpart but are not averaged over. Without idf weights and without their
rescaling by a baseline, which is a constant per model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.text_metrics import strip_markers
from medqa.errors import MedqaError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BertScorer:
    """A model that gives token vectors, and the layer whose vectors are compared."""

    model: Any
    tokenizer: Any
    layer: int
    """Index into the hidden states; -1 is the last. The authors' table has the best one per model (roberta-large: 17)."""

    def score(self, answers: Sequence[str], references: Sequence[str], batch_size: int = 16) -> list[float]:
        """F of each answer, in [-1, 1]; 0 for an empty answer or reference. Texts beyond the model's length are cut."""
        plain = [strip_markers(a) for a in answers]
        texts = sorted({t for t in [*plain, *references] if t.strip()}, key=lambda t: (len(t), t))
        vectors = self._vectors(texts, batch_size)
        return [
            _f(*vectors[a], *vectors[r]) if a in vectors and r in vectors else 0.0
            for a, r in zip(plain, references, strict=True)
        ]

    def _vectors(self, texts: Sequence[str], batch_size: int) -> "dict[str, tuple[torch.Tensor, torch.Tensor]]":
        """Text -> (tokens, dim) normalised vectors, and (tokens,) whether each is a word's, not a special token's."""
        import torch
        from tqdm import tqdm

        found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        most = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        for start in tqdm(range(0, len(texts), batch_size), desc="BERTScore", unit="batch", disable=None, leave=False):
            batch = list(texts[start : start + batch_size])
            encoded = self.tokenizer(
                batch, padding=True, truncation=True, max_length=most, return_tensors="pt",
                return_special_tokens_mask=True,
            )  # fmt: skip
            special = encoded.pop("special_tokens_mask").bool()
            with torch.inference_mode():
                out = self.model(**encoded.to(self.model.device), output_hidden_states=True)
            states = torch.nn.functional.normalize(out.hidden_states[self.layer].float(), dim=-1).cpu()
            for n, text in enumerate(batch):
                there = encoded["attention_mask"][n].bool().cpu()
                found[text] = states[n][there], ~special[n][there]
        return found


def load_bert_scorer(folder: Path, layer: int = -1) -> BertScorer:
    """The model in ``folder`` (transformers) on the CPU, or on the GPU where there is one.

    Raises:
        MedqaError: no model there that loads.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MedqaError(
            f"wanted a transformers model for BERTScore in {folder}, found none that loads ({reason}); give another folder"
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return BertScorer(model.to(device).eval(), tokenizer, layer)


def _f(x: "torch.Tensor", x_words: "torch.Tensor", y: "torch.Tensor", y_words: "torch.Tensor") -> float:
    if not x_words.any() or not y_words.any():
        return 0.0
    similar = x @ y.T  # (tokens of the answer, tokens of the reference)
    precision = float(similar.max(dim=1).values[x_words].mean())
    recall = float(similar.max(dim=0).values[y_words].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
