"""How close an answer's meaning is to the reference's, by the encoder that also searches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.text_metrics import strip_markers
from retrieval.encoder import Encoder
from retrieval.sentences import split_sentences

if TYPE_CHECKING:
    import numpy as np


def similarities(answers: Sequence[str], references: Sequence[str], encoder: Encoder) -> list[float]:
    """Cosine of each answer and its reference, in [-1, 1]; 0 for an empty one.

    A text's vector is the mean of its sentences' vectors, each weighing as many tokens as it has, normalised. So texts
    of any length are read to their end (the encoder reads some 250 tokens at once), and a sentence that many texts
    share is embedded once.
    """
    plain = [strip_markers(a) for a in answers]
    texts = sorted({t for t in [*plain, *references] if t.strip()})
    vectors = dict(zip(texts, embed_whole(texts, encoder), strict=True))
    return [
        float(vectors[a] @ vectors[r]) if a in vectors and r in vectors else 0.0
        for a, r in zip(plain, references, strict=True)
    ]


def embed_whole(texts: Sequence[str], encoder: Encoder) -> "np.ndarray":
    """(n, dim) float32, L2-normalised vectors of whole texts; of equal texts the same."""
    import numpy as np

    parts = [[text[s:e] for s, e in split_sentences(text)] for text in texts]
    distinct = sorted({sentence for sentences in parts for sentence in sentences})
    number = {sentence: i for i, sentence in enumerate(distinct)}
    weights = np.maximum(encoder.count_tokens(distinct), 1).astype(np.float32)
    heavy = encoder.encode_passages(distinct, progress=True) * weights[:, None]  # (sentences, dim)
    vectors = np.zeros((len(texts), encoder.dim), dtype=np.float32)
    for n, sentences in enumerate(parts):
        vectors[n] = heavy[[number[sentence] for sentence in sentences]].sum(axis=0)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
