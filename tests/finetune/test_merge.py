import json
import shutil
import stat

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune.jsonl import write_examples
from finetune.lora import add_lora
from finetune.masking import IGNORE, Encoded
from finetune.merge_command import merge
from finetune.parity import gate, measure_parity
from finetune.row_scores import RowScore, mean_loss, score_rows
from medqa.adapter import KIND, check_adapter, read_adapter
from medqa.base_model import base_fingerprint
from medqa.errors import GateFailed, MedqaError
from medqa.manifest import write_manifest
from medqa.settings import load_settings
from tests.tiny_phi3 import save_tiny_phi3, tiny_model, tiny_tokenizer

from .conftest import make_pair
from .test_examples import Shares, build

IDS = torch.tensor([[1, 40, 41, 42, 43, 44, 4]])
ALL = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")


def save_adapter(folder, base, quantize="none", targets=ALL, size=0.3):
    """An adapter that changes much: trained ones start at B = 0, this one does not."""
    from transformers import AutoModelForCausalLM

    model, _ = add_lora(AutoModelForCausalLM.from_pretrained(base), targets, r=4, alpha=8, dropout=0.1)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)
    model.save_pretrained(folder, save_embedding_layers=False)
    tiny_tokenizer().save_pretrained(folder)
    facts = {"base": {"name": "tiny-phi3", "fingerprint": base_fingerprint(base)}}
    write_manifest(folder, KIND, {}, {"quantize": quantize}, facts)
    return folder


@pytest.fixture
def adapter(tmp_path, base):
    return save_adapter(tmp_path / "adapter", base)


@pytest.fixture
def make_settings(tmp_path, base):
    pairs = [make_pair(n, f"Topic{n // 3}", "train" if n < 12 else "validation") for n in range(24)]
    write_examples(tmp_path / "examples.jsonl", build(pairs, Shares(0.3, 0.5, 0.2), limit=2))

    def make(*overrides):
        values = {
            "generator.model": base, "generator.device": "cpu", "corpus": tmp_path / "none", "merge.serve": "float32",
            "finetune.examples": tmp_path / "examples.jsonl", "merge.rows": 8,
        }  # fmt: skip
        return load_settings(None, [*(f"{k}={v}" for k, v in values.items()), *overrides])

    return make


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def adapted(base, adapter):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()


