"""Packed linear layers: the same numbers as torch's own, in every shape, mode and type, with LoRA switched on or off."""

import copy
import pickle

import pytest
import torch

from medqa.packed import PackedLinear, fits_twice, pack_linear_layers


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(24, 40)
        self.rest = torch.nn.Sequential(torch.nn.GELU(), torch.nn.Linear(40, 8, bias=False))

    def forward(self, x):
        return self.rest(self.first(x))


def packed():
    model = Network()
    pack_linear_layers(model)
    return model


def with_lora(**options):
    """Two layers with LoRA matrices that do something."""
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(Network(), LoraConfig(r=4, lora_alpha=8, target_modules=["first", "rest.1"], **options))
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3)
    return model.eval()


@pytest.mark.parametrize("shape", [(24,), (1, 24), (1, 15, 24), (3, 200, 24)])
def test_inference_gives_what_torch_gives(shape):
    x = torch.randn(shape)
    with torch.inference_mode():
        torch.testing.assert_close(packed()(x), Network()(x), rtol=0, atol=1e-6)


def test_bf16_gives_what_torch_gives():
    x = torch.randn(7, 24, dtype=torch.bfloat16)
    with torch.inference_mode():
        torch.testing.assert_close(packed().bfloat16()(x), Network().bfloat16()(x), rtol=0.02, atol=0.02)


def test_the_layout_answers_in_inference_not_the_weights():
    model, x = packed(), torch.randn(2, 24)
    with torch.inference_mode():
        before = model(x)
        model.first.weight.zero_()
        assert torch.equal(model(x), before)
    assert not torch.equal(model(x), before)


def test_gradients_autocast_and_other_types_go_the_usual_way():
    model, plain, x = packed(), Network(), torch.randn(5, 24)
    model(x).sum().backward()
    plain(x).sum().backward()
    assert torch.equal(model.first.weight.grad, plain.first.weight.grad)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
        assert torch.equal(model(x), plain(x))
    with torch.inference_mode():
        assert torch.equal(packed().double()(x.double()), Network().double()(x.double()))
    assert all(not m._packed for m in model.modules() if isinstance(m, PackedLinear))


def test_a_used_one_can_be_copied_and_sent_to_another_process():
    layer, x = PackedLinear(torch.nn.Linear(24, 8)), torch.randn(2, 24)
    with torch.inference_mode():
        said = layer(x)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            assert torch.equal(other(x), said)


def test_lora_counts_while_it_is_switched_on():
    plain, model = with_lora(), with_lora()
    pack_linear_layers(model)
    assert (
        sum(isinstance(m, PackedLinear) for m in model.modules()) == 2
    )  # the small matrices are not packed for themselves
    x = torch.randn(1, 15, 24)
    with torch.inference_mode():
        for _ in range(2):
            torch.testing.assert_close(model(x), plain(x), rtol=0, atol=1e-5)
            with plain.disable_adapter(), model.disable_adapter():
                torch.testing.assert_close(model(x), plain(x), rtol=0, atol=1e-5)
                torch.testing.assert_close(model(x), Network()(x), rtol=0, atol=1e-5)
        assert not torch.allclose(plain(x), Network()(x), atol=0.1)


def test_what_adds_more_than_a_product_is_left_alone():
    for model in (with_lora(use_dora=True), with_lora(lora_bias=True)):
        before = copy.deepcopy(model)
        pack_linear_layers(model)
        assert not any(isinstance(m, PackedLinear) and hasattr(m.linear, "lora_A") for m in model.modules())
        x = torch.randn(2, 24)
        with torch.inference_mode():
            torch.testing.assert_close(model(x), before(x), rtol=0, atol=1e-5)


def test_packing_twice_wraps_once():
    model = packed()
    pack_linear_layers(model)
    assert sum(isinstance(m, PackedLinear) for m in model.modules()) == 2


def test_without_onednn_nothing_is_replaced(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not any(isinstance(m, PackedLinear) for m in packed().modules())


def test_a_model_of_more_than_a_gibibyte_does_not_fit_twice():
    layer = torch.nn.Linear(2**14, 2**14, bias=False, device="meta", dtype=torch.float32)
    assert fits_twice(layer)
    assert not fits_twice(torch.nn.Sequential(layer, torch.nn.Linear(1, 1, bias=False, device="meta")))
