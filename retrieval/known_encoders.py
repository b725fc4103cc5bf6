"""What the authors of well-known encoders say on how to use them, for copies whose own files do not say it.

Sources are the model cards: BAAI/bge-*-en-v1.5, intfloat/e5-*-v2, thenlper/gte-*, ncbi/MedCPT-*.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_BGE_QUERY = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """How one model wants to be used."""

    pooling: Literal["mean", "cls"]
    max_length: int = 512
    """Longest input in tokens, specials included."""
    query_prompt: str = ""
    passage_prompt: str = ""
    queries: str = ""
    """Name of the model for queries, where one model embeds passages and another queries."""


_BGE = KnownEncoder("cls", query_prompt=_BGE_QUERY)
_E5 = KnownEncoder("mean", query_prompt="query: ", passage_prompt="passage: ")
_GTE = KnownEncoder("mean")
# Trained with the plain inner product; here its vectors are normalised as all others are, so its ranking may differ a little.
_MEDCPT = KnownEncoder("cls", queries="MedCPT-Query-Encoder")

KNOWN: dict[str, KnownEncoder] = {
    "bge-small-en-v1.5": _BGE,
    "bge-base-en-v1.5": _BGE,
    "bge-large-en-v1.5": _BGE,
    "e5-small-v2": _E5,
    "e5-base-v2": _E5,
    "gte-small": _GTE,
    "gte-base": _GTE,
    "MedCPT-Article-Encoder": _MEDCPT,
    "MedCPT-Query-Encoder": KnownEncoder("cls", max_length=64),
}
_BY_FOLDED_NAME = {name.casefold(): known for name, known in KNOWN.items()}


def find_known(name: str) -> KnownEncoder | None:
    """The entry of a hub id or folder: by the last part of its name, else by the name in its ``config.json``
    (``_name_or_path``: where the weights came from; a model that was trained on from a known one keeps its manners)."""
    return _by_name(name) or _by_name(_configured_name(Path(name)))


def partner(name: str, queries: str) -> str:
    """The query model beside the passage model ``name``: same owner or parent folder, the name ``queries``."""
    head, _, _ = name.rstrip("/").rpartition("/")
    return f"{head}/{queries}" if head else queries


def _by_name(name: str) -> KnownEncoder | None:
    return _BY_FOLDED_NAME.get(name.rstrip("/").rpartition("/")[2].casefold())


def _configured_name(folder: Path) -> str:
    file = folder / "config.json"
    if not file.is_file():
        return ""
    return str(json.loads(file.read_text(encoding="utf-8")).get("_name_or_path", ""))
