"""The folder models/reranker-medquad as it is shipped: whole, small, loaded by stock libraries, better where it judges."""

import stat
from pathlib import Path

import numpy as np
import pytest

from medqa.base_model import base_fingerprint
from medqa.files import sha256_file
from medqa.hardware import cpu_has_bf16
from medqa.manifest import read_manifest
from medqa.settings import Settings
from retrieval.adapters import WEIGHTS, adapted_layers
from retrieval.encoder import embedded_folder
from retrieval.rerank import load_reranker

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "models" / "reranker-medquad"
QUESTION = "What causes asthma?"
TEXTS = [
    "Asthma\nAsthma follows when the airways of the lungs are swollen by dust, pollen or cold air.",
    "Asthma\nAsthma is treated with an inhaler that opens the airways.",
    "Gout\nGout comes from crystals of uric acid in the joints.",
]


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(FOLDER, "reranker", "medqa finetune reranker")


def test_files_are_those_of_the_manifest_small_and_readable_by_all(manifest):
    files = {p.name for p in FOLDER.iterdir()} - {"manifest.json"}
    assert files == set(manifest["outputs"])
    assert all(sha256_file(FOLDER / name) == digest for name, digest in manifest["outputs"].items())
    both = [*FOLDER.iterdir(), *(PROJECT / "models" / "retriever-medquad").iterdir()]
    assert sum(p.stat().st_size for p in both) < 6_000_000
    assert all((FOLDER / name).stat().st_mode & stat.S_IROTH for name in files)


def test_it_is_of_the_shipped_retriever_and_aspects_and_better_on_every_wording(manifest):
    assert manifest["inputs"]["retriever"] == sha256_file(PROJECT / Settings().retrieval.encoder / WEIGHTS)
    assert manifest["inputs"]["aspects"] == sha256_file(PROJECT / "models/aspects-medquad/aspects.safetensors")
    assert manifest["headed_only"] is True
    gate = {name for name in manifest["without"] if name.startswith("gate ")}
    assert len(gate) == 2
    assert all(manifest["with"][name] == manifest["without"][name] for name in gate)  # it judges none of these
    others = manifest["without"].keys() - gate
    assert len(others) == 3
    assert all(manifest["with"][name] > manifest["without"][name] + 0.01 for name in others)


def test_it_finds_the_cause_with_stock_peft_and_with_us(manifest):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    assert manifest["inputs"]["base"] == base_fingerprint(embedded_folder())
    layers = adapted_layers(FOLDER)
    assert layers == manifest["settings"]["layers"]
    base = AutoModelForSequenceClassification.from_pretrained(embedded_folder(), num_labels=1, num_hidden_layers=layers)
    stock = PeftModel.from_pretrained(base, str(FOLDER)).eval()
    tokens = AutoTokenizer.from_pretrained(embedded_folder())(
        [QUESTION] * 3, TEXTS, return_tensors="pt", padding=True, truncation=True
    )
    with torch.no_grad():
        expected = stock(**tokens).logits[:, 0].numpy()
    loaded = load_reranker(str(FOLDER))
    found = loaded.scores(QUESTION, TEXTS)
    assert found == pytest.approx(expected, abs=0.3 if cpu_has_bf16() else 0.02)
    assert np.argsort(-found).tolist() == [0, 1, 2]
    assert (loaded.weight, loaded.headed_only) == (manifest["weight"], True)
