import pytest

from finetune.lora import add_lora, find_targets, trainable_parameters
from finetune.model import Compute, choose_compute, load_base
from medqa.base_model import base_fingerprint, portable_name, resolve_model
from medqa.errors import MedqaError
from medqa.paths import PROJECT
from tests.tiny_phi3 import save_tiny_phi3, tiny_model

FUSED = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
CPU = Compute("cpu", "float32", "")


def test_fused_targets_are_found_in_every_layer():
    names = find_targets(tiny_model(), FUSED)
    assert len(names) == 8 and names[0] == "model.layers.0.self_attn.o_proj"


@pytest.mark.parametrize("targets", [("q_proj", "o_proj"), ("nothing",), (), ("norm",)])
def test_targets_that_match_nothing_list_what_there_is(targets):
    with pytest.raises(MedqaError, match="this model has: down_proj, gate_up_proj, lm_head, o_proj, qkv_proj"):
        find_targets(tiny_model(), targets)


def test_lora_trains_its_matrices_only():
    model, modules = add_lora(tiny_model(), FUSED, r=4, alpha=8, dropout=0.0)
    # per layer, (in + out) x r: qkv 32+96, o 32+32, gate_up 32+96, down 48+32
    assert trainable_parameters(model)[0] == 2 * 4 * (128 + 64 + 128 + 80)
    assert modules == 8


def test_4bit_recipe_without_cuda_says_what_to_use(base):
    with pytest.raises(MedqaError, match=r"use configs/nano-cpu\.yaml"):
        load_base(base, "nf4", CPU)


def test_base_is_loaded_without_cache(base):
    assert load_base(base, "none", CPU).config.use_cache is False


@pytest.mark.parametrize("name", ["models/none", "./none", "/none/at/all", "none", "a/b/c"])
def test_a_missing_folder_is_no_hub_id(name):
    with pytest.raises(MedqaError, match="wanted a model folder at"):
        resolve_model(name, offline=False)


def test_a_hub_id_without_local_copy(closed_network):
    with pytest.raises(MedqaError, match=r"no local copy.*leave out --offline"):
        resolve_model("someone/some-model", offline=True)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(MedqaError, match=r"found no config\.json"):
        resolve_model(str(tmp_path), offline=True)
    with pytest.raises(MedqaError, match="wanted model weights"):
        base_fingerprint(tmp_path)


def test_fingerprint_follows_the_weights_alone(tmp_path, base):
    same, other = save_tiny_phi3(tmp_path / "same"), save_tiny_phi3(tmp_path / "other", seed=1)
    (same / "config.json").write_text("{}")
    assert base_fingerprint(same) == base_fingerprint(base) != base_fingerprint(other)


def test_portable_names():
    assert portable_name(str(PROJECT / "models" / "phi3-nano")) == "models/phi3-nano"
    assert portable_name("microsoft/Phi-3-mini-4k-instruct") == "microsoft/Phi-3-mini-4k-instruct"
    assert portable_name("/home/someone/phi") == "phi"


def test_cpu_compute_gives_its_reason(monkeypatch):
    monkeypatch.setattr("finetune.model.cpu_has_bf16", lambda: False)
    monkeypatch.setattr("finetune.model.pick_dtype", lambda _: "float32")
    assert choose_compute("cpu") == Compute("cpu", "float32", "the CPU has no bf16 instructions")
