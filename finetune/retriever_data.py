"""What retriever and reranker are trained on: pairs and passages as rows, and a passage as an index would show it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune.augment import Mix, surface_form, symptoms_of_topics
from finetune.mining import informative, label_pairs, topic_ids
from medqa.records import Passage, QAPair

if TYPE_CHECKING:
    import numpy as np

HEADERS = (("topic", 0.35), ("", 0.2), ("topic+synonyms", 0.15), ("question", 0.15), ("question+topic+synonyms", 0.15))
"""Headers that training shows and their shares: an index may be built with any of them, and many answers in the world begin
with a heading that says what they answer."""


@dataclass(frozen=True)
class TrainData:
    """Pairs, their passages and who belongs to whom; rows are places in ``pairs`` and ``passages``."""

    pairs: tuple[QAPair, ...]
    passages: tuple[Passage, ...]
    owner: "np.ndarray"
    labels: "np.ndarray"
    topics: "np.ndarray"
    usable: "np.ndarray"
    symptoms: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, pairs: Sequence[QAPair], passages: Sequence[Passage]) -> "TrainData":
        """From pairs and all their passages."""
        import numpy as np

        row = {pair.id: i for i, pair in enumerate(pairs)}
        owner = np.array([row[p.pair_id] for p in passages], dtype=np.int64)
        labels = label_pairs(pairs)
        usable = informative(passages, labels[owner, 1].tolist())
        return cls(
            tuple(pairs), tuple(passages), owner, labels, topic_ids(pairs), usable, symptoms_of_topics(pairs)
        )  # fmt: skip

    def form(self, row: int, rng: random.Random, mix: Mix) -> str:
        """One way to ask for the answer of pair ``row``."""
        pair = self.pairs[row]
        return surface_form(pair, self.symptoms.get(pair.topic.casefold(), ()), rng, mix)

    def shown(self, row: int, header: str) -> str:
        """Passage ``row`` as it is embedded with ``header``."""
        passage = self.passages[row]
        return with_header(self.pairs[self.owner[row]], header, passage.text)


def with_header(pair: QAPair, header: str, text: str) -> str:
    """``text`` under the parts of ``header`` (joined by ``+``; empty for none), written as ``retrieval.passages`` does."""
    values = [getattr(pair, part) for part in header.split("+") if part]
    parts = [" ".join((", ".join(v) if isinstance(v, tuple) else v).split()) for v in values]
    joined = " | ".join(p for p in parts if p)
    return f"{joined}\n{text}" if joined else text


def draw_header(rng: random.Random, headed_only: bool = False) -> str:
    """One of ``HEADERS`` by its share; ``headed_only`` leaves none out."""
    drawn = [(header, share) for header, share in HEADERS if header or not headed_only]
    return rng.choices([h for h, _ in drawn], [share for _, share in drawn])[0]
