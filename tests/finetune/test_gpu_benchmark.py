"""benchmarks/finetune_gpu.py: which variants run, in which order, and what its table says of those that did not."""

import argparse

import pytest

from benchmarks.finetune_gpu import chosen_variants, nothing, table


def test_the_reference_and_the_12_gb_recipe_always_run_and_first() -> None:
    assert chosen_variants("overhead,trl_sft_packing") == [
        "reference_padded_8x1024",
        "qlora_12gb",
        "trl_sft_packing",
        "overhead",
    ]
    assert chosen_variants("") == ["reference_padded_8x1024", "qlora_12gb"]


def test_an_unknown_variant_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="unknown: trl; there are reference_padded_8x1024, "):
        chosen_variants("trl")


def test_ratios_are_to_the_reference_and_null_without_figures() -> None:
    found = {
        "reference_padded_8x1024": {"tokens_per_s": 2000},
        "a": {"tokens_per_s": 5000},
        "b": nothing("no time left"),
    }
    lines = table(found, ["a", "b"])
    assert lines[0].startswith("| a | 5000 | 2.50 |")
    assert lines[1].startswith("| b | None | null |")
