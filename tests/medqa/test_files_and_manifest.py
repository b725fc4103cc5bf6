import json
import os
import stat

import pytest

from medqa.errors import MedqaError
from medqa.files import (
    read_json,
    recover_folder,
    sha256_bytes,
    sha256_tree,
    staged_folder,
    write_atomically,
    write_json,
)
from medqa.manifest import is_current, read_manifest, recipe_key, write_manifest


def test_sha256_of_a_known_value():
    assert sha256_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    write_atomically(file, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_written_files_can_be_read_by_others(tmp_path):
    write_atomically(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_read_json_says_what_is_wrong(tmp_path):
    with pytest.raises(MedqaError, match="found none"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(MedqaError, match="wanted JSON"):
        read_json(tmp_path / "a.json")


def fill(folder, content):
    with staged_folder(folder) as stage:
        (stage / "data").write_text(content)


def test_a_failed_build_leaves_the_old_folder(tmp_path):
    target = tmp_path / "out"
    fill(target, "old")
    with pytest.raises(RuntimeError), staged_folder(target) as stage:
        (stage / "data").write_text("new")
        raise RuntimeError
    assert (target / "data").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_finished_build_replaces_the_folder(tmp_path):
    fill(tmp_path / "out", "old")
    fill(tmp_path / "out", "new")
    assert (tmp_path / "out" / "data").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_swap_cut_between_its_renames_is_undone(tmp_path):
    target = tmp_path / "out"
    fill(target, "old")
    os.replace(target, tmp_path / ".out.previous")
    recover_folder(target)
    assert (target / "data").read_text() == "old"


def test_tree_hash_sees_names_and_content(tmp_path):
    (tmp_path / "a").write_text("1")
    first = sha256_tree(tmp_path)
    (tmp_path / "a").write_text("2")
    second = sha256_tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, sha256_tree(tmp_path)}) == 3


def test_manifest_is_current_until_a_file_or_the_recipe_changes(tmp_path):
    (tmp_path / "data").write_text("x")
    manifest = write_manifest(tmp_path, "thing", {"in": "h"}, {"a": 1}, {"rows": 3})
    key = recipe_key("thing", {"in": "h"}, {"a": 1})
    assert manifest["key"] == key
    assert is_current(tmp_path, "thing", key)
    assert not is_current(tmp_path, "thing", recipe_key("thing", {"in": "h"}, {"a": 2}))
    assert not is_current(tmp_path, "other", key)
    (tmp_path / "data").write_text("y")
    assert not is_current(tmp_path, "thing", key)


def test_read_manifest_tells_missing_unfinished_and_foreign_apart(tmp_path):
    with pytest.raises(MedqaError, match=r"found none.*make it with: make me"):
        read_manifest(tmp_path / "no", "thing", "make me")
    with pytest.raises(MedqaError, match=r"found no manifest\.json"):
        read_manifest(tmp_path, "thing", "make me")
    write_manifest(tmp_path, "other", {}, {}, {})
    with pytest.raises(MedqaError, match="found: other"):
        read_manifest(tmp_path, "thing", "make me")
    (tmp_path / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(MedqaError, match="found: list"):
        read_manifest(tmp_path, "thing", "make me")
