"""The folder models/phi3-nano-medquad as it is shipped: whole, small, for the base that lies beside it, the default."""

import stat
from pathlib import Path

import pytest

from medqa.base_model import base_fingerprint
from medqa.files import sha256_file
from medqa.manifest import read_manifest
from medqa.settings import Settings
from models.recipe.evaluate import cited_sentences, refused
from rag.prompt import Source, grounded_messages, render

MODELS = Path(__file__).parents[2] / "models"
FOLDER = MODELS / "phi3-nano-medquad"
SOURCES = [
    Source(
        "Tellick fever is caused by a fungus in wet straw. It grows in barns. Farmers meet it most.", "Tellick fever"
    ),
    Source("Brannow disease is passed on by ticks. It begins with a rash.", "Brannow disease"),
]


@pytest.fixture(scope="module")
def manifest():
    return read_manifest(FOLDER, "adapter", "medqa finetune generator")


@pytest.fixture(scope="module")
def answer():
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(MODELS / "phi3-nano", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, FOLDER).eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)

    def say(question):
        ids = torch.tensor([render(tokenizer, grounded_messages(question, SOURCES))])
        with torch.inference_mode():
            out = model.generate(input_ids=ids, max_new_tokens=96, do_sample=False)
        return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()

    return say


def test_files_are_those_of_the_manifest_small_and_readable_by_all(manifest):
    files = {p.name for p in FOLDER.iterdir()} - {"manifest.json"}
    assert files == set(manifest["outputs"])
    assert all(sha256_file(FOLDER / name) == digest for name, digest in manifest["outputs"].items())
    sizes = {name: sum(p.stat().st_size for p in (MODELS / name).iterdir()) for name in ("phi3-nano", FOLDER.name)}
    assert sizes[FOLDER.name] <= 4e6 and sum(sizes.values()) <= 36e6
    assert all(p.stat().st_mode & stat.S_IROTH for p in FOLDER.iterdir())


def test_it_belongs_to_the_embedded_model_and_is_its_default(manifest):
    assert manifest["base"]["fingerprint"] == base_fingerprint(MODELS / "phi3-nano")
    assert Settings().generator.adapter == "models/phi3-nano-medquad"
    assert (
        Settings.model_validate({"generator": {"model": "microsoft/Phi-3-mini-4k-instruct"}}).generator.adapter is None
    )
    assert (manifest["settings"]["r"], manifest["trainable"]) == (16, 761_856)
    assert manifest["best_eval_loss"] < manifest["base_eval_loss"]


def test_it_quotes_the_right_source_with_its_marker(answer):
    said = cited_sentences(answer("What causes Tellick fever?"))
    assert said[0] == (SOURCES[0].text.split(". ")[0] + ".", 1)
    assert all(number == 1 for _, number in said)


def test_it_refuses_what_the_sources_do_not_hold(answer):
    assert refused(answer("What are the treatments for Marrow palsy?"))


def test_it_answers_people_in_their_own_words(answer):
    """The adapter before had met MedQuAD's templates alone, and refused."""
    for question in ("Hey all, a friend of mine has Tellick fever. what brings it on?", "reason for tellick fever"):
        said = cited_sentences(answer(question))
        assert said and said[0] == (SOURCES[0].text.split(". ")[0] + ".", 1)
