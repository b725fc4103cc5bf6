"""The folder models/retriever-medquad as it is shipped: whole, small, loaded by stock libraries, from the default split."""

import stat
from pathlib import Path

import numpy as np
import pytest

from ingest.corpus import check_corpus
from medqa.base_model import base_fingerprint
from medqa.cli import main
from medqa.files import sha256_file
from medqa.manifest import read_manifest
from medqa.settings import Settings
from retrieval.encoder import embedded_folder, load_encoder

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "models" / "retriever-medquad"
MEDQUAD = PROJECT.parent / "shared" / "data" / "medquad" / "medquad.csv.gz"
TEXTS = ["What causes asthma?", "Asthma\nAsthma narrows the airways of the lungs."]


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(FOLDER, "retriever", "medqa finetune retriever")


def test_files_are_those_of_the_manifest_small_and_readable_by_all(manifest):
    files = {p.name for p in FOLDER.iterdir()} - {"manifest.json"}
    assert files == set(manifest["outputs"])
    assert all(sha256_file(FOLDER / name) == digest for name, digest in manifest["outputs"].items())
    assert sum((FOLDER / name).stat().st_size for name in files) < 3_000_000
    assert all((FOLDER / name).stat().st_mode & stat.S_IROTH for name in files)


def test_it_is_the_default_and_nothing_in_its_gate_is_below_stock(manifest):
    assert Settings().retrieval.encoder == "models/retriever-medquad"
    gate = [name for name in manifest["stock"] if name.startswith("gate ")]
    assert len(gate) == 4
    assert all(manifest["tuned"][name] >= manifest["stock"][name] for name in gate)
    others = manifest["stock"].keys() - set(gate)
    assert len(others) == 3
    assert all(manifest["tuned"][name] > manifest["stock"][name] for name in others)


def test_stock_peft_gives_the_same_vectors(manifest):
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer

    assert manifest["inputs"]["base"] == base_fingerprint(embedded_folder())
    stock = SentenceTransformer(str(embedded_folder()), device="cpu")
    before = stock.encode(TEXTS, normalize_embeddings=True)
    PeftModel.from_pretrained(stock[0].auto_model, str(FOLDER))
    expected = stock.encode(TEXTS, normalize_embeddings=True)
    found = load_encoder(str(FOLDER), 8).encode_queries(TEXTS)
    assert np.abs((found * expected).sum(axis=1) - 1).max() < 1e-3  # bf16 where the CPU has it
    assert np.abs(before - expected).max() > 1e-2


@pytest.mark.skipif(not MEDQUAD.is_file(), reason="MedQuAD is not beside the project")
def test_it_was_trained_on_the_split_that_ingest_makes(manifest, tmp_path):
    assert main(["ingest", str(MEDQUAD), "--out", str(tmp_path / "corpus")]) == 0
    assert check_corpus(tmp_path / "corpus") == manifest["inputs"]["corpus"]
