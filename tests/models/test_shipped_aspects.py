"""The folder models/aspects-medquad as it is shipped: whole, small, of the shipped retriever, every wording gains."""

from pathlib import Path

import pytest

from medqa.files import sha256_file
from medqa.manifest import read_manifest
from medqa.settings import Settings
from retrieval.adapters import encoder_hash
from retrieval.aspects import KIND, load_aspects
from retrieval.encoder import load_encoder

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "models" / "aspects-medquad"
RETRIEVER = "models/retriever-medquad"


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(FOLDER, KIND, "medqa finetune aspects")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(RETRIEVER, 16)


def test_files_are_those_of_the_manifest_and_small(manifest):
    files = {p.name for p in FOLDER.iterdir()} - {"manifest.json"}
    assert files == set(manifest["outputs"])
    assert all(sha256_file(FOLDER / name) == digest for name, digest in manifest["outputs"].items())
    assert sum((FOLDER / name).stat().st_size for name in files) < 200_000


def test_it_is_of_the_retrievers_corpus_and_gains_on_every_wording(manifest):
    assert manifest["inputs"]["corpus"] == read_manifest(PROJECT / RETRIEVER, "retriever", "")["inputs"]["corpus"]
    assert len(manifest["without"]) == 3
    assert all(manifest["with"][name] > without for name, without in manifest["without"].items())


def test_it_is_used_by_default_with_the_shipped_retriever_alone(manifest, encoder):
    options = Settings().retrieval
    assert options.encoder == RETRIEVER
    found = load_aspects(options.aspects, encoder_hash(options.encoder, encoder.fingerprint))
    assert found is not None and found.weight == manifest["weight"] > 0
    assert found.topic_weight == manifest["topic_weight"]
    assert load_aspects(options.aspects, encoder_hash("embedded", "another")) is None


def test_it_knows_what_people_ask_and_what_a_passage_tells(encoder):
    found = load_aspects("auto", encoder_hash(RETRIEVER, encoder.fingerprint))
    asked = {
        "my sister was told she has lupus, what can doctors do about it?": "treatment",
        "will my children get huntington disease from me": "inheritance",
        "how do they test for celiac disease": "exams and tests",
        "What are the symptoms of scleroderma?": "symptoms",
    }
    shares = found.of_questions(encoder.encode_queries(list(asked)))
    assert [found.labels[i] for i in shares.argmax(axis=1)] == list(asked.values())
    told = {
        "Zellosis\nIt is inherited in an autosomal dominant pattern: one copy is enough.": "inheritance",
        "Zellosis\nTreatment may include antibiotics, surgery and physical therapy.": "treatment",
        "Zellosis\nThe prevalence is unknown; about 1 in 40,000 newborns are affected worldwide.": "frequency",
    }
    shares = found.of_passages(encoder.encode_passages(list(told)))
    assert [found.labels[i] for i in shares.argmax(axis=1)] == list(told.values())
