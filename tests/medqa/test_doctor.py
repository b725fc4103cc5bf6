import importlib.metadata
import json

import pytest

from medqa import doctor
from medqa.doctor import Check
from medqa.environment import prepare
from medqa.errors import MedqaError
from medqa.settings import Settings

REQUIRES = [
    "alpha>=2",
    'beta<3,>=1; extra == "ui"',
    'alpha>=2; extra == "ui"',
    'medqa[ui]; extra == "all"',
]


@pytest.fixture
def installed(monkeypatch):
    """Pretend that these are the installed versions, and REQUIRES what the package asks for."""
    versions: dict[str, str] = {}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


@pytest.mark.parametrize(
    ("alpha", "ok", "found"),
    [
        ("2.0", True, "1 packages within their ranges"),
        ("2.13.0+cpu", True, "1 packages within their ranges"),
        ("1.9", False, "alpha 1.9 (wanted >=2)"),
        (None, False, "alpha is missing"),
    ],
)
def test_core_packages_against_their_ranges(installed, alpha, ok, found):
    if alpha:
        installed["alpha"] = alpha
    check = doctor.check_packages("", needed=True)
    assert (check.ok, check.found, bool(check.remedy)) == (ok, found, not ok)


def test_an_extra_outside_its_range_is_a_note_not_a_failure(installed):
    installed.update(alpha="2.0", beta="3.0")
    check = doctor.check_packages("ui", needed=False)
    assert check.ok is None and check.found == "beta 3.0 (wanted <3,>=1)" and check.remedy == doctor.INSTALL


def test_the_packages_of_this_environment_are_within_their_ranges():
    for extra in ("", "train", "eval", "ui"):
        check = doctor.check_packages(extra, needed=not extra)
        assert check.ok, check.found
        assert int(check.found.split()[0]) >= 1


def test_python_of_this_environment():
    assert doctor.check_python().ok


def test_a_model_folder_names_what_it_lacks(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    check = doctor.check_model(str(tmp_path), offline=True)
    assert check.ok is False and check.found.endswith("lacks tokenizer_config.json, *.safetensors")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(3 * 2**20))
    check = doctor.check_model(str(tmp_path), offline=True)
    assert check.ok and check.found.endswith("3.0 MiB in 1 file")


def test_a_missing_model_fails_and_a_hub_id_is_not_looked_at(tmp_path):
    assert doctor.check_model(str(tmp_path / "none"), offline=False).ok is False
    assert doctor.check_model("models/none-at-all", offline=False).ok is False
    assert doctor.check_model("microsoft/Phi-3-mini-4k-instruct", offline=True).ok is None


def test_no_adapter_is_a_note_with_its_command(tmp_path):
    assert doctor.check_adapter_fits(None, "models/phi3-nano").ok is None
    check = doctor.check_adapter_fits(str(tmp_path / "none"), "models/phi3-nano")
    assert check.ok is None and "finetune generator" in check.remedy


def test_an_adapter_of_another_base_model_fails(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "somebody/other-model"}))
    with pytest.raises(MedqaError, match="other-model"):
        doctor.check_adapter_fits(str(tmp_path), "microsoft/Phi-3-mini-4k-instruct")


def test_corpus_missing_damaged_and_sound(tmp_path):
    missing = doctor.check_corpus(str(tmp_path / "none"))
    assert missing.ok is None and missing.remedy.endswith(f"--out {tmp_path / 'none'}")
    plain = tmp_path / "pairs.csv"
    plain.write_text("id,question,answer,split\na,Why?,So.,train\nb,How?,Thus.,test\n")
    assert doctor.check_corpus(str(plain)).found.endswith("2 pairs (train 1, test 1)")
    plain.write_text("question\nWhy?\n")
    assert doctor.check_corpus(str(plain)).ok is False


def test_disk_and_memory_below_the_wanted_amounts_are_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: doctor.shutil._ntuple_diskusage(9, 8, 2**29))
    disk = doctor.check_disk(str(tmp_path / "not" / "yet" / "there"))
    assert disk.ok is None and disk.found == f"0.5 GiB free at {tmp_path} (wanted 2)"
    monkeypatch.setattr(doctor, "memory_gib", lambda: 1.5)
    machine = doctor.check_machine()
    assert machine.ok is None and "1.5 GiB memory (wanted 4 GiB)" in machine.found


def test_a_missing_browser_is_a_note_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.check_browser() == Check(
        "browser",
        None,
        "no Chromium: the browser tests are skipped",
        "apt-get install --no-install-recommends chromium fonts-dejavu-core",
    )


def test_privacy_follows_the_switches_that_prepare_sets(monkeypatch):
    for name in doctor._TELEMETRY:
        monkeypatch.setenv(name, "unset")
    assert doctor.check_privacy(offline=False).ok is None
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # restored after the test, as the others are
    prepare(offline=False)
    assert doctor.check_privacy(offline=False) == Check(
        "privacy", True, "telemetry off; a hub is contacted for models that are not here"
    )


def test_diagnosis_of_an_empty_place_fails_on_model_and_index_only(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "check_encoder", lambda name, size: Check("encoder", True, name))
    none = str(tmp_path / "none")
    settings = Settings.model_validate(
        {"corpus": none, "index": none, "generator": {"model": none, "adapter": none}, "offline": True}
    )
    checks = doctor.diagnose(settings)
    assert [c.name for c in checks if c.ok is False] == ["model", "index"]
    index = next(c for c in checks if c.name == "index")
    assert index.remedy == f"medqa index build --corpus {none} --index {none}"
    assert all(c.remedy for c in checks if not c.ok and c.name != "model")


def test_nothing_is_loaded_when_the_packages_are_missing(installed, monkeypatch):
    for name in ("check_torch", "check_encoder", "check_index"):
        monkeypatch.setattr(doctor, name, lambda *_: pytest.fail("looked at"))
    assert [c.name for c in doctor.diagnose(Settings()) if c.ok is False] == ["packages"]


def test_format_shows_each_remedy_below_its_finding():
    text = doctor.format_checks([Check("disk", True, "9 GiB"), Check("index", False, "none", "medqa index build")])
    assert text.split("\n") == [
        "ok    disk   9 GiB",
        "FAIL  index  none",
        "             -> medqa index build",
        "failed: index",
    ]
    assert doctor.format_checks([Check("disk", None, "full", "x")]).endswith("default use needs is there")