def test_stock_transformers_loads_the_merged_folder_and_it_is_base_plus_adapter(make_settings, adapter, tmp_path, base):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (base / "tokenizer.model").write_bytes(b"sentencepiece")
    made = merge(make_settings(), adapter, tmp_path / "merged")
    (base / "tokenizer.model").unlink()
    assert made["rows"] == 8 and made["loss_difference"] < 1e-5 and made["greedy_agreement"] == 1.0

    model, loading = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not any(loading[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    torch.testing.assert_close(logits(model), logits(adapted(base, adapter)), atol=1e-5, rtol=1e-4)
    plain = AutoModelForCausalLM.from_pretrained(base)
    assert (logits(model) - logits(plain)).abs().max() > 0.1  # the adapter is in it
    messages = [{"role": "user", "content": "hello"}]
    both = [
        AutoTokenizer.from_pretrained(f).apply_chat_template(messages, tokenize=False)
        for f in (base, tmp_path / "merged")
    ]
    assert both[0] == both[1]


def test_the_folder_has_what_servers_read_and_nothing_of_an_adapter(make_settings, adapter, tmp_path, base):
    # A tiny random model has many near-ties, which bf16 turns around: the bounds are for the other tests.
    bounds = ("merge.min_agreement=0.5", "merge.max_loss_difference=0.1")
    merge(make_settings("merge.serve=bfloat16", *bounds), adapter, tmp_path / "merged")
    names = {p.name for p in (tmp_path / "merged").iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "manifest.json"}
    assert not {n for n in names if "adapter" in n}
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert config["architectures"] == ["Phi3ForCausalLM"] and config["dtype"] == "bfloat16" and config["use_cache"]
    assert "quantization_config" not in config and config["tie_word_embeddings"] is True
    weights, original = load_file(tmp_path / "merged" / "model.safetensors"), load_file(base / "model.safetensors")
    assert weights.keys() == original.keys()  # the tied head is not stored twice, and no lora_A, lora_B, base_layer
    assert {w.dtype for w in weights.values()} == {torch.bfloat16}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o644 for p in (tmp_path / "merged").iterdir())
    for file in (tmp_path / "merged").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes() and str(base.parent).encode() not in file.read_bytes()


def test_merged_weights_are_the_formula_rounded_once(make_settings, adapter, tmp_path, base):
    bounds = ("merge.min_agreement=0.5", "merge.max_loss_difference=0.1")
    merge(make_settings("merge.serve=bfloat16", *bounds), adapter, tmp_path / "merged")
    name = "layers.1.self_attn.o_proj"
    lora = load_file(adapter / "adapter_model.safetensors")
    a, b = (lora[f"base_model.model.model.{name}.lora_{m}.weight"] for m in "AB")
    served = load_file(base / "model.safetensors")[f"model.{name}.weight"].bfloat16()
    by_hand = served.float() + 2.0 * b @ a  # alpha / r = 8 / 4
    found = load_file(tmp_path / "merged" / "model.safetensors")[f"model.{name}.weight"]
    # Equal up to the order of a sum of four products, which can tip the rounding of a few numbers by one bf16 step.
    assert (found == by_hand.bfloat16()).float().mean() > 0.99
    torch.testing.assert_close(found.float(), by_hand, atol=0.01, rtol=0.01)


@pytest.mark.usefixtures("small_4_bit_weights")
def test_an_adapter_trained_on_nf4_is_merged_into_the_4_bit_values(make_settings, tmp_path, base):
    adapter = save_adapter(tmp_path / "adapter", base, quantize="nf4")
    made = merge(make_settings(), adapter, tmp_path / "merged")
    assert made["dequantised"] and made["reference"] == "NF4 with products in float32"
    assert made["loss_difference"] < 1e-4 and made["greedy_agreement"] > 0.99
    original = merge(
        make_settings("merge.weights=original", "merge.min_agreement=0", "merge.max_loss_difference=1"),
        adapter,
        tmp_path / "other",
    )
    assert not original["dequantised"]  # the 4-bit rounding that the adapter was trained beside is gone: another model
    assert original["worst_row_difference"] > 10 * made["worst_row_difference"]
    with pytest.raises(GateFailed, match=r"set merge\.weights=trained"):
        merge(make_settings("merge.weights=original", "merge.max_loss_difference=0"), adapter, tmp_path / "third")


@pytest.mark.usefixtures("small_4_bit_weights")
def test_served_in_4_bits_it_is_checked_in_4_bits_and_a_failed_gate_writes_nothing(make_settings, adapter, tmp_path):
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "old").write_text("kept")
    settings = make_settings("merge.serve=nf4", "merge.max_loss_difference=0")
    with pytest.raises(GateFailed, match="NF4 with products in") as error:
        merge(settings, adapter, tmp_path / "merged")
    assert error.value.exit_code == 1 and "\n" not in str(error.value)
    assert {p.name for p in (tmp_path / "merged").iterdir()} == {"old"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".merged")]


def test_a_head_tied_to_the_embeddings_is_untied_when_the_adapter_changes_it(make_settings, tmp_path, base):
    from transformers import AutoModelForCausalLM

    adapter = save_adapter(tmp_path / "adapter", base, targets=("lm_head", "o_proj"))
    made = merge(make_settings(), adapter, tmp_path / "merged")
    assert made["loss_difference"] < 1e-5
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(logits(model), logits(adapted(base, adapter)), atol=1e-5, rtol=1e-4)
    embeddings = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    assert torch.equal(model.get_input_embeddings().weight, embeddings)  # untouched
    assert not torch.equal(model.get_output_embeddings().weight, embeddings)


def damage_by_a_bit(adapter):
    weights = adapter / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def cut_short(adapter):
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    (adapter / "manifest.json").unlink()  # as if made elsewhere: no hash to compare with


def without_a_matrix(adapter):
    weights = load_file(adapter / "adapter_model.safetensors")
    weights.pop(next(iter(weights)))
    save_file(weights, adapter / "adapter_model.safetensors")
    (adapter / "manifest.json").unlink()


