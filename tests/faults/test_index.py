"""``kill -9`` at any moment of build and update: the generation before it opens and verifies, and the next update succeeds."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from medqa.files import read_json
from retrieval import generations

pytestmark = pytest.mark.faults

WRITER = Path(__file__).with_name("index_writer.py")
RANDOM_KILLS = 25
"""Per verb and store, at moments drawn over the whole run; with those at every file operation more than 200 in all."""
PAIRS = 60
FAISS = {"kind": "faiss"}
APPROXIMATE = {"kind": "faiss", "exact_up_to": 50, "recall": 0.5}
MILVUS = {"kind": "milvus"}


class Writers:
    """The process that forks writers."""

    def __init__(self, folder, storage):
        self.index = folder / "index"
        self._result = folder / "result.json"
        self._storage = storage
        self._log = (folder / "log").open("w+")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        self._process = subprocess.Popen(
            [sys.executable, WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            env=environment,
        )  # fmt: skip
        self._number = 0

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def start(self, verb, n=PAIRS, edited=(), step=0):
        """A fork at work on a corpus that differs from all before; its process id."""
        self._result.unlink(missing_ok=True)
        self._number += 1
        order = {
            "verb": verb, "index": str(self.index), "n": n, "edited": list(edited), "corpus": f"c{self._number}",
            "storage": self._storage, "step": step, "result": str(self._result),
        }  # fmt: skip
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self):
        """The exit status of the fork."""
        return int(self._process.stdout.readline())

    def run(self, verb, **more):
        """The result of a fork that is left alone."""
        self.start(verb, **more)
        assert self.wait() == 0, self.log()
        return json.loads(self._result.read_text())

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def check(self, before):
        """The generation is the one before, or the complete next one; it is sound; an update succeeds and leaves nothing."""
        after = generations.current(self.index).name
        assert int(after) - int(before) in (0, 1)
        for folder in generations.complete(self.index):  # a rollback must never meet a half-deleted one
            outputs = read_json(folder / "manifest.json")["outputs"]
            assert [name for name in outputs if not (folder / name).is_file()] == []
        assert self.run("verify") == []
        self.run("update", n=PAIRS + self._number % 3, edited=[self._number % PAIRS])
        assert int(generations.current(self.index).name) > int(after)
        assert self.run("verify") == []
        leftovers = [p.name for p in (self.index / "generations").iterdir() if p.name.startswith(".")]
        assert leftovers == [] and not list(self.index.glob(".CURRENT.*"))
        return after != before


@pytest.fixture
def writers(request, tmp_path):
    started = Writers(tmp_path, request.param)
    started.run("build")
    yield started
    started.close()


def kill_at_random(writers, verb, times, seed):
    """Kill ``times`` writers before they are done. Writers that were done in time count for nothing, but are checked, too."""
    began = time.perf_counter()
    writers.run(verb, edited=[1])
    duration = time.perf_counter() - began
    rng = random.Random(seed)
    killed = attempt = 0
    while killed < times:
        attempt += 1
        assert attempt < 10 * times
        before = generations.current(writers.index).name
        child = writers.start(verb, n=PAIRS + 1 + attempt % 5, edited=[attempt % PAIRS])
        time.sleep(rng.uniform(0, duration))
        with suppress(ProcessLookupError):  # it was done already
            os.kill(child, signal.SIGKILL)
        killed += writers.wait() == signal.SIGKILL
        writers.check(before)


@pytest.mark.parametrize("verb", ["build", "update"])
@pytest.mark.parametrize("writers", [FAISS, APPROXIMATE], indirect=True, ids=["exact", "approximate"])
def test_killed_at_a_random_moment(writers, verb):
    kill_at_random(writers, verb, RANDOM_KILLS, seed=len(verb))


@pytest.mark.parametrize("verb", ["build", "update"])
@pytest.mark.parametrize("writers", [FAISS], indirect=True)
def test_killed_before_every_operation_on_a_file(writers, verb):
    """Also between the two renames of a swap, between swap and pointer, and half-way through pruning."""
    for _ in range(3):
        writers.run("update", edited=[1])  # as many generations as are kept: a writer prunes, too
    steps = writers.run(verb, edited=[2])
    assert steps > 30
    moved = 0
    for step in range(1, steps + 1):
        before = generations.current(writers.index).name
        writers.start(verb, n=PAIRS + 1 + step % 5, edited=[step % PAIRS], step=step)
        assert writers.wait() == signal.SIGKILL
        moved += writers.check(before)
    assert 0 < moved < steps  # some were killed before the pointer moved, some after


@pytest.mark.parametrize("verb", ["build", "update"])
@pytest.mark.parametrize("writers", [MILVUS], indirect=True, ids=["milvus"])
def test_killed_while_writing_to_milvus(writers, verb):
    """Milvus Lite: the collection of a killed writer opens again, and holds every row of the generation before."""
    pytest.importorskip("pymilvus", reason="the extra medqa[milvus] is not installed")
    kill_at_random(writers, verb, 3, seed=0)
