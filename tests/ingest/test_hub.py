"""Data sets by id: the hub itself is never reached; a local folder stands for it, read by the same library call."""

from pathlib import Path

import pytest

from ingest.command import ingest
from ingest.hub import hub_revision, is_hub_id, read_hub
from ingest.readers import read_rows
from medqa.errors import MedqaError
from medqa.settings import load_settings


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A data set with two splits, under a name like an id; the switch that forbids the hub is off for our own check."""
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text(
        'Frage,answer\nWhat is gout?,"A painful, hot joint."\nWhat is croup?,A barking cough.\n'
    )
    (folder / "test.csv").write_text("Frage,answer\nWhat is asthma?,Narrow airways.\n")
    monkeypatch.setattr("ingest.hub.is_offline", lambda: False)
    return folder


def test_ids_are_told_from_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id(Path("owner/name-1.0"))
    assert not is_hub_id(Path("owner"))
    assert not is_hub_id(Path("data/missing.csv"))
    assert not is_hub_id(Path("a/b/c"))
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert not is_hub_id(Path("owner/name"))


def test_rows_of_all_splits_stream_with_their_split_in_the_file_name(dataset):
    rows = list(read_hub(str(dataset), {"question": "Frage"}))
    assert [(r.file.removeprefix(f"{dataset}/"), r.row, r.fields["question"]) for r in rows] == [
        ("test", 1, "What is asthma?"),
        ("train", 1, "What is gout?"),
        ("train", 2, "What is croup?"),
    ]
    assert rows[1].fields["answer"] == "A painful, hot joint."
    with pytest.raises(MedqaError, match="wanted a column 'question'"):
        list(read_hub(str(dataset), {}))


def test_offline_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: list(read_rows(Path("owner/name"), {})), lambda: hub_revision("owner/name")):
        with pytest.raises(MedqaError, match="owner/name, found nothing there, and the hub is off limits offline"):
            call()
    with pytest.raises(MedqaError, match="off limits"):
        ingest([Path("owner/name")], tmp_path / "corpus", load_settings(None))
    assert not (tmp_path / "corpus").exists()


def test_an_unreachable_hub_is_one_line(monkeypatch, dataset, tmp_path):
    import huggingface_hub

    def refuse(self, name):
        raise RuntimeError("name or service\nnot known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    for call in (lambda: hub_revision("owner/name"), lambda: list(read_hub(str(tmp_path / "nothing"), {}))):
        with pytest.raises(MedqaError, match="as a data set of the hub: ") as caught:
            call()
        assert "\n" not in str(caught.value)
