"""``medqa finetune reranker``: settings become plain arguments here, and nowhere below."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.reranker_model import TrainableReranker
from finetune.reranker_train import ListwisePlan, train_reranker_model
from finetune.retriever import PassageMaker, base_folder, choose_scale, gate_hash, mix_of, say, split_pairs
from finetune.retriever_data import TrainData
from finetune.retriever_eval import GradedSet, Pool, Ranked, ValidationSet
from finetune.retriever_result import card, publish
from finetune.searched import distinct, judge
from ingest.corpus import read_corpus
from medqa.base_model import base_fingerprint, portable_name
from medqa.errors import GateFailed
from medqa.hardware import pick_device
from medqa.manifest import is_current, read_manifest, recipe_key
from medqa.paths import locate
from medqa.records import Passage
from medqa.settings import RerankerSettings, Settings
from retrieval.adapters import encoder_hash
from retrieval.aspects import Aspects, aspects_hash, load_aspects
from retrieval.encoder import load_encoder
from retrieval.fusion import fuse

KIND = "reranker"
MAKE = "medqa finetune reranker --config configs/reranker-medquad.yaml"

Row = dict[str, float]


def train_reranker(settings: Settings, limit: int | None = None) -> dict[str, Any]:
    """Fine-tune a cross-encoder on the retriever's lists for the corpus' train questions, and publish it.

    An unchanged result is reused. A run takes minutes on a GPU and is not resumed: interrupted, it starts again.

    Args:
        settings: all of them.
        limit: train pairs used; None for all.

    Raises:
        MedqaError: no corpus, no base, no retriever, nothing to train or validate on.
        GateFailed: at no weight does reranking keep the gate's questions at least level; nothing is published.
    """
    rs = settings.reranker
    out, folder = Path(rs.out), base_folder(rs.base)
    corpus = read_corpus(locate(settings.corpus))
    encoder = load_encoder(rs.retriever, rs.embed_batch)
    inputs = {
        "base": base_fingerprint(folder),
        "corpus": corpus.fingerprint,
        "retriever": encoder_hash(rs.retriever, encoder.fingerprint),
    }
    recipe = rs.model_dump(mode="json", exclude={"out", "device", "chunk", "embed_batch"})
    recipe |= {"seed": settings.seed, "limit": limit}
    aspects = load_aspects(rs.aspects, inputs["retriever"])
    if aspects is not None and rs.aspects is not None:
        inputs["aspects"] = aspects_hash(rs.aspects)
    if rs.gate is not None:
        inputs["gate"] = gate_hash(rs.gate)
        recipe["gate"] = Path(rs.gate).name  # never a machine's own path
    if is_current(out, KIND, recipe_key(KIND, inputs, recipe)):
        return {"reranker": str(out), "reused": True, **_summary(read_manifest(out, KIND, MAKE))}

    device = pick_device(rs.device)

    def embed(texts: Sequence[str]) -> Any:
        import torch

        return torch.as_tensor(encoder.encode_passages(texts, progress=True)).to(device)

    train, validation = split_pairs(corpus.pairs, limit, settings.seed)
    model = TrainableReranker(folder, rs.r, device, rs.max_length, settings.seed, rs.layers)
    maker = PassageMaker(model.tokenizer)
    passages = maker([*train, *validation], ("topic",))
    train_ids = {p.id for p in train}
    data = TrainData.of(train, [p for p in passages if p.pair_id in train_ids])
    questions = ValidationSet.of([*train, *validation], passages, rs.eval_questions, settings.seed)
    graded = GradedSet.read(locate(rs.gate), maker) if rs.gate else None
    say(f"{len(train)} train pairs, {len(data.passages)} passages, on {device} in {model.dtype}")

    history = train_reranker_model(model, data, embed, _plan(rs, settings.seed), say)
    asked = [Shown("", questions, _lists(questions.pool, embed, rs.lexical_weight, aspects, passages), rs.candidates)]
    if graded is not None:  # its passages have no header
        depth = 0 if rs.headed_only else rs.candidates
        asked.append(Shown("gate ", graded, _lists(graded.pool, embed, rs.lexical_weight), depth))
    table = _measure(model, asked, rs.weights)
    weight, failures = choose_scale(table, [n for n in table[0.0] if n.startswith("gate ")])
    if weight is None:
        raise GateFailed(
            f"wanted no loss on {rs.gate} against no reranking, found {failures}; nothing was written to {out}; "
            "lower reranker.learning_rate or add smaller reranker.weights"
        )
    facts = {
        "base": {"name": portable_name(rs.base), "fingerprint": inputs["base"]},
        "weight": weight,
        "rerank": rs.candidates,
        "headed_only": rs.headed_only,
        "without": table[0.0],
        "with": table[weight],
        "weights": {str(w): row for w, row in table.items()},
    }
    names = {w: "no reranking" if w == 0 else f"**{w} (chosen)**" if w == weight else str(w) for w in table}
    text = card(
        out.name,
        _WHAT.format(r=rs.r, n=rs.candidates) + (_HEADED if rs.headed_only else ""),
        _LOAD.format(layers=model.layers),
        {_CAPTION: {names[w]: row for w, row in table.items()}},
        inputs,
        recipe,
    )
    manifest = publish(out, KIND, model.save, text, history, inputs, recipe, facts)
    return {"reranker": str(out), "reused": False, **_summary(manifest)}


@dataclass(frozen=True)
class Shown:
    """Questions and the lists that a search would show."""

    prefix: str
    """Of the names of its figures."""
    asked: ValidationSet | GradedSet
    lists: Sequence[Ranked]
    """Of each question, every answer once."""
    depth: int
    """How many of a list are reranked."""


def rerank(shown: Shown, model: TrainableReranker) -> list[list[float]]:
    """The model's scores of the first ``shown.depth`` of each list."""
    pool = shown.asked.pool
    heads = [r.rows[: shown.depth].tolist() for r in shown.lists]
    asked = [q for q, rows in zip(pool.questions, heads, strict=True) for _ in rows]
    if not asked:
        return [[] for _ in heads]
    scores = model.score(asked, [pool.texts[row] for rows in heads for row in rows]).tolist()
    found: list[list[float]] = []
    for rows in heads:
        found.append(scores[: len(rows)])
        scores = scores[len(rows) :]
    return found


