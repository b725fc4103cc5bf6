"""ROUGE-1, -2, -L and -Lsum (Lin, 2004), equal to Google's rouge-score to the last bit and several times as fast.

Tokens and stems are rouge-score's own. What takes its time, the table of longest common subsequences, is here one row
of bits per word (Hyyrö, *Bit-parallel LCS-length computation revisited*, 2004): bit j of row i is 0 where the longest
common subsequence of the first i words of one text and the first j + 1 of the other is longer than with the first j.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from eval.text_metrics import strip_markers
from retrieval.sentences import split_sentences

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

Words = Sequence[str]


def rouge_scores(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """F-measures per answer, in [0, 1], with the Porter stemmer; markers are left out, an empty answer scores 0.

    ROUGE-Lsum compares sentence with sentence. rouge-score wants sentences on lines of their own; ours are those of
    :func:`retrieval.sentences.split_sentences`.
    """
    tokens = _stemmed_tokens()
    return [
        _scores(_sentences(r, tokens), _sentences(strip_markers(a), tokens))
        for a, r in zip(answers, references, strict=True)
    ]


def _scores(reference: Sequence[Words], answer: Sequence[Words]) -> dict[str, float]:
    ref, can = ([word for sentence in text for word in sentence] for text in (reference, answer))
    return {
        "rouge1": _f(_shared_grams(ref, can, 1), len(ref), len(can)),
        "rouge2": _f(_shared_grams(ref, can, 2), len(ref) - 1, len(can) - 1),
        "rougeL": _f(lcs_length(ref, can), len(ref), len(can)),
        "rougeLsum": _f(_union_hits(reference, answer), len(ref), len(can)),
    }


def lcs_length(ref: Words, can: Words) -> int:
    """Words of the longest common subsequence."""
    return len(can) - _rows(ref, can)[-1].bit_count()


def lcs_places(ref: Words, can: Words) -> list[int]:
    """Places in ``ref`` of one longest common subsequence: of several the one that ROUGE-1.5.5 reads out of its table."""
    rows = _rows(ref, can)
    i, j, places = len(ref), len(can), []
    while i and j:
        if ref[i - 1] == can[j - 1]:
            i, j = i - 1, j - 1
            places.append(i)
        elif _cell(rows[i], j - 1) > _cell(rows[i - 1], j):
            j -= 1
        else:
            i -= 1
    return places[::-1]


def _rows(ref: Words, can: Words) -> list[int]:
    """Rows of bits, one more than ``ref`` has words, each as wide as ``can``."""
    full = (1 << len(can)) - 1
    where: dict[str, int] = {}
    for j, word in enumerate(can):
        where[word] = where.get(word, 0) | 1 << j
    rows = [full]
    for word in ref:
        row = rows[-1]
        hits = row & where.get(word, 0)
        rows.append(((row + hits) | (row - hits)) & full)
    return rows


def _cell(row: int, j: int) -> int:
    """Length of the longest common subsequence with the first ``j`` words."""
    return j - (row & ((1 << j) - 1)).bit_count()


def _union_hits(reference: Sequence[Words], answer: Sequence[Words]) -> int:
    """Words that the union of a reference sentence's subsequences with every answer sentence holds, each word as often as both
    texts have it (ROUGE-1.5.5; the paper does not limit them)."""
    left_ref = Counter(word for sentence in reference for word in sentence)
    left_can = Counter(word for sentence in answer for word in sentence)
    hits = 0
    for ref in reference:
        for place in sorted({place for can in answer for place in lcs_places(ref, can)}):
            word = ref[place]
            if left_ref[word] > 0 and left_can[word] > 0:
                hits += 1
                left_ref[word] -= 1
                left_can[word] -= 1
    return hits


def _shared_grams(ref: Words, can: Words, order: int) -> int:
    ours, theirs = (Counter(zip(*(t[i:] for i in range(order)), strict=False)) for t in (can, ref))
    return (ours & theirs).total()


def _f(hits: int, wanted: int, given: int) -> float:
    """2PR / (P + R) in the order of rouge-score's operations, so that not even rounding differs."""
    if hits == 0:
        return 0.0
    precision, recall = hits / given, hits / wanted
    return 2 * precision * recall / (precision + recall)


def _sentences(text: str, tokens: Callable[[str], list[str]]) -> list[Words]:
    return [tokens(text[s:e]) for s, e in split_sentences(text)]


def _stemmed_tokens() -> Callable[[str], list[str]]:
    """rouge-score's tokenizer with a stemmer that remembers words: stemming was a third of all time."""
    from nltk.stem.porter import PorterStemmer
    from rouge_score.tokenize import tokenize

    class Stemmer:
        stem = staticmethod(lru_cache(maxsize=None)(PorterStemmer().stem))

    return lambda text: list(tokenize(text, Stemmer))
