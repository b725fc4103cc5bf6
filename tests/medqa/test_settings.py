from pathlib import Path

import pytest
import yaml

from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.settings import Settings, load_settings

CONFIGS = sorted(PROJECT.glob("configs/**/*.yaml"))


def test_overrides_win_over_the_file_and_are_read_as_yaml(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("retrieval: {k: 3}\nseed: 5\n")
    settings = load_settings(file, ["retrieval.k=7", "eval.variants=[plain, extractive]", "generator.adapter=null"])
    assert settings.retrieval.k == 7
    assert settings.seed == 5
    assert settings.eval.variants == ("plain", "extractive")
    assert settings.generator.adapter is None


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("retrieval.kk=5", "retrieval.kk; the nearest is k"),
        ("retrievl.k=5", "the nearest is retrieval"),
        ("finetune.r=0", "greater than or equal to 1, found 0"),
        ("eval.variants=[best]", "found 'best'"),
        ("seed", "--set key=value"),
        ("seed.x.y=1", "seed"),
        ("retrieval.k=[1", "YAML value"),
    ],
)
def test_wrong_settings_are_one_line_that_names_them(override, complaint):
    with pytest.raises(MedqaError) as error:
        load_settings(None, [override])
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["a: [1", "- a\n- b", "\x00"])
def test_files_that_are_not_settings(tmp_path, content):
    file = tmp_path / "c.yaml"
    file.write_text(content)
    with pytest.raises(MedqaError, match="wanted"):
        load_settings(file)


def test_missing_file_and_empty_file(tmp_path):
    with pytest.raises(MedqaError, match="none that can be read"):
        load_settings(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert load_settings(tmp_path / "empty.yaml") == Settings()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda p: p.name)
def test_every_config_loads_and_opens_with_its_launch_command(config: Path):
    load_settings(config)
    first = config.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert f"configs/{config.name}" in "\n".join(config.read_text(encoding="utf-8").splitlines()[:6])


def test_there_are_configs():
    assert CONFIGS


def test_defaults_survive_a_round_trip_through_yaml(tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump(Settings().model_dump(mode="json")))
    assert load_settings(file) == Settings()
