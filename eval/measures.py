"""Every score that an answer can have: its name, what it says, and which way is better.

Comparisons read the direction here: a fall of ``supported`` is a regression, a fall of ``invented_markers`` is not. Scores
that are only described (length, reading grade, refusals) have none: whether they should rise depends on the use.
"""

from dataclasses import dataclass
from typing import Literal

Family = Literal["language", "text", "meaning", "grounding", "retrieval", "health"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One score of one answer. ``better`` is +1 (higher), -1 (lower) or 0 (neither)."""

    family: Family
    better: Literal[-1, 0, 1]
    label: str
    per: Literal["answer", "set"] = "answer"
    """``set``: computed from sums over all answers (BLEU, perplexity), so single answers have none."""


MEASURES: dict[str, Measure] = {
    "loss": Measure("language", -1, "loss of the reference, nats per token", "set"),
    "perplexity": Measure("language", -1, "perplexity of the reference", "set"),
    "bits_per_byte": Measure("language", -1, "bits per byte of the reference", "set"),
    "rouge1": Measure("text", 1, "ROUGE-1"),
    "rouge2": Measure("text", 1, "ROUGE-2"),
    "rougeL": Measure("text", 1, "ROUGE-L"),
    "rougeLsum": Measure("text", 1, "ROUGE-Lsum"),
    "bleu": Measure("text", 1, "BLEU (sacrebleu)", "set"),
    "bleu_evaluate": Measure("text", 1, "BLEU (evaluate)", "set"),
    "chrf": Measure("text", 1, "chrF", "set"),
    "token_f1": Measure("text", 1, "token F1"),
    "length_ratio": Measure("text", 0, "words per word of the reference"),
    "similarity": Measure("meaning", 1, "embedding similarity"),
    "bertscore": Measure("meaning", 1, "BERTScore F1"),
    "supported": Measure("grounding", 1, "sentences that a passage they cite bears out"),
    "grounded": Measure("grounding", 1, "sentences that any passage shown bears out"),
    "citation_precision": Measure("grounding", 1, "citations that hold"),
    "citation_recall": Measure("grounding", 1, "of what could be cited, how much is"),
    "invented_markers": Measure("grounding", -1, "markers that pointed nowhere"),
    "copied": Measure("grounding", 0, "words in runs copied from the passages"),
    "refused": Measure("grounding", 0, "refusals"),
    "refusal_right": Measure("grounding", 1, "answered where it could, refused where it could not"),
    "hit@1": Measure("retrieval", 1, "right pair first"),
    "hit@5": Measure("retrieval", 1, "right pair among 5"),
    "recall@10": Measure("retrieval", 1, "recall among 10"),
    "mrr@10": Measure("retrieval", 1, "reciprocal rank among 10"),
    "ndcg@10": Measure("retrieval", 1, "nDCG among 10"),
    "numbers": Measure("health", 1, "agreement of numbers"),
    "quantities": Measure("health", 1, "agreement of doses and other quantities with units"),
    "conditions": Measure("health", 1, "agreement of conditions"),
    "drugs": Measure("health", 1, "agreement of drugs"),
    "genes": Measure("health", 1, "agreement of genes"),
    "contradiction": Measure("health", -1, "sentences that negate what the reference says, or the reverse"),
    "grade": Measure("health", 0, "reading grade (Flesch-Kincaid)"),
    "care": Measure("health", 1, "says when to seek care where the reference does"),
    "warned": Measure("health", 0, "safety warnings"),
    "blocked": Measure("health", 0, "answers withheld by the safety gate"),
}
"""Name -> measure, in the order of tables."""

PER_ANSWER: tuple[str, ...] = tuple(name for name, m in MEASURES.items() if m.per == "answer")
