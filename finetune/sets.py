"""Train and validation examples from a corpus, with nothing held out in either.

Training examples show passages of train pairs only, as true sources and as distractors. Validation examples are asked by
validation pairs over passages of train and validation pairs. Test pairs take no part.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from finetune.augment import Frames
from finetune.examples import MAX_SOURCES, Example, Shares, build_examples
from finetune.negatives import hard_negatives
from medqa.errors import MedqaError
from medqa.records import Passage, QAPair
from retrieval.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS = 2 * MAX_SOURCES
"""Hard negatives kept per pair: as many as ``finetune.examples`` draws from."""


def build_sets(
    pairs: Sequence[QAPair],
    to_passages: Callable[[Sequence[QAPair]], list[Passage]],
    encoder: Encoder,
    shares: Shares,
    seed: int,
    max_answer_sentences: int,
    train_limit: int | None,
    eval_limit: int,
    draws: int = 1,
    people: float = 0.0,
    more_frames: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[Example], list[Example]]:
    """(training, validation) examples.

    Args:
        pairs: of all splits; those of test are left out here.
        to_passages: cuts answers into passages.
        encoder: finds the hard negatives.
        shares: the mix of kinds.
        seed: of every draw.
        max_answer_sentences: longest target.
        train_limit: pairs used for training, drawn with the seed; None uses all.
        eval_limit: validation pairs used, drawn likewise.
        draws: training examples per pair (``build_examples``); validation pairs are always asked once.
        people: share of the questions in someone's own words; those of validation in frames that training does not see.
        more_frames: further frames of training (``finetune.more_frames``).

    Raises:
        MedqaError: no pairs of train or none of validation.
    """
    train = draw_pairs([p for p in pairs if p.split == "train"], train_limit, seed)
    validation = draw_pairs([p for p in pairs if p.split == "validation"], eval_limit, seed)
    if not train or not validation:
        raise MedqaError(
            f"wanted pairs of train and of validation, found {len(train)} and {len(validation)}; "
            "split the corpus with: medqa ingest SOURCE --out CORPUS --set split.validation=0.1"
        )
    train_passages, validation_passages = to_passages(train), to_passages(validation)
    train_vectors = encoder.encode_passages([p.embedded_text for p in train_passages], progress=True)
    validation_vectors = encoder.encode_passages([p.embedded_text for p in validation_passages])

    def examples(
        asking: Sequence[QAPair], shown: list[Passage], vectors: "np.ndarray", draws: int, frames: Frames
    ) -> list[Example]:
        owners = {p.id: p for p in [*train, *validation]}
        queries = encoder.encode_queries([p.question for p in asking])
        neighbours = hard_negatives(asking, shown, owners, queries, vectors, NEIGHBOURS)
        more = more_frames if frames == "train" else None
        return build_examples(
            asking, shown, neighbours, shares, seed, max_answer_sentences, draws, people, frames, more
        )

    import numpy as np

    return (
        examples(train, train_passages, train_vectors, draws, "train"),
        examples(
            validation,
            [*train_passages, *validation_passages],
            np.concatenate([train_vectors, validation_vectors]),
            1,
            "held-out",
        ),
    )


def draw_pairs(pairs: Sequence[QAPair], limit: int | None, seed: int) -> list[QAPair]:
    """At most ``limit`` of ``pairs``, chosen by a hash of seed and id, sorted by id: the order of rows decides nothing."""
    ranked = sorted(pairs, key=lambda p: hashlib.sha256(f"{seed}:draw:{p.id}".encode()).digest())
    return sorted(ranked[:limit], key=lambda p: p.id)
