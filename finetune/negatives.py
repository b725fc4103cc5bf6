"""Hard negatives: passages that look like an answer to the encoder and belong to something else.

Plain matrix products over all passages, no index: exact, and a few seconds for a corpus of ten thousand pairs.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from medqa.records import Passage, QAPair

BLOCK = 256
"""Questions scored at once: 256 x 50,000 passages in float32 are 50 MB."""


def hard_negatives(
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    owners: Mapping[str, QAPair],
    query_vectors: np.ndarray,
    passage_vectors: np.ndarray,
    k: int,
) -> dict[str, tuple[Passage, ...]]:
    """The ``k`` passages most similar to each pair's question that have nothing to do with it, most similar first.

    A passage is left out if its pair shares a topic, a synonym, the cluster, the question or the answer with the asking
    pair, or if its text is also a text of the asking pair.

    Args:
        pairs: the asking pairs, n of them.
        passages: all candidates, m of them.
        owners: pair id -> pair, for every passage and every asking pair.
        query_vectors: (n, dim), float32, L2-normalised: the questions.
        passage_vectors: (m, dim), float32, L2-normalised: the passages.
        k: how many at most; fewer where fewer are eligible.
    """
    members: dict[tuple[str, str], list[int]] = {}
    texts: dict[str, set[tuple[str, str]]] = {}
    for row, passage in enumerate(passages):
        text = ("text", plain(passage.text))
        texts.setdefault(passage.pair_id, set()).add(text)
        for key in relation_keys(owners[passage.pair_id]) | {text}:
            members.setdefault(key, []).append(row)
    found: dict[str, tuple[Passage, ...]] = {}
    for start in range(0, len(pairs), BLOCK):
        block = pairs[start : start + BLOCK]
        scores = query_vectors[start : start + BLOCK] @ passage_vectors.T  # (block, m), cosine
        for pair, row_scores in zip(block, scores, strict=True):
            for key in relation_keys(pair) | texts.get(pair.id, set()):
                row_scores[members.get(key, [])] = -np.inf
            found[pair.id] = tuple(passages[i] for i in _top(row_scores, passages, k))
    return found


def relation_keys(pair: QAPair) -> set[tuple[str, str]]:
    """What makes two pairs about the same thing when they share any of it; empty fields relate nothing."""
    names = {pair.topic, *pair.synonyms}
    keys = {("topic", plain(name)) for name in names}
    keys |= {("cluster", pair.cluster), ("question", plain(pair.question)), ("answer", plain(pair.answer))}
    return {key for key in keys if key[1]} | {("pair", pair.id)}


def plain(text: str) -> str:
    """``text`` as lower-case words with single spaces: "What is Asthma?" -> "what is asthma"."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _top(scores: np.ndarray, passages: Sequence[Passage], k: int) -> list[int]:
    """Rows of the k best finite scores; equal scores in order of passage id, so that the order of rows decides nothing."""
    eligible = np.flatnonzero(scores > -np.inf)
    if len(eligible) > k:
        threshold = np.partition(scores[eligible], len(eligible) - k)[len(eligible) - k]
        eligible = eligible[scores[eligible] >= threshold - 1e-4]  # the slack keeps all that could tie after rounding
    # Rounded: the last bits of a matrix product depend on where in the matrix a row stands.
    return sorted((int(i) for i in eligible), key=lambda i: (-round(float(scores[i]), 5), passages[i].id))[:k]
