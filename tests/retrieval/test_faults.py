import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from retrieval import generations
from retrieval.build import build_index, update_index
from retrieval.index import Index
from retrieval.verify import verify_index

PROCESS = Path(__file__).with_name("retrieval_toys.py")
REPETITIONS = 6
"""Kills per verb; each costs one start of Python."""


def start(verb, index, n, fingerprint):
    process = subprocess.Popen(
        [sys.executable, PROCESS, verb, index, str(n), fingerprint], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.faults
@pytest.mark.parametrize("verb", ["build", "update"])
def test_kill_at_any_moment_leaves_a_sound_index(verb, tmp_path):
    encoder = ToyEncoder()
    build_index(numbered_pairs(300), "c0", tmp_path, encoder, reuse=False, **SETTINGS)
    process = start(verb, tmp_path, 320, "timing")
    began = time.perf_counter()
    assert process.wait() == 0
    duration = time.perf_counter() - began
    rng = random.Random(0)
    killed = 0
    for attempt in range(REPETITIONS):
        process = start(verb, tmp_path, 300 + attempt, f"c{attempt}")
        time.sleep(rng.uniform(0, duration))
        process.kill()
        killed += process.wait() != 0
        assert verify_index(tmp_path, encoder) == []
        assert Index.open(tmp_path, encoder).search(["number7"], 1)[0][0].passage.pair_id == "p007"
    assert killed
    update_index(numbered_pairs(310), "last", tmp_path, encoder, prune=True, force=True, **SETTINGS)
    assert verify_index(tmp_path, encoder) == []
    assert generations.current(tmp_path).name == max(p.name for p in (tmp_path / "generations").iterdir())
    assert not [p for p in (tmp_path / "generations").iterdir() if p.name.startswith(".")]
