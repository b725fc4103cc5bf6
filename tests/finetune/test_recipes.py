"""The recipes in configs/ load and say what they should."""

import pytest

from finetune.checks import refuse_contradictions
from medqa.paths import PROJECT
from medqa.settings import load_settings

RECIPES = sorted(
    path
    for path in (PROJECT / "configs").glob("*.yaml")
    if path.read_text().startswith(f"# medqa finetune generator --config configs/{path.name}\n")
)


def test_the_recipes_are_there():
    assert {p.stem for p in RECIPES} >= {"nano-cpu", "seed-qlora", "phi3-mini-qlora", "phi3-mini-fast"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_recipes_load_and_do_not_contradict_themselves(path):
    settings = load_settings(path)
    refuse_contradictions(settings.finetune)
    assert settings.finetune.out == settings.generator.adapter
    if path.stem.startswith("phi3-mini") or path.stem == "seed-qlora":
        assert settings.finetune.checkpointing == (settings.generator.quantize == "nf4")


def test_the_reference_recipe_to_the_letter():
    settings = load_settings(PROJECT / "configs" / "seed-qlora.yaml")
    fs = settings.finetune
    assert settings.generator.quantize == "nf4" and fs.upcast and fs.checkpointing
    assert (fs.r, fs.alpha, fs.dropout, fs.max_length, fs.warmup_steps) == (16, 32, 0.1, 1024, 100)
    assert (fs.optim, fs.batching, fs.batch_size) == ("paged_adamw_8bit", "padded", 8)
    assert set(fs.targets) == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}
