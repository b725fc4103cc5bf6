import pytest

from medqa.errors import MedqaError
from medqa.records import VARIANTS
from medqa.settings import Settings
from ui.variants import EXPLANATIONS, NAMES, possible_variants


@pytest.fixture
def index(tmp_path):
    generation = tmp_path / "index" / "generations" / "000001"
    generation.mkdir(parents=True)
    (generation / "manifest.json").write_text("{}")
    (tmp_path / "index" / "CURRENT").write_text("000001\n")
    return str(tmp_path / "index")


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return str(tmp_path / "model")


@pytest.fixture
def adapter(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    return str(tmp_path / "adapter")


def settings(index: str, **generator) -> Settings:
    return Settings.model_validate({"index": index, "generator": generator})


def test_every_variant_has_a_name_and_an_explanation():
    assert set(NAMES) == set(EXPLANATIONS) == set(VARIANTS)


def test_all_variants_with_everything_at_hand(index, model, adapter):
    assert possible_variants(settings(index, model=model, adapter=adapter)) == tuple(NAMES)


def test_no_tuned_variant_without_an_adapter(index, model):
    assert possible_variants(settings(index, model=model, adapter=None)) == ("plain+rag", "extractive", "plain")


def test_quotes_only_without_the_default_model(index, monkeypatch, tmp_path):
    monkeypatch.setattr("medqa.paths.PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert possible_variants(settings(index)) == ("extractive",)


def test_a_hub_id_counts_as_a_model(index):
    assert "plain+rag" in possible_variants(settings(index, model="microsoft/Phi-3-mini-4k-instruct", adapter=None))


@pytest.mark.parametrize("model", ["/nowhere/at/all", "models/none", "runs/none"])
def test_a_model_asked_for_by_name_must_be_there(index, model):
    with pytest.raises(MedqaError, match=f"model folder at {model}"):
        possible_variants(settings(index, model=model))


def test_an_adapter_asked_for_by_name_must_be_there(index, model):
    with pytest.raises(MedqaError, match="adapter at /nowhere"):
        possible_variants(settings(index, model=model, adapter="/nowhere"))


def test_no_index_is_an_error_that_names_the_command(tmp_path):
    with pytest.raises(MedqaError, match=r"wanted an index at .*medqa index build"):
        possible_variants(settings(str(tmp_path / "none")))