def not_a_number(adapter):
    weights = load_file(adapter / "adapter_model.safetensors")
    weights[next(iter(weights))][:] = float("nan")
    save_file(weights, adapter / "adapter_model.safetensors")
    (adapter / "manifest.json").unlink()


def of_another_shape(adapter):
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({k: w.repeat(1, 2) for k, w in weights.items()}, adapter / "adapter_model.safetensors")
    (adapter / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_by_a_bit, "as it was written, found it changed"),
        (cut_short, "found none that loads"),
        (without_a_matrix, "found some missing"),
        (not_a_number, "wanted finite numbers"),
        (of_another_shape, "found none that loads"),
        (lambda a: shutil.rmtree(a), "wanted a adapter folder, found none"),
        (lambda a: (a / "manifest.json").unlink() or (a / "adapter_config.json").unlink(), "found no manifest.json"),
    ],
)
def test_a_damaged_adapter_is_one_clear_line(make_settings, adapter, tmp_path, damage, message):
    damage(adapter)
    if (adapter / "adapter_config.json").is_file() and not (adapter / "manifest.json").is_file():
        config = json.loads((adapter / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = "tiny-phi3"  # the name decides where there is no manifest
        (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(MedqaError, match=message) as error:
        merge(make_settings(), adapter, tmp_path / "merged")
    assert "\n" not in str(error.value) and error.value.exit_code == 2
    assert not (tmp_path / "merged").exists()


def test_another_base_no_rows_and_no_base(make_settings, adapter, tmp_path):
    other = save_tiny_phi3(tmp_path / "other" / "tiny-phi3", seed=1)
    with pytest.raises(MedqaError, match="found one of tiny-phi3"):
        merge(make_settings(f"generator.model={other}"), adapter, tmp_path / "merged")
    with pytest.raises(MedqaError, match="wanted examples "):
        merge(make_settings("finetune.examples=none.jsonl"), adapter, tmp_path / "merged")
    settings = load_settings(None, ["generator.device=cpu"])
    with pytest.raises(MedqaError, match="wanted a model folder at tiny-phi3"):
        merge(settings, adapter, tmp_path / "merged")


def test_read_adapter_and_check_adapter(adapter, base):
    assert (read_adapter(adapter).base, read_adapter(adapter).quantize) == ("tiny-phi3", "none")
    check_adapter(adapter, base)
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(MedqaError, match="changed or gone"):
        check_adapter(adapter, base)


def test_row_scores_against_the_models_own_loss():
    model = tiny_model().train()
    rows = [Encoded([1, 9, 8, 7, 6, 4], [IGNORE] * 3 + [7, 6, 4]), Encoded([1, 30, 31, 4], [IGNORE, 30, 31, 4])]
    scores = score_rows(model, rows, "test")
    assert model.training  # put back
    model.eval()
    for row, score in zip(rows, scores, strict=True):
        with torch.no_grad():
            out = model(input_ids=torch.tensor([row.input_ids]), labels=torch.tensor([row.labels]))
        assert score.tokens == 3 and score.loss == pytest.approx(3 * float(out.loss), rel=1e-5)
        places = [i - 1 for i, label in enumerate(row.labels) if label != IGNORE]
        assert list(score.greedy) == out.logits[0, places].argmax(-1).tolist()


def test_parity_by_hand_and_its_gate():
    reference = [RowScore(2.0, 2, (1, 2)), RowScore(9.0, 3, (3, 4, 5))]
    merged = [RowScore(4.0, 2, (1, 2)), RowScore(9.0, 3, (3, 9, 5))]
    parity = measure_parity(reference, merged)
    assert mean_loss(reference) == 11 / 5  # by tokens, not by rows
    assert (parity.loss_difference, parity.worst_row_difference, parity.greedy_agreement) == (0.4, 1.0, 0.8)
    gate(parity, 0.4, 0.8, "base", "serve it unmerged")
    for bounds in ((0.39, 0.8), (0.4, 0.81)):
        with pytest.raises(GateFailed, match=r"found 0\.4 and 80\.0% on 2 validation rows; serve it unmerged"):
            gate(parity, *bounds, "base", "serve it unmerged")
    undefined = measure_parity(reference, [RowScore(float("nan"), 2, (1, 2)), merged[1]])
    with pytest.raises(GateFailed):
        gate(undefined, 1e9, 0, "base", "serve it unmerged")
