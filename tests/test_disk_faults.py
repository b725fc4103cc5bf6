"""A full and a read-only disk: one line, exit 2, and what was there before still is. Needs root, to mount a small disk."""

import gc
import os
import subprocess
from pathlib import Path

import pytest

from medqa.cli import main
from medqa.paths import PROJECT

pytestmark = pytest.mark.faults
SAMPLE = str(PROJECT / "data/sample/health.csv")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB, and a function that makes it read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a disk here: {mounted.stderr.decode().strip()}")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    gc.collect()  # a reader's memory maps hold the disk until the cycles that they stand in are collected
    subprocess.run(["umount", str(folder)], check=True)


def content(folder: Path):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def one_line(capsys):
    error = capsys.readouterr().err
    lines = [x for x in error.splitlines() if x.startswith("medqa: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    return lines[0]


def test_a_full_disk_leaves_the_old_corpus(small_disk, capsys):
    folder, _ = small_disk
    corpus = str(folder / "corpus")
    assert main(["ingest", SAMPLE, "--out", corpus, "--limit", "100"]) == 0
    before = content(folder)
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "filler").write_bytes(b"x" * (free - 40_960))
    capsys.readouterr()
    assert main(["ingest", SAMPLE, "--out", corpus]) == 2
    assert "No space left" in one_line(capsys)
    (folder / "filler").unlink()
    assert content(folder) == before


def test_a_read_only_disk_is_told(small_disk, capsys):
    folder, make_read_only = small_disk
    corpus = str(folder / "corpus")
    assert main(["ingest", SAMPLE, "--out", corpus, "--limit", "100"]) == 0
    before = content(folder)
    make_read_only()
    capsys.readouterr()
    assert main(["ingest", SAMPLE, "--out", corpus]) == 2
    assert "Read-only" in one_line(capsys)
    assert main(["index", "build", "--corpus", corpus, "--index", str(folder / "index"), "--offline"]) == 2
    assert "Read-only" in one_line(capsys)
    assert content(folder) == before


def test_a_full_disk_leaves_the_old_index(small_disk, capsys):
    folder, _ = small_disk
    build = ["index", "build", "--index", str(folder / "index"), "--offline", "--corpus"]
    small, larger = folder / "small.csv", folder / "larger.csv"
    rows = [f"p{n},What is thing {n}?,Thing {n} is a made-up disease of organ {n} in some adults.\n" for n in range(60)]
    small.write_text("id,question,answer\n" + "".join(rows[:20]))
    larger.write_text("id,question,answer\n" + "".join(rows))
    assert main([*build, str(small)]) == 0
    before = content(folder / "index")
    for left in (20_480, 61_440, 102_400):  # full while writing passages, vectors, BM25
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / "filler").write_bytes(b"x" * (free - left))
        capsys.readouterr()
        assert main([*build, str(larger)]) == 2
        one_line(capsys)
        (folder / "filler").unlink()
        assert {k: v for k, v in content(folder / "index").items() if k in before} == before
        assert main(["index", "verify", "--index", str(folder / "index"), "--offline"]) == 0
    assert main([*build, str(larger)]) == 0
