"""BM25 (Lucene's variant, by bm25s) over tokens that respect medical writing."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.terms import Terms, collect, score_matrix

if TYPE_CHECKING:
    import numpy as np

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:[-'’_][^\W_]+)*")
_STOP_WORDS = (
    "a an the of in on at to for from by with and or as is are was were be been being am do does did can could will would "
    "should may might have has had this that these those it its i you he she we they my your his her our their me him "
    "them what which who whom how when where there here if then than so such about into also"
)
_STOP = frozenset(_STOP_WORDS.split())
"""Light on purpose: "no", "not", "without" and "after" carry meaning in medical text."""


K1, B = 0.9, 0.4
"""Anserini's values for passages (Yang, Fang & Lin, SIGIR 2017). On 600 validation questions of MedQuAD they gave nDCG@10
.674 where bm25s' defaults (1.5, .75) gave .648, and on judged answers to consumers' questions .882 against .853. Passages are
of like length, so length says little (b), and repeating a word says little more (k1)."""


RECIPE = f"bm25 lucene k1={K1} b={B}, tokeniser 1"
"""What decides the files; part of every index's recipe. Raise the tokeniser's number when a text would give other words."""


def tokenise(text: str) -> list[str]:
    """Lower-case tokens without accents.

    Hyphenated words give their parts and the joined form (``IL-6`` -> ``il6 il 6``), so that ``IL6`` and ``x ray`` find
    them too; decimals stay whole (``2.5``), thousands lose their commas, gene names their case only (``brca1``), a
    possessive its ``'s``. Words such as "the" are left out.
    """
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return [t for word in _TOKEN.findall(text.lower()) for t in _forms(word)]


@lru_cache(1 << 17)  # MedQuAD's 4 million words are 47,000 different ones
def _forms(word: str) -> tuple[str, ...]:
    """The tokens of one lower-case word, without stop words."""
    if word[0].isdigit() and ("." in word or "," in word):
        return (re.sub(r",(?=\d{3}\b)", "", word),)
    stem = re.sub(r"['’]s$", "", word)
    parts = re.split(r"[-'’_]+", stem)
    forms = ["".join(parts), *(p for p in parts if p)] if len(parts) > 1 else [stem]
    return tuple(t for t in forms if t not in _STOP)


class LexicalIndex:
    """BM25 scores of a query against every document. Deterministic: the vocabulary is sorted, nothing is sampled."""

    def __init__(self, bm25: Any, terms: Terms) -> None:
        self._bm25 = bm25
        self._terms = terms

    @classmethod
    def build(cls, texts: Sequence[str], old: "LexicalIndex | None" = None, rows: Sequence[int] = ()) -> "LexicalIndex":
        """An index whose document ``i`` is ``texts[i]``; equal to one built without ``old``, only sooner.

        Args:
            texts: the documents.
            old: an earlier index of this ``RECIPE``.
            rows: for each text its document in ``old``, or -1 where that has none.
        """
        import bm25s

        terms = collect(texts, tokenise, old._terms if old else None, rows)
        data, indices, indptr = score_matrix(terms, K1, B)
        bm25 = bm25s.BM25(method="lucene", k1=K1, b=B)
        bm25.scores = {"data": data, "indices": indices, "indptr": indptr, "num_docs": len(texts)}
        bm25.vocab_dict = dict(terms.vocabulary)
        bm25.unique_token_ids_set = set(bm25.vocab_dict.values())
        bm25.nonoccurrence_array = None
        return cls(bm25, terms)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """The index that ``save`` wrote, memory-mapped."""
        import bm25s

        bm25 = bm25s.BM25.load(folder, mmap=True, show_progress=False)
        return cls(bm25, Terms.load(folder, bm25.vocab_dict))

    def save(self, folder: Path) -> None:
        """Write into ``folder``, which is made if missing."""
        self._bm25.save(folder, show_progress=False)
        self._terms.save(folder)

    def __len__(self) -> int:
        return int(self._bm25.scores["num_docs"])

    def scores(self, query: str) -> "np.ndarray":
        """(n_documents,) float32, >= 0; 0 where no token of ``query`` occurs. Repeated query tokens count once."""
        import numpy as np

        vocabulary = self._bm25.vocab_dict
        known = [vocabulary[t] for t in dict.fromkeys(tokenise(query)) if t in vocabulary]
        if not known:
            return np.zeros(len(self), dtype=np.float32)
        return np.asarray(self._bm25.get_scores_from_ids(known), dtype=np.float32)
