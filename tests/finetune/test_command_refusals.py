"""What the verb refuses, in one line and before the old result is touched."""

import pytest
import torch

from finetune import command
from finetune.command import train_generator
from medqa.adapter import check_adapter
from medqa.errors import MedqaError
from tests.tiny_phi3 import save_tiny_phi3

from .conftest import folder_bytes


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("generator.quantize=nf4", "use configs/nano-cpu.yaml"),
        ("generator.model=models/none", "wanted a model folder at models/none"),
        ("finetune.targets=[q_proj]", "this model has: down_proj"),
        ("finetune.max_length=64", "raise finetune.max_length"),
        ("finetune.examples=none.jsonl", "--export"),
        ("corpus=none", "medqa ingest"),
        ("finetune.batching=packed", r"set finetune\.batch_size=1 and finetune\.pack_length"),
        ("finetune.compile=true", "batches of one shape for finetune.compile=true"),
        ("finetune.kept_layers=1", "wanted finetune.checkpointing=true with finetune.kept_layers"),
        ("finetune.report_to=tensorbored", "wanted a tracker for finetune.report_to"),
    ],
)
def test_bad_input_leaves_the_old_result_untouched(make_settings, tmp_path, override, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "old").write_text("kept")
    extra = ["finetune.closed_book=0"] if "max_length" in override else []
    with pytest.raises(MedqaError, match=message) as error:
        train_generator(make_settings(override, *extra), None)
    assert "\n" not in str(error.value)
    assert folder_bytes(tmp_path / "adapter") == {"old": b"kept"}


def test_a_full_disk_leaves_the_old_result_untouched(make_settings, tmp_path, monkeypatch):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "old").write_text("kept")

    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "save_result", no_space)
    with pytest.raises(OSError, match="No space"):
        train_generator(make_settings(), None)
    assert folder_bytes(tmp_path / "adapter") == {"old": b"kept"}


def test_an_adapter_of_another_base_is_refused(make_settings, tmp_path, base):
    train_generator(make_settings(), None)
    check_adapter(tmp_path / "adapter", base)
    check_adapter(tmp_path / "adapter", str(base))
    other = save_tiny_phi3(tmp_path / "other" / "tiny-phi3", seed=1)  # same name, same shapes, other weights
    with pytest.raises(MedqaError, match="found one of tiny-phi3"):
        check_adapter(tmp_path / "adapter", other)
    with pytest.raises(MedqaError, match="wanted a adapter folder, found none at"):
        check_adapter(tmp_path / "none", base)
    (tmp_path / "adapter" / "manifest.json").unlink()  # made elsewhere: the name decides
    check_adapter(tmp_path / "adapter", base)
    with pytest.raises(MedqaError, match="wanted an adapter of other"):
        check_adapter(tmp_path / "adapter", "other")


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ("finetune.sampling=length", "set finetune.sampling=random"),
        ("finetune.auto_batch=true", r"set finetune\.pack_length"),
        ("finetune.pack_length=512", "wanted finetune.pack_length of at least finetune.max_length=1024, found 512"),
        ("finetune.compile=true", "wanted a CUDA device for finetune.compile=true"),
        ("finetune.warmup_steps=9", "wanted fewer finetune.warmup_steps than finetune.max_steps=5, found 9"),
    ],
)
def test_contradictions_with_packing(make_settings, packed, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plain = ["finetune.batching=packed", "finetune.batch_size=1", "finetune.sampling=random", "finetune.max_steps=5"]
    with pytest.raises(MedqaError, match=message) as error:
        train_generator(make_settings(*plain, packed), None)
    assert "\n" not in str(error.value)


def test_unknown_keys_name_the_nearest(make_settings):
    with pytest.raises(MedqaError, match=r"finetune\.pack_lenght; the nearest is pack_length"):
        make_settings("finetune.pack_lenght=4096")


def test_a_recipe_that_is_too_large_is_refused_before_anything_is_loaded(make_settings, tmp_path, monkeypatch):
    monkeypatch.setattr("finetune.checks.free_memory", lambda device: 2**20)
    monkeypatch.setattr(command, "load_base", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(MedqaError, match=r"wanted about .* for this recipe, found 0\.0 GiB free"):
        train_generator(make_settings(), None)
    assert not (tmp_path / "adapter").exists()
