"""What decides the answers of a cell, as hashes: equal recipes need not be answered again, and a manifest can be repeated."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.pipelines import Pipelines
from eval.systems import System
from ingest.corpus import Corpus
from medqa.files import sha256_bytes, sha256_file, sha256_tree
from medqa.manifest import MANIFEST, recipe_key
from medqa.paths import locate
from medqa.records import QAPair
from medqa.settings import RetrievalSettings
from retrieval.adapters import encoder_hash
from retrieval.aspects import aspects_folder, load_aspects


def run_inputs(corpus: Corpus, asked: Sequence[QAPair]) -> dict[str, str]:
    """Hashes of what all cells share."""
    return {"corpus": corpus.fingerprint, "questions": sha256_bytes(json.dumps([p.id for p in asked]).encode())}


def system_inputs(index: str, system: System, pipelines: Pipelines) -> dict[str, str]:
    """Hashes of the models behind one cell: language model, adapter, encoder, aspects, reranker; only those that it uses."""
    s = system.settings
    found: dict[str, str] = {}
    if system.variant != "extractive":
        found["model"] = content_hash(s.generator.model)
    if system.variant.startswith("tuned") and s.generator.adapter:
        found["adapter"] = content_hash(s.generator.adapter)
    if index != "none":
        found["encoder"] = pipelines.encoder(system).fingerprint
        if s.retrieval.aspects and _uses_aspects(s.retrieval, found["encoder"]):
            found["aspects"] = content_hash(str(aspects_folder(s.retrieval.aspects)))
        if s.retrieval.reranker:
            found["reranker"] = content_hash(s.retrieval.reranker)
    return found


def _uses_aspects(options: RetrievalSettings, fingerprint: str) -> bool:
    return load_aspects(options.aspects, encoder_hash(options.encoder, fingerprint)) is not None


def cell_key(index: str, system: System, inputs: dict[str, str]) -> str:
    """Hash of everything that decides the answers of one cell."""
    s = system.settings
    sections = {"seed", "rag", "generator"} | ({"retrieval", "passages"} if index != "none" else set())
    chosen: dict[str, Any] = s.model_dump(mode="json", include=sections)
    chosen |= {"index": index, "variant": system.variant, "header": s.eval.header if index != "none" else None}
    if not system.variant.startswith("tuned"):
        chosen["generator"].pop("adapter")
    return recipe_key("answers", inputs, chosen)


def content_hash(name: str) -> str:
    """Hash of a model or adapter folder (of its manifest where it has one); a hub id is its own."""
    folder: Path = locate(name)
    if (folder / MANIFEST).is_file():
        return sha256_file(folder / MANIFEST)
    return sha256_tree(folder) if folder.is_dir() else name
