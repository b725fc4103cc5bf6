"""Writers of toy indexes that can be killed. Imports take a second, so they are done once: each writer is a fork.

Reads orders from stdin, one JSON object a line, and answers on stdout: the fork's process id, then its exit status.
``step`` makes a writer kill itself right before its ``step``-th operation on a file of the index (as Python's audit events
tell them); without ``step`` they are only counted.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "retrieval"))

from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from retrieval.build import build_index, update_index
from retrieval.index import Index
from retrieval.stores import Storage
from retrieval.verify import verify_index

_FILE_EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "shutil.rmtree"}


class SmallEncoder(ToyEncoder):
    dim = 256


def count_steps(index, kill_at):
    """Counts the operations below ``index``; at number ``kill_at`` the process kills itself."""
    counted = [0]

    def hook(event, args):
        below = any(str(index) in str(a) for a in args)
        in_tree = event in ("os.remove", "os.rmdir") and args[1] != -1  # rmtree names files relative to an open folder
        if event in _FILE_EVENTS and (below or in_tree):
            counted[0] += 1
            if counted[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return counted


def work(order):
    index, storage = Path(order["index"]), Storage(**order["storage"])
    if order["verb"] == "verify":
        problems = verify_index(index, SmallEncoder())
        [hits] = Index.open(index, SmallEncoder()).search(["number7 opens"], 1)
        if hits[0].passage.pair_id != "p007":
            problems.append(f"number7 found {hits[0].passage.pair_id}")
        return problems
    pairs = numbered_pairs(order["n"], edited=set(order["edited"]))
    counted = count_steps(index, order["step"])
    if order["verb"] == "build":
        build_index(pairs, order["corpus"], index, SmallEncoder(), reuse=False, storage=storage, **SETTINGS)
    else:
        more = {"prune": True, "force": True, "storage": storage}
        update_index(pairs, order["corpus"], index, SmallEncoder(), **(SETTINGS | more))
    return counted[0]


def main():
    for name in ("faiss", "bm25s"):  # imported inside functions otherwise, again in every fork
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                Path(order["result"]).write_text(json.dumps(work(order)))
                status = 0
            finally:
                os._exit(status)  # no clean-up of the parent's things
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
