"""A collection made in memory for a benchmark: vectors cached by encoder and content, exact search by matrix product.

Runs without faiss and bm25s: without bm25s the lexical arm is silent (``has_lexical`` says so).
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medqa.paths import PROJECT
from medqa.records import Passage, QAPair
from retrieval.contents import Contents
from retrieval.encoder import Encoder
from retrieval.index import Index
from retrieval.passages import header_parts, make_passages

CACHE = PROJECT / "runs" / "benchmark-retrieval"
MAX_TOKENS = 128
"""The default of passages.max_tokens."""
has_lexical = importlib.util.find_spec("bm25s") is not None


class MatrixStore:
    """Unit vectors in memory, searched exhaustively with torch, on a GPU where there is one."""

    def __init__(self, vectors: np.ndarray) -> None:
        import torch

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._vectors = vectors
        self._matrix = torch.from_numpy(vectors).to(self._device)

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._vectors.shape[1])

    def search(self, vectors: np.ndarray, n: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See ``retrieval.vectors.VectorStore.search``."""
        import torch

        rows = torch.arange(len(self)) if allowed is None else torch.from_numpy(allowed)
        rows = rows.to(self._device)
        matrix = self._matrix if allowed is None else self._matrix[rows]
        scores, places = [], []
        for start in range(0, len(vectors), 256):  # 256 x 50,000 scores take 50 MB
            found = (torch.from_numpy(vectors[start : start + 256]).to(self._device) @ matrix.T).topk(min(n, len(rows)))
            scores.append(found.values.cpu().numpy())
            places.append(rows[found.indices].cpu().numpy())
        return np.concatenate(scores), np.concatenate(places)

    def reconstruct(self, rows: Any) -> np.ndarray:
        """See ``retrieval.vectors.VectorStore.reconstruct``."""
        return self._vectors[rows]


class NoLexical:
    """In place of BM25 where bm25s is not installed: no word ever matches."""

    def __init__(self, n: int) -> None:
        self._silence = np.zeros(n, dtype=np.float32)

    def __len__(self) -> int:
        return len(self._silence)

    def scores(self, query: str) -> np.ndarray:
        """All 0."""
        return self._silence


def cut(pairs: Sequence[QAPair], header: str, encoder: Encoder) -> list[Passage]:
    """The pairs' passages in the order that an index has."""
    made = make_passages(pairs, header_parts(header), encoder.count_tokens, MAX_TOKENS, encoder.max_tokens)
    return sorted(made, key=lambda p: (p.pair_id, int(p.id.rsplit(":", 2)[1])))


def whole(pairs: Sequence[QAPair]) -> list[Passage]:
    """One passage per answer, however long: the encoder truncates it, as in the published tasks."""
    return [Passage(f"{p.id}:0:whole", p.id, p.answer, ((0, len(p.answer)),)) for p in pairs]


def embed(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Passage vectors of ``texts``; what the same encoder has embedded before comes from the cache."""
    folder = CACHE / encoder.fingerprint[:12]
    keys = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
    wanted = set(keys)
    known: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as stored:
            known |= {k: v for k, v in zip(stored["keys"].tolist(), stored["vectors"], strict=True) if k in wanted}
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if new:
        vectors = encoder.encode_passages(list(new.values()), progress=True)
        known |= dict(zip(new, vectors, strict=True))
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256("".join(new).encode()).hexdigest()[:16]
        np.savez(folder / f"{name}.npz", keys=np.array(list(new)), vectors=vectors)
    return np.stack([known[key] for key in keys])


class Remembering:
    """An encoder that embeds each question once: every row of a table asks the same ones."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._queries: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """See ``Encoder.encode_queries``."""
        new = list(dict.fromkeys(text for text in texts if text not in self._queries))
        if new:
            self._queries |= dict(zip(new, self._encoder.encode_queries(new), strict=True))
        return np.stack([self._queries[text] for text in texts])


def make_index(passages: Sequence[Passage], encoder: Encoder) -> Index:
    """An index over ``passages`` that ranks with the product's own code."""
    vectors = embed(encoder, [p.embedded_text for p in passages])
    if has_lexical:
        from retrieval.lexical import LexicalIndex

        lexical: Any = LexicalIndex.build([p.embedded_text for p in passages])
    else:
        lexical = NoLexical(len(passages))
    contents = Contents(
        folder=Path(), manifest={}, passages=tuple(passages), dense=MatrixStore(vectors), lexical=lexical
    )
    return Index(Path(), encoder, contents)
