import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from medqa.errors import MedqaError
from medqa.files import write_json
from retrieval import generations

FULL = Path("/dev/full")  # every write to it fails as on a full disk
HOLD = """
import sys
from pathlib import Path
from retrieval import generations
with generations.writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def publish(index, text="x", keep=3):
    with generations.writer(index), generations.new_generation(index, keep) as folder:
        (folder / "data").write_text(text)
        write_json(folder / "manifest.json", {})
    return generations.current(index)


def names(index):
    return sorted(p.name for p in (index / "generations").iterdir())


def test_generations_are_numbered_current_and_pruned(tmp_path):
    index = tmp_path / "index"
    assert [publish(index, keep=2).name for _ in range(4)] == ["000001", "000002", "000003", "000004"]
    assert names(index) == ["000003", "000004"]
    assert (index / "CURRENT").read_text() == "000004\n"


def test_a_failed_writer_changes_nothing(tmp_path):
    publish(tmp_path)
    with pytest.raises(KeyError), generations.writer(tmp_path), generations.new_generation(tmp_path, 3) as folder:
        (folder / "half").write_text("x")
        raise KeyError
    assert names(tmp_path) == ["000001"]
    assert generations.current(tmp_path).name == "000001"


def test_leftovers_of_a_crash_are_ignored_then_cleaned(tmp_path):
    publish(tmp_path)
    (tmp_path / "generations" / ".000002.new-abc").mkdir()
    (tmp_path / "generations" / "000007").mkdir()  # without a manifest
    (tmp_path / ".CURRENT.xyz").write_text("0000")
    assert generations.current(tmp_path).name == "000001"
    assert [f.name for f in generations.complete(tmp_path)] == ["000001"]
    assert publish(tmp_path).name == "000002"
    assert names(tmp_path) == ["000001", "000002"]
    assert not (tmp_path / ".CURRENT.xyz").exists()


def test_a_second_writer_is_refused_in_one_line_and_the_lock_ends_with_the_process(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(MedqaError, match="another writer at work; wait") as caught, generations.writer(tmp_path):
            pass
        assert "\n" not in str(caught.value)
    finally:
        child.kill()
        child.wait()
    assert publish(tmp_path).name == "000001"


def test_the_lock_is_a_real_file_lock(tmp_path):
    with generations.writer(tmp_path), (tmp_path / ".lock").open() as stream, pytest.raises(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_rollback_goes_back_one_and_the_next_number_is_new(tmp_path):
    for _ in range(3):
        publish(tmp_path)
    assert generations.rollback(tmp_path) == ("000003", "000002")
    assert generations.current(tmp_path).name == "000002"
    assert publish(tmp_path, keep=9).name == "000004"
    generations.rollback(tmp_path)
    assert generations.current(tmp_path).name == "000003"
    assert publish(tmp_path, keep=1).name == "000005"
    with pytest.raises(MedqaError, match=r"wanted an older generation .* found only 000005"):
        generations.rollback(tmp_path)


def test_pruning_spares_the_current_generation(tmp_path):
    for _ in range(3):
        publish(tmp_path)
    generations.rollback(tmp_path)
    with generations.writer(tmp_path):
        generations._prune(tmp_path, 1)
    assert names(tmp_path) == ["000002", "000003"]


def test_no_index_and_a_damaged_pointer_are_told(tmp_path):
    with pytest.raises(MedqaError, match="found none; make it with: medqa index build"):
        generations.current(tmp_path)
    with pytest.raises(MedqaError, match="found no index"):
        generations.rollback(tmp_path)
    publish(tmp_path)
    (tmp_path / "generations" / "000001" / "manifest.json").unlink()
    with pytest.raises(MedqaError, match="complete generation 000001"):
        generations.current(tmp_path)
    (tmp_path / "CURRENT").write_text("\n")
    with pytest.raises(MedqaError, match="wanted a generation's name"):
        generations.current(tmp_path)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_and_the_old_generation_stays(tmp_path):
    publish(tmp_path)
    with (
        pytest.raises(MedqaError, match="No space left on device; what was there is untouched"),
        generations.writer(tmp_path),
        generations.new_generation(tmp_path, 3),
        FULL.open("w") as full,
    ):
        full.write("x" * 100_000)
    assert generations.current(tmp_path).name == "000001"
    assert names(tmp_path) == ["000001"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MedqaError, match="wanted a writable index folder"), generations.writer(tmp_path / "file"):
        pass