def reordered(ranked: Ranked, scores: Sequence[float], weight: float) -> list[int]:
    """Rows, the first ``len(scores)`` in the order of both scores fused by ``weight`` (1: the reranker's alone)."""
    import numpy as np

    n = len(scores)
    if not n:
        return list(ranked.rows.tolist())
    head = fuse(ranked.rows[:n], ranked.scores[:n], np.asarray(scores, dtype=np.float64), weight)
    return [*head.rows.tolist(), *ranked.rows[n:].tolist()]


def _lists(
    pool: Pool,
    embed: Callable[[Sequence[str]], Any],
    lexical_weight: float,
    aspects: Aspects | None = None,
    passages: Sequence[Passage] = (),
) -> list[Ranked]:
    """Each question's list as a search shows it; ``passages`` are those of the pool, which aspects judge."""
    asked, vectors = (embed(texts).cpu().numpy() for texts in (pool.questions, pool.texts))
    if aspects is None:
        found = pool.rank(asked @ vectors.T, lexical_weight)
    else:
        judged = judge(pool, asked, vectors, passages, aspects, lexical_weight)
        found = [
            (widened if aspects.topic_weight else alone).ranked(aspects.weight, aspects.topic_weight)
            for alone, widened in judged
        ]
    return [distinct(pool, ranked) for ranked in found]


def _measure(model: TrainableReranker, sets: Sequence[Shown], weights: Sequence[float]) -> dict[float, Row]:
    """Figures by weight of the reranker, 0 for none."""
    table: dict[float, Row] = {weight: {} for weight in (0.0, *weights)}
    for shown in sets:
        scores = rerank(shown, model)
        for weight, row in table.items():
            orders = [reordered(r, s, weight) for r, s in zip(shown.lists, scores, strict=True)]
            row |= {shown.prefix + name: value for name, value in shown.asked.figures(orders).items()}
    for weight, row in table.items():
        say(f"weight {weight}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))
    return table


def _plan(rs: RerankerSettings, seed: int) -> ListwisePlan:
    return ListwisePlan(
        epochs=rs.epochs,
        batch=rs.batch,
        chunk=rs.chunk,
        negatives=rs.negatives,
        learning_rate=rs.learning_rate,
        mix=mix_of(rs.synonym, rs.people, rs.symptoms, rs.typos),
        headed_only=rs.headed_only,
        seed=seed,
    )


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in ("weight", "without", "with")}


_CAPTION = (
    "By weight of the reranker's score against the fused one (both min-max over the candidates; 1.0: the reranker alone). "
    "Validation questions (no topic shared with training) against the passages of train and validation, header: topic; plain: "
    "as the corpus asks; synonym: topic replaced by a synonym that the index does not hold; people: someone's own words, in "
    "frames never trained on. Lists as a search shows them, with aspects where there are any, each answer by its best passage. "
    "Gate: graded answers to consumer questions, grades from 0, judged candidates as the pool."
)
_WHAT = (
    "A small cross-encoder: LoRA matrices (r = {r}) and a head on all-MiniLM-L6-v2 that read question and passage together. It "
    "orders the first {n} passages that the retriever finds."
)
_HEADED = (
    " It reads passages under a header (topic, synonyms, question) alone: it was trained on no others, and a search leaves "
    "them where they were."
)
_LOAD = """
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

name = "sentence-transformers/all-MiniLM-L6-v2"
base = AutoModelForSequenceClassification.from_pretrained(name, num_labels=1, num_hidden_layers={layers})
reranker = PeftModel.from_pretrained(base, "path/to/this/folder").eval()  # the head comes with it
tokens = AutoTokenizer.from_pretrained(name)("What causes asthma?", "Asthma: ...", return_tensors="pt")
score = reranker(**tokens).logits  # higher is better, comparable between passages of one question
"""
