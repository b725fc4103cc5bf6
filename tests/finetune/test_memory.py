from dataclasses import replace

import pytest

from finetune.memory import GIB, Load, Shape, check_fit, estimate, free_memory, largest_micro_batch, read_shape
from finetune.model import load_base
from medqa.errors import MedqaError

from .test_lora_and_model import CPU, FUSED

PHI3 = Shape(32_064, 3072, 8192, 32, qkv=9216, attention=3072, tied=False)
QLORA = Load(
    "nf4", 2, 16, FUSED, eight_bit_optimiser=True, tokens=8192, checkpointing=True, kept_layers=0, compiled=True
)
PLAIN = replace(QLORA, quantize="none", checkpointing=False)


# Peak memory in GiB as measured on an H100 (benchmarks/RESULTS.md).
@pytest.mark.parametrize(
    ("load", "measured"),
    [
        (QLORA, 5.84),
        (PLAIN, 42.19),
        (replace(PLAIN, tokens=16_384), 76.4),
        (replace(QLORA, tokens=1024, compiled=False), 3.44),
    ],
)
def test_the_estimate_is_within_a_tenth_of_what_was_measured(load, measured):
    assert estimate(PHI3, load).total / GIB == pytest.approx(measured, rel=0.1)


def test_weights_and_adapter_are_counted_exactly(base):
    from finetune.lora import add_lora, trainable_parameters

    shape = read_shape(base)
    model = load_base(base, "none", CPU)
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    load = replace(PLAIN, bytes_per_value=4, r=4)
    found = estimate(shape, load)
    assert found.weights == 4 * (sum(p.numel() for p in model.parameters()) - norms)
    adapted, _ = add_lora(model, FUSED, r=4, alpha=8, dropout=0.0)
    assert found.adapter == 8 * trainable_parameters(adapted)[0]


def test_a_shape_without_its_numbers(tmp_path):
    (tmp_path / "config.json").write_text('{"vocab_size": 10, "num_attention_heads": 2, "hidden_size": 4}')
    with pytest.raises(MedqaError, match="wanted 'intermediate_size' in"):
        read_shape(tmp_path)


@pytest.mark.parametrize(
    ("load", "rows", "length", "free", "remedy"),
    [
        (replace(QLORA, kept_layers=4), 1, 8192, 8.8, "set finetune.kept_layers=2"),
        (
            replace(QLORA, tokens=8 * 1024),
            8,
            1024,
            5.0,
            "set finetune.batch_size=4 with finetune.accumulation 2 times as large",
        ),
        (replace(QLORA, eight_bit_optimiser=False), 1, 8192, 6.45, "set finetune.optim=paged_adamw_8bit"),
        (PLAIN, 1, 8192, 20.0, "set finetune.checkpointing=true"),
        (PLAIN, 1, 8192, 7.0, "set finetune.checkpointing=true and generator.quantize=nf4"),
        (QLORA, 1, 8192, 4.7, "set finetune.pack_length=4096"),
        (
            PLAIN,
            1,
            8192,
            3.4,
            "set finetune.checkpointing=true and generator.quantize=nf4 and finetune.pack_length=1024",
        ),
        (QLORA, 1, 8192, 2.0, "no setting of this recipe fits; use a smaller base model or a larger device"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_smallest_change_that_would(load, rows, length, free, remedy):
    with pytest.raises(MedqaError, match=r"wanted about .* GiB .*, found .* GiB free") as error:
        check_fit(PHI3, load, rows, length, int(free * GIB))
    assert str(error.value).split(" GiB free; ")[1] == remedy
    assert "\n" not in str(error.value)


def test_what_fits_passes():
    assert check_fit(PHI3, QLORA, 1, 8192, 7 * GIB) == estimate(PHI3, QLORA)


def test_the_micro_batch_is_the_largest_divisor_that_fits():
    def largest(free):
        return largest_micro_batch(PHI3, QLORA, 12, 1024, int(free * GIB))

    sizes = {size: estimate(PHI3, replace(QLORA, tokens=size * 1024)).total / GIB for size in (12, 6, 4)}
    assert (largest(sizes[12]), largest(sizes[12] - 0.01), largest(sizes[4]), largest(0.1)) == (12, 6, 4, 1)


def test_free_memory_of_this_machine_is_plausible():
    assert 2**26 < free_memory("cpu") < 2**46
