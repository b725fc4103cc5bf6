"""``medqa finetune aspects``: settings become plain arguments here, and nowhere below."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.augment import Mix, surface_form, symptoms_of_topics
from finetune.retriever import TEXT_TOKENS, mix_of, say, split_pairs
from finetune.retriever_eval import ValidationSet
from finetune.retriever_result import BASE, card, publish
from finetune.searched import judge
from ingest.corpus import read_corpus
from medqa.base_model import portable_name
from medqa.errors import GateFailed, MedqaError
from medqa.manifest import is_current, read_manifest, recipe_key
from medqa.paths import locate
from medqa.records import Passage, QAPair
from medqa.settings import Settings
from retrieval.adapters import encoder_hash, is_adapter
from retrieval.aspects import KIND, MAKE, Aspects, write_aspects
from retrieval.encoder import EMBEDDED, Encoder, load_encoder
from retrieval.passages import make_passages
from retrieval.reuse import ReusingEncoder

if TYPE_CHECKING:
    import numpy as np

ITERATIONS = 1000
"""L-BFGS ends by itself long before."""
_NEVER = -1e4
"""An intercept that leaves nothing of a probability."""

Row = dict[str, float]
Weights = tuple[float, float]
"""(share of the aspects, share of the topic's best score)."""


def train_aspects(settings: Settings, limit: int | None = None) -> dict[str, Any]:
    """Fit both classifiers on the corpus' train split, choose their weights, and publish them.

    Every train question in one of its forms stands for its question type, and so does every passage of its answer. An unchanged
    result is reused. Passage vectors are taken over from ``settings.index`` where they are the encoder's own.

    Args:
        settings: all of them.
        limit: train pairs used; None for all.

    Raises:
        MedqaError: no corpus, no encoder, fewer than two question types, nothing to validate on.
        GateFailed: no weights answer validation questions better than none; nothing is published.
    """
    a, options = settings.aspects, settings.retrieval
    out = Path(a.out)
    corpus = read_corpus(locate(settings.corpus))
    plain = load_encoder(options.encoder, options.batch_size, options.devices)
    inputs = {"encoder": encoder_hash(options.encoder, plain.fingerprint), "corpus": corpus.fingerprint}
    recipe = a.model_dump(mode="json", exclude={"out"}) | {"seed": settings.seed, "limit": limit}
    if is_current(out, KIND, recipe_key(KIND, inputs, recipe)):
        return {"aspects": str(out), "reused": True, **_summary(read_manifest(out, KIND, MAKE))}

    encoder = ReusingEncoder(plain, [locate(settings.index)])
    train, validation = split_pairs(corpus.pairs, limit, settings.seed)
    labels = labels_of(train, a.least)
    passages = make_passages([*train, *validation], ("topic",), encoder.count_tokens, TEXT_TOKENS, encoder.max_tokens)
    questions = ValidationSet.of([*train, *validation], passages, a.eval_questions, settings.seed)
    say(f"{len(train)} train pairs, {len(labels)} aspects: {', '.join(labels)}")
    mix = mix_of(a.synonym, a.people, a.symptoms, a.typos)
    fitted = fit_aspects(train, passages, labels, encoder, mix, a.strength, settings.seed)

    tried = [(0.0, 0.0), *((w, t) for t in a.topic_weights for w in a.weights if w + t <= 1)]
    table = measure(fitted, encoder, questions, passages, a.lexical_weight, tried)
    for pair, row in table.items():
        say(f"{_name(pair)}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))
    chosen = choose_weights(table)
    if chosen == (0.0, 0.0):
        raise GateFailed(
            f"wanted weights at which validation questions are answered better, found none; nothing was written to {out}; "
            "add smaller aspects.weights, or do without: retrieval.aspects=null"
        )
    facts = {
        "labels": list(labels),
        "weight": chosen[0],
        "topic_weight": chosen[1],
        "validation": accuracy(fitted, validation, passages, encoder),
        "without": table[0.0, 0.0],
        "with": table[chosen],
        "weights": {_name(pair): row for pair, row in table.items()},
    }
    rows = {f"**{_name(pair)} (chosen)**" if pair == chosen else _name(pair): row for pair, row in table.items()}
    known = options.encoder == EMBEDDED or is_adapter(locate(options.encoder))
    name = portable_name(options.encoder)
    text = card(
        out.name,
        _WHAT.format(labels=", ".join(labels)),
        _LOAD.format(encoder=name),
        {_CAPTION: rows},
        inputs,
        recipe,
        library="medqa",
        base=BASE if known else name,
    )
    manifest = publish(out, KIND, lambda stage: write_aspects(stage, fitted), text, [], inputs, recipe, facts)
    return {"aspects": str(out), "reused": False, **_summary(manifest)}


def labels_of(pairs: Sequence[QAPair], least: int) -> tuple[str, ...]:
    """Question types of at least ``least`` pairs, by name.

    Raises:
        MedqaError: fewer than two: there is nothing to tell apart.
    """
    counts = Counter(p.question_type for p in pairs if p.question_type)
    labels = tuple(sorted(name for name, n in counts.items() if n >= least))
    if len(labels) < 2:
        raise MedqaError(
            f"wanted two question types of at least {least} train pairs, found {len(labels)}; "
            "lower aspects.least, or give the corpus a column question_type"
        )
    return labels


def fit_aspects(
    train: Sequence[QAPair],
    passages: Sequence[Passage],
    labels: Sequence[str],
    encoder: Encoder,
    mix: Mix,
    strength: float,
    seed: int,
) -> Aspects:
    """Both classifiers, without weights yet.

    Args:
        train: the pairs that are learned from; those of other question types than ``labels`` are left out.
        passages: of these and of other pairs, which are left out, as are those without a header.
        labels: the aspects.
        encoder: embeds questions and passages.
        mix: how questions are asked.
        strength: of the data against the pull to 0.
        seed: of the questions' forms.
    """
    code = {name: i for i, name in enumerate(labels)}
    asking = [p for p in train if p.question_type in code]
    symptoms, rng = symptoms_of_topics(asking), random.Random(f"{seed}:aspects")
    asked = [surface_form(p, symptoms.get(p.topic.casefold(), ()), rng, mix) for p in asking]
    aspect = {p.id: code[p.question_type] for p in asking}
    told = [p for p in passages if p.pair_id in aspect and p.header]
    if len({aspect[p.pair_id] for p in told}) < 2:
        raise MedqaError(
            f"wanted passages under a topic that tell two aspects or more, found {len(told)} passages under a topic; "
            "give the corpus a column topic"
        )
    vectors = encoder.encode_passages([p.embedded_text for p in told], progress=True)
    return Aspects(
        tuple(labels),
        fit_linear(encoder.encode_queries(asked), [aspect[p.id] for p in asking], len(labels), strength),
        fit_linear(vectors, [aspect[p.pair_id] for p in told], len(labels), strength),
    )


def fit_linear(vectors: "np.ndarray", classes: Sequence[int], n: int, strength: float) -> "np.ndarray":
    """(n, dim + 1) float32: coefficients and intercept of a multinomial logistic regression.

    Args:
        vectors: (rows, dim).
        classes: (rows,) from 0 to ``n`` - 1.
        n: number of classes; one without a row never wins.
        strength: ``C``.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=ITERATIONS).fit(vectors.astype(np.float64), classes)
    weights, intercept = model.coef_, model.intercept_
    if len(weights) == 1:  # of two classes it keeps the second's alone
        weights, intercept = np.stack([-weights[0], weights[0]]) / 2, np.array([-intercept[0], intercept[0]]) / 2
    found = np.zeros((n, vectors.shape[1] + 1), dtype=np.float32)
    found[:, -1] = _NEVER
    found[model.classes_] = np.concatenate([weights, intercept[:, None]], axis=1)
    return found


def measure(
    aspects: Aspects,
    encoder: Encoder,
    questions: ValidationSet,
    passages: Sequence[Passage],
    lexical_weight: float,
    weights: Sequence[Weights],
) -> dict[Weights, Row]:
    """For each (weight of the aspects, weight of the topic): the validation questions' figures, ranked as a search does."""
    pool = questions.pool
    asked = encoder.encode_queries(pool.questions)
    vectors = encoder.encode_passages(pool.texts, progress=True)
    judged = list(judge(pool, asked, vectors, passages, aspects, lexical_weight))
    table = {}
    for weight, topic_weight in weights:
        chosen = (widened if topic_weight else alone for alone, widened in judged)
        rankings = [found.ranked(weight, topic_weight).rows.tolist() for found in chosen]
        table[weight, topic_weight] = dict(questions.figures(rankings))
    return table


def choose_weights(table: dict[Weights, Row]) -> Weights:
    """The weights with the best mean over their figures; of equal ones the lowest."""
    return max(table, key=lambda pair: (sum(table[pair].values()), -sum(pair)))


def accuracy(aspects: Aspects, pairs: Sequence[QAPair], passages: Sequence[Passage], encoder: Encoder) -> Row:
    """Share of ``pairs``' questions, and of their passages, whose likeliest aspect is the pair's question type."""
    known = {p.id: aspects.labels.index(p.question_type) for p in pairs if p.question_type in aspects.labels}
    asking = [p for p in pairs if p.id in known]
    told = [p for p in passages if p.pair_id in known and p.header]
    of_questions = aspects.of_questions(encoder.encode_queries([p.question for p in asking])).argmax(axis=1)
    of_passages = aspects.of_passages(encoder.encode_passages([p.embedded_text for p in told])).argmax(axis=1)
    right = [int(c) == known[p.id] for c, p in zip(of_questions, asking, strict=True)]
    right_passages = [int(c) == known[p.pair_id] for c, p in zip(of_passages, told, strict=True)]
    return {
        "questions right": sum(right) / max(len(right), 1),
        "passages right": sum(right_passages) / max(len(right_passages), 1),
    }


def _name(pair: Weights) -> str:
    return f"aspects {pair[0]}, topic {pair[1]}" if pair != (0.0, 0.0) else "without"


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in ("weight", "topic_weight", "validation", "without", "with")}


_CAPTION = (
    "By share of the aspects and of the topic's best passage in the score; a passage's own cosine and BM25, fused, make the "
    "rest. Validation questions (no topic shared with training) against the passages of train and validation, header: topic; "
    "plain: as the corpus asks; synonym: topic replaced by a synonym that the index does not hold; people: someone's own "
    "words, in frames never trained on."
)
_WHAT = (
    "Linear classifiers (multinomial logistic regression, scikit-learn) over the vectors of one encoder: what a health "
    "question asks about its topic, and what a passage tells about it that is embedded under its topic. Aspects: {labels}. A "
    "search adds the probability that question and passage agree to the score of cosine and BM25. Rows of the arrays are "
    "aspects, columns the encoder's dimensions and, last, the intercept."
)
_LOAD = """
from retrieval.adapters import encoder_hash
from retrieval.aspects import load_aspects
from retrieval.encoder import load_encoder

name = "{encoder}"
encoder = load_encoder(name, 64)
aspects = load_aspects("path/to/this/folder", encoder_hash(name, encoder.fingerprint))
shares = aspects.of_questions(encoder.encode_queries(["What causes asthma?"]))
"""
