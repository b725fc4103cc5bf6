"""``medqa finetune retriever``: settings become plain arguments here, and nowhere below."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.augment import Mix
from finetune.retriever_data import TrainData
from finetune.retriever_eval import GradedSet, Pool, ValidationSet, cosines, loses
from finetune.retriever_model import TrainableEncoder, parallel_tokenising
from finetune.retriever_result import card, publish
from finetune.retriever_train import ContrastivePlan, train_encoder
from finetune.sets import draw_pairs
from ingest.corpus import read_corpus
from medqa.base_model import base_fingerprint, portable_name
from medqa.errors import GateFailed, MedqaError
from medqa.files import sha256_file
from medqa.hardware import pick_device
from medqa.manifest import is_current, read_manifest, recipe_key
from medqa.paths import locate
from medqa.records import Passage, QAPair
from medqa.settings import RetrieverSettings, Settings
from retrieval.encoder import EMBEDDED, embedded_folder, token_counter
from retrieval.passages import make_passages

KIND = "retriever"
MAKE = "medqa finetune retriever --config configs/retriever-medquad.yaml"
LENGTH = 256
"""Longest input of training in tokens: all-MiniLM-L6-v2's, and what its passages are cut for."""
TEXT_TOKENS = 128
"""Longest passage text, as ``passages.max_tokens`` has it by default."""

Row = dict[str, float]


def train_retriever(settings: Settings, limit: int | None = None) -> dict[str, Any]:
    """Fine-tune the encoder on the corpus' train split, choose how much of the change to keep, and publish it.

    An unchanged result is reused. A run takes minutes on a GPU and is not resumed: interrupted, it starts again.

    Args:
        settings: all of them.
        limit: train pairs used; None for all.

    Raises:
        MedqaError: no corpus, no base encoder, nothing to train or validate on.
        GateFailed: at no scale does the tuned encoder keep the gate's questions at least level; nothing is published.
    """
    rs = settings.retriever
    out, folder = Path(rs.out), base_folder(rs.base)
    corpus = read_corpus(locate(settings.corpus))
    inputs = {"base": base_fingerprint(folder), "corpus": corpus.fingerprint}
    recipe = rs.model_dump(mode="json", exclude={"out", "device", "chunk", "recompute"})
    recipe |= {"seed": settings.seed, "limit": limit}
    if rs.gate is not None:
        inputs["gate"] = gate_hash(rs.gate)
        recipe["gate"] = Path(rs.gate).name  # never a machine's own path
    if is_current(out, KIND, recipe_key(KIND, inputs, recipe)):
        return {"retriever": str(out), "reused": True, **_summary(read_manifest(out, KIND, MAKE))}

    train, validation = split_pairs(corpus.pairs, limit, settings.seed)
    encoder = TrainableEncoder(folder, rs.method, rs.r, pick_device(rs.device), LENGTH, settings.seed)
    maker = PassageMaker(encoder.tokenizer)
    passages = maker([*train, *validation], ("topic",))
    train_ids = {p.id for p in train}
    data = TrainData.of(train, [p for p in passages if p.pair_id in train_ids])
    questions = ValidationSet.of([*train, *validation], passages, rs.eval_questions, settings.seed)
    graded = GradedSet.read(locate(rs.gate), maker) if rs.gate else None
    say(f"{len(train)} train pairs, {len(data.passages)} passages, on {encoder.device} in {encoder.dtype}")

    history = train_encoder(encoder, data, _plan(rs, settings.seed), say)
    table = {
        scale: _measure(encoder, scale, questions, graded, rs.lexical_weight)
        for scale in (0.0, *rs.scales)
    }  # fmt: skip
    scale, failures = choose_scale(table, [n for n in table[0.0] if n.startswith("gate ")])
    if scale is None:
        raise GateFailed(
            f"wanted no loss on {rs.gate} against the stock encoder, found {failures}; nothing was written to {out}; "
            "lower retriever.learning_rate, add smaller retriever.scales or raise retriever.distill"
        )
    facts = {
        "base": {"name": portable_name(rs.base), "fingerprint": inputs["base"]},
        "scale": scale,
        "stock": table[0.0],
        "tuned": table[scale],
        "scales": {str(s): row for s, row in table.items()},
        "passages": len(data.passages),
    }
    text = card(
        out.name, _WHAT.format(r=rs.r, scale=scale), _LOAD, {_CAPTION: {_name(s, scale): r for s, r in table.items()}},
        inputs, recipe,
    )  # fmt: skip
    manifest = publish(out, KIND, lambda stage: encoder.save(stage, scale), text, history, inputs, recipe, facts)
    return {"retriever": str(out), "reused": False, **_summary(manifest)}


def choose_scale(table: dict[float, Row], gate: Sequence[str]) -> tuple[float | None, str]:
    """The scale above 0 with the best mean over the validation figures among those that lose nothing in ``gate`` against
    scale 0; (None, why) where each loses."""
    stock = {name: table[0.0][name] for name in gate}
    lost = {scale: loses(row, stock) for scale, row in table.items() if scale > 0}
    eligible = [scale for scale, names in lost.items() if not names]
    if not eligible:
        return None, "; ".join(f"at scale {scale}: {', '.join(names)}" for scale, names in lost.items())

    def validation(scale: float) -> float:
        values = [v for name, v in table[scale].items() if name not in gate]
        return sum(values) / len(values)

    return max(eligible, key=lambda scale: (validation(scale), -scale)), ""


