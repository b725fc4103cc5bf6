"""BM25 (Lucene's variant, by bm25s) over tokens that respect medical writing."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def tokenise(text: str) -> list[str]:
    """Lower-case tokens without accents.

    Hyphenated words give their parts and the joined form (``IL-6`` -> ``il6 il 6``), so that ``IL6`` and ``x ray`` find
    them too; decimals stay whole (``2.5``), thousands lose their commas, gene names their case only (``brca1``), a
    possessive its ``'s``. Words such as "the" are left out.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    return [t for match in _TOKEN.finditer(plain) for t in _forms(match.group()) if t not in _STOP]


def _forms(word: str) -> list[str]:
    if word[0].isdigit() and ("." in word or "," in word):
        return [re.sub(r",(?=\d{3}\b)", "", word)]
    stem = re.sub(r"['’]s$", "", word)
    parts = re.split(r"[-'’_]+", stem)
    return ["".join(parts), *(p for p in parts if p)] if len(parts) > 1 else [stem]


class LexicalIndex:
    """BM25 scores of a query against every document. Deterministic: the vocabulary is sorted, nothing is sampled."""

    def __init__(self, bm25: Any) -> None:
        self._bm25 = bm25

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """An index whose document ``i`` is ``texts[i]``."""
        import bm25s
        import numpy as np

        documents = [tokenise(text) for text in texts]
        words = sorted({token for document in documents for token in document})
        vocabulary = {word: i for i, word in enumerate(["", *words])}  # the empty token keeps a wordless corpus valid
        bm25 = bm25s.BM25(method="lucene", k1=1.5, b=0.75)  # bm25s' defaults, stated so that they cannot drift
        ids = [[vocabulary[token] for token in document] for document in documents]
        with np.errstate(invalid="ignore"):  # a corpus without any word has an average length of 0
            bm25.index((ids, vocabulary), show_progress=False)
        return cls(bm25)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        """The index that ``save`` wrote."""
        import bm25s

        return cls(bm25s.BM25.load(folder, show_progress=False))

    def save(self, folder: Path) -> None:
        """Write into ``folder``, which is made if missing."""
        self._bm25.save(folder, show_progress=False)

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
