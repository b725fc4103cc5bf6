"""Hard negatives: passages that look like an answer to the encoder and belong to something else.

Up to half of them tell something else about the very topic that is asked about (its symptoms, where the question is on its
treatment): who learns from distractors of other topics alone learns to look at the topic and quotes whatever has the right one.

Plain matrix products over all passages, no index: exact, and a few seconds for a corpus of ten thousand pairs.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from medqa.records import Passage, QAPair

GENERAL_TYPES = frozenset({"", "information", "considerations", "support groups"})
"""Question types whose answers may hold anything about a topic, under MedQuAD's names; the empty one stands for pairs without a
type. A corpus with other names for them should leave such pairs without a type."""

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
    """The ``k`` passages most similar to each pair's question that do not answer it, of either kind most similar first.

    A passage is left out if its pair shares the question or the answer with the asking pair, or if its text is also a text of
    the asking pair. If its pair shares a topic, a synonym or the cluster, it is left out too, unless the two question types
    are different and neither is one of ``GENERAL_TYPES``; at most half of ``k`` are of that kind.

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
            related = {row for key in relation_keys(pair) for row in members.get(key, ())}
            same = {row for key in _same(pair) | texts.get(pair.id, set()) for row in members.get(key, ())}
            aside = [r for r in related - same if other_aspect(pair, owners[passages[r].pair_id])]
            siblings = np.full_like(row_scores, -np.inf)
            siblings[aside] = row_scores[aside]
            row_scores[list(related | same)] = -np.inf
            own_topic = _top(siblings, passages, k // 2)
            rest = _top(row_scores, passages, k - len(own_topic))
            # in turn, so that whoever takes the first few gets both kinds
            merged = [i for two in zip_longest(rest, own_topic) for i in two if i is not None]
            found[pair.id] = tuple(passages[i] for i in merged)
    return found


def other_aspect(a: QAPair, b: QAPair) -> bool:
    """Whether two pairs are known to ask different things, whatever their topics."""
    return a.question_type != b.question_type and not {a.question_type, b.question_type} & GENERAL_TYPES


def _same(pair: QAPair) -> set[tuple[str, str]]:
    """The relations that make another pair's passages an answer, whatever its type."""
    return {key for key in relation_keys(pair) if key[0] in ("question", "answer", "pair")}


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
