"""An adapter made small enough to ship: the same matrices in bf16, the same tokenizer, a manifest that fits."""

import json
import stat

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa.errors import MedqaError
from medqa.files import sha256_file
from medqa.manifest import read_manifest, write_manifest
from models.recipe.adapter import ship


@pytest.fixture
def trained(tmp_path):
    folder = tmp_path / "trained"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    matrices = {f"lora_{n}.weight": torch.randn(4, 8, generator=generator) for n in "AB"}
    save_file(matrices, folder / "adapter_model.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"é": 0}}}, indent=2))
    (folder / "README.md").write_text("written by the run")
    write_manifest(folder, "adapter", {"corpus": "c"}, {"r": 4}, {"steps": 7})
    return folder


def test_matrices_are_rounded_and_everything_else_says_the_same(trained, tmp_path):
    target = tmp_path / "new" / "shipped"
    ship(trained, target)
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (trained, target))
    assert {n: t.dtype for n, t in after.items()} == dict.fromkeys(before, torch.bfloat16)
    for name, tensor in before.items():  # bf16 has 8 bits of mantissa: half of the last one is 2^-9 of the number
        assert torch.all((after[name].float() - tensor).abs() <= tensor.abs() * 2**-8)
    assert (target / "tokenizer.json").read_text() == '{"model":{"vocab":{"é":0}}}'
    assert (target / "README.md").read_text() == "written by the run"
    old, new = (read_manifest(folder, "adapter", "") for folder in (trained, target))
    assert new["outputs"] == {n: sha256_file(target / n) for n in old["outputs"]} != old["outputs"]
    assert new | {"outputs": 0} == old | {"outputs": 0}
    assert all(p.stat().st_mode & stat.S_IROTH for p in target.iterdir())


def test_a_card_written_by_hand_stays(trained, tmp_path):
    target = tmp_path / "shipped"
    target.mkdir()
    (target / "README.md").write_text("by hand")
    ship(trained, target)
    assert (target / "README.md").read_text() == "by hand"
    assert read_manifest(target, "adapter", "")["outputs"]["README.md"] == sha256_file(target / "README.md")


def test_what_fails_half_way_leaves_the_shipped_one_whole(trained, tmp_path):
    target = tmp_path / "shipped"
    ship(trained, target)
    before = {p.name: p.read_bytes() for p in target.iterdir()}
    (trained / "tokenizer.json").write_text("{")
    with pytest.raises(json.JSONDecodeError):
        ship(trained, target)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == before


def test_what_is_no_adapter_leaves_the_target_as_it_was(trained, tmp_path):
    (trained / "manifest.json").unlink()
    with pytest.raises(MedqaError, match="wanted a complete adapter"):
        ship(trained, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()
