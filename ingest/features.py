"""What grouping, splitting and the report need of every row, gathered in one pass over the texts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ingest.groups import KeyCollector, PairKeys
from ingest.shingles import Shingler, ShingleSets
from ingest.text import fold, words
from medqa.records import QAPair


@dataclass(frozen=True, slots=True)
class Features:
    """One entry per pair in each member, in the order of the pairs."""

    ids: list[str]
    types: list[str]
    sources: list[str]
    topics: list[str]
    question_words: np.ndarray
    """int32."""
    answer_words: np.ndarray
    """int32."""
    keys: PairKeys

    def __len__(self) -> int:
        return len(self.ids)


def features(pairs: Iterable[QAPair]) -> tuple[Features, ShingleSets]:
    """Features of ``pairs``, and the shingle sets of question and answer together, by which pairs are compared.

    The sets are apart because they are large (eight bytes a word), and needed only until the pairs have been compared.
    """
    known: dict[str, str] = {}  # one copy of each type, source and topic
    ids: list[str] = []
    types: list[str] = []
    sources: list[str] = []
    topics: list[str] = []
    lengths: list[tuple[int, int]] = []
    keys, shingler = KeyCollector(), Shingler()
    for pair in tqdm(pairs, desc="comparing", unit="row", disable=None):
        asked, said = words(pair.question), words(pair.answer)
        ids.append(pair.id)
        types.append(known.setdefault(pair.question_type, pair.question_type))
        sources.append(known.setdefault(pair.source, pair.source))
        topics.append(known.setdefault(pair.topic, pair.topic))
        lengths.append((len(asked), len(said)))
        # As ``same_key``, from words that are at hand.
        keys.add(" ".join(asked) or fold(pair.question), " ".join(said) or fold(pair.answer), pair)
        shingler.add([*asked, *said])
    asked_words, said_words = np.array(lengths, np.int32).reshape(-1, 2).T
    return Features(ids, types, sources, topics, asked_words, said_words, keys.keys()), shingler.sets()
