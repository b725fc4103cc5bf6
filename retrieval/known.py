"""What earlier generations already know: vectors by text, passages by pair. Whatever is taken from here costs nothing again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes, sha256_file
from medqa.records import Passage, QAPair
from retrieval import generations
from retrieval.contents import LEXICAL, PAIRS, Contents, load_originals
from retrieval.encoder import Encoder
from retrieval.lexical import LexicalIndex
from retrieval.passage_file import PASSAGES
from retrieval.vectors import VECTORS

if TYPE_CHECKING:
    import numpy as np

_CUTTING = ("header", "max_tokens", "chunker")
"""Settings that decide which passages a pair gives."""


@dataclass(slots=True)
class Known:
    """Vectors and passages that need not be made again."""

    vectors: dict[str, "np.ndarray"] = field(default_factory=dict)
    """Embedded text -> its vector."""
    passages: dict[str, list[Passage]] = field(default_factory=dict)
    """Hash of a pair's content -> its passages."""
    lexical: LexicalIndex | None = None
    rows: dict[str, int] = field(default_factory=dict)
    """Embedded text -> its document in ``lexical``."""

    def documents(self, texts: Sequence[str]) -> tuple[LexicalIndex | None, list[int]]:
        """The last two arguments of ``LexicalIndex.build``."""
        return self.lexical, [self.rows.get(text, -1) for text in texts] if self.lexical else []


def pair_hash(pair: QAPair) -> str:
    """Hash of all that a pair's passages are made from."""
    parts = (
        pair.id, pair.question, pair.answer, pair.topic, *pair.synonyms, "", pair.source, pair.url, pair.question_type,
    )  # fmt: skip
    return sha256_bytes("\0".join(parts).encode())[:32]


def sources_in(indexes: Sequence[Path]) -> list[Contents]:
    """The current generations of ``indexes``, without those that are missing or do not load."""
    found = []
    for index in indexes:
        try:
            found.append(load_originals(generations.current(index)))
        except MedqaError:
            continue
    return found


def known_from(sources: Sequence[Contents], encoder: Encoder, settings: Mapping[str, Any] | None = None) -> Known:
    """What ``sources`` know, as far as their vectors are ``encoder``'s and their files still have their hashes: what is damaged
    is made again rather than trusted.

    Args:
        sources: earlier generations.
        encoder: the one that embeds now.
        settings: of the new generation; passages are taken over from sources that cut alike, words from one that
            splits words alike. None takes over vectors only.
    """
    known = Known()
    for contents in sources:
        hashes = contents.manifest["outputs"]
        if contents.manifest["inputs"]["encoder"] != encoder.fingerprint:
            continue
        needed = [name for name in hashes if name in (PASSAGES, VECTORS, PAIRS) or name.startswith(f"{LEXICAL}/")]
        if any(sha256_file(contents.folder / name) != hashes[name] for name in needed):
            continue
        texts = [p.embedded_text for p in contents.passages]
        known.vectors |= dict(zip(texts, contents.vectors(), strict=True))
        before = contents.manifest["settings"]
        if settings is not None and all(before.get(name) == settings[name] for name in _CUTTING):
            known.passages |= _by_hash(contents)
        if settings is not None and known.lexical is None and before.get("lexical") == settings["lexical"]:
            known.lexical, known.rows = contents.lexical, {text: row for row, text in enumerate(texts)}
    return known


def _by_hash(contents: Contents) -> dict[str, list[Passage]]:
    hashes: dict[str, str] = read_json(contents.folder / PAIRS)
    grouped: dict[str, list[Passage]] = {}
    for passage in contents.passages:
        if passage.pair_id in hashes:  # those that the corpus no longer had then have none
            grouped.setdefault(hashes[passage.pair_id], []).append(passage)
    return grouped
