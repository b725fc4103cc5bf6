"""How close an answer's meaning is to the reference's, by the encoder that also searches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.text_metrics import strip_markers
from retrieval.encoder import Encoder
from retrieval.sentences import split_sentences

if TYPE_CHECKING:
    import numpy as np


class Remembered:
    """An encoder that embeds every passage once in its life: several systems are measured against the same references, and
    answers that quote the same passages repeat each other."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, np.ndarray] = {}

    @property
    def fingerprint(self) -> str:
        """That of the encoder."""
        return self._encoder.fingerprint

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._encoder.dim

    @property
    def max_tokens(self) -> int:
        """Longest passage, as the encoder's."""
        return self._encoder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return self._encoder.count_tokens(texts)

    def encode_passages(self, texts: Sequence[str], progress: bool = False) -> "np.ndarray":
        """(n, dim) float32, L2-normalised."""
        import numpy as np

        new = sorted({t for t in texts if t not in self._vectors})
        self._vectors.update(zip(new, self._encoder.encode_passages(new, progress), strict=True) if new else ())
        return np.stack([self._vectors[t] for t in texts]) if texts else np.zeros((0, self.dim), dtype=np.float32)

    def encode_queries(self, texts: Sequence[str]) -> "np.ndarray":
        """(n, dim) float32, L2-normalised; not remembered."""
        return self._encoder.encode_queries(texts)


def similarities(answers: Sequence[str], references: Sequence[str], encoder: Encoder) -> list[float]:
    """Cosine of each answer and its reference, in [-1, 1]; 0 for an empty one.

    A text longer than the encoder reads is cut into runs of whole sentences; its vector is the mean of theirs, each weighing as
    many tokens as it has, normalised. Every distinct text is embedded once, so the references of further systems cost nothing.
    """
    plain = [strip_markers(a) for a in answers]
    texts = sorted({t for t in [*plain, *references] if t.strip()})
    vectors = dict(zip(texts, embed_whole(texts, encoder), strict=True))
    return [
        float(vectors[a] @ vectors[r]) if a in vectors and r in vectors else 0.0
        for a, r in zip(plain, references, strict=True)
    ]


def embed_whole(texts: Sequence[str], encoder: Encoder) -> "np.ndarray":
    """(n, dim) float32, L2-normalised vectors of whole texts."""
    import numpy as np

    sentences = [[t[s:e] for s, e in split_sentences(t)] for t in texts]
    flat = encoder.count_tokens([s for parts in sentences for s in parts])
    pieces: list[str] = []
    owners: list[int] = []
    weights: list[int] = []
    at = 0
    for n, parts in enumerate(sentences):
        for piece, tokens in _runs(parts, flat[at : at + len(parts)], encoder.max_tokens):
            pieces.append(piece)
            owners.append(n)
            weights.append(max(1, tokens))
        at += len(parts)
    found = encoder.encode_passages(pieces, progress=True)  # (pieces, dim)
    vectors = np.zeros((len(texts), encoder.dim), dtype=np.float32)
    np.add.at(vectors, owners, found * np.asarray(weights, dtype=np.float32)[:, None])
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _runs(sentences: Sequence[str], tokens: Sequence[int], most: int) -> list[tuple[str, int]]:
    """Sentences joined while they fit ``most`` tokens, and their tokens; a longer sentence stands alone and is cut by
    the encoder."""
    runs: list[tuple[list[str], int]] = []
    for sentence, number in zip(sentences, tokens, strict=True):
        if runs and runs[-1][1] + number <= most:
            runs[-1] = ([*runs[-1][0], sentence], runs[-1][1] + number)
        else:
            runs.append(([sentence], number))
    return [(" ".join(parts), number) for parts, number in runs]