class PassageMaker:
    """``make_passages`` with a tokenizer's counts and the default lengths."""

    def __init__(self, tokenizer: Any) -> None:
        self._specials = tokenizer.num_special_tokens_to_add()
        self._count = token_counter(tokenizer)

    def __call__(self, pairs: Sequence[QAPair], header: Sequence[str]) -> list[Passage]:
        """Passages of all answers, under the parts of ``header``."""
        with parallel_tokenising():
            return make_passages(pairs, header, self._count, TEXT_TOKENS, LENGTH - self._specials)


def split_pairs(pairs: Sequence[QAPair], limit: int | None, seed: int) -> tuple[list[QAPair], list[QAPair]]:
    """(train, validation) pairs, at most ``limit`` of train; those of test are left out.

    Raises:
        MedqaError: none of either.
    """
    train = draw_pairs([p for p in pairs if p.split == "train"], limit, seed)
    validation = [p for p in pairs if p.split == "validation"]
    if not train or not validation:
        raise MedqaError(
            f"wanted pairs of train and of validation, found {len(train)} and {len(validation)}; "
            "split the corpus with: medqa ingest SOURCE --out CORPUS"
        )
    return train, validation


def base_folder(name: str) -> Path:
    """The folder of the encoder ``name``: ``embedded``, or a sentence-transformers folder.

    Raises:
        MedqaError: no such folder.
    """
    if name == EMBEDDED:
        return embedded_folder()
    folder = locate(name)
    if not (folder / "modules.json").is_file():
        raise MedqaError(f"wanted a sentence-transformers folder at {folder}, found none; set retriever.base=embedded")
    return folder


def gate_hash(gate: str) -> str:
    """SHA-256 of the gate's questions.

    Raises:
        MedqaError: no such file.
    """
    path = locate(gate)
    if not path.is_file():
        raise MedqaError(f"wanted graded questions at {path} for the gate, found none; give the file or set gate=null")
    return sha256_file(path)


def mix_of(synonym: float, people: float, symptoms: float, typos: float) -> Mix:
    """The shares of question forms.

    Raises:
        MedqaError: together above 1.
    """
    if synonym + people + symptoms > 1:
        raise MedqaError(f"wanted shares of question forms of at most 1 together, found {synonym + people + symptoms}")
    return Mix(synonym, people, symptoms, typos)


def say(text: str) -> None:
    """A line of progress, for everyone."""
    print(text, file=sys.stderr, flush=True)


def _plan(rs: RetrieverSettings, seed: int) -> ContrastivePlan:
    return ContrastivePlan(
        rounds=rs.rounds,
        epochs=rs.epochs,
        batch=rs.batch,
        chunk=rs.chunk,
        recompute=rs.recompute,
        negatives=rs.negatives,
        learning_rate=rs.learning_rate,
        temperature=rs.temperature,
        distill=rs.distill,
        mix=mix_of(rs.synonym, rs.people, rs.symptoms, rs.typos),
        seed=seed,
    )


def _measure(
    encoder: TrainableEncoder, scale: float, questions: ValidationSet, graded: GradedSet | None, lexical_weight: float
) -> Row:
    """Figures at ``scale``, hybrid; the gate's also by cosine alone, where BM25 cannot hide a loss."""
    with encoder.at_scale(scale):
        row: Row = questions.figures(_order(questions.pool, encoder, (lexical_weight,))[0])
        if graded is not None:
            both = zip(("hybrid", "dense"), _order(graded.pool, encoder, (lexical_weight, 0.0)), strict=True)
            row |= {f"gate {name} {key}": v for name, order in both for key, v in graded.figures(order).items()}
    say(f"scale {scale}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))
    return row


def _order(pool: Pool, encoder: TrainableEncoder, lexical_weights: Sequence[float]) -> list[list[list[int]]]:
    """For each weight of BM25: each question's rows, best first."""
    similarity = cosines(pool, encoder.embed)
    return [[r.rows.tolist() for r in pool.rank(similarity, weight)] for weight in lexical_weights]


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in ("scale", "stock", "tuned")}


def _name(scale: float, chosen: float) -> str:
    return "stock" if scale == 0 else f"**{scale} (shipped)**" if scale == chosen else str(scale)


_CAPTION = (
    "By scale of the trained change; cosine and BM25 fused. Validation questions (no topic shared with training) against the "
    "passages of train and validation, header: topic; plain: as the corpus asks; synonym: topic replaced by a synonym that "
    "the index does not hold; people: someone's own words, in frames never trained on. Gate: graded answers to consumer "
    "questions, grades from 0, judged candidates as the pool."
)
_WHAT = (
    "LoRA matrices (r = {r}) on all-MiniLM-L6-v2 for finding the passages that answer health questions. The trained change is "
    "scaled by {scale}, chosen on validation questions among the scales that lose nothing on consumer questions."
)
_LOAD = """
from peft import PeftModel
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2")
PeftModel.from_pretrained(encoder[0].auto_model, "path/to/this/folder")  # adapts the layers in place
vectors = encoder.encode(["What causes asthma?"], normalize_embeddings=True)
"""
