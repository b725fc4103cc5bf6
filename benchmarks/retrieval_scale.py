"""How far does one machine reach? Vector stores of 100,000 to 1,000,000 passages, and Milvus against FAISS.

    python benchmarks/retrieval_scale.py --index runs/medquad/index [--sizes 100000,300000,1000000] [--milvus] [--folder DIR]

Base vectors are real passages' (of ``--index``, or of ``--vectors FILE.npz`` with an array ``vectors``), repeated with Gaussian
noise to a cosine of about .89 and normalised; the queries are real passages that were left out. Each size is built in one
process and asked in another, fresh one, so that its memory is a reader's. Recall at 10 is against exact search, on queries
that tuned nothing. Times are of one query alone, warm, for 10 rows and for the 100 that fusion asks for. 5M is extrapolated by
the power law between the two largest sizes. Prints one JSON object; its figures go into RESULTS.md.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from medqa.environment import prepare
from retrieval import generations
from retrieval.contents import load_contents
from retrieval.estimate import peak_memory
from retrieval.stores import QUESTIONS, Storage, open_store, write_store
from retrieval.vectors import ExactStore

NOISE = 0.5
"""Length of the noise beside a vector of length 1: cosine 1 / sqrt(1 + .25) = .894, like two passages on one topic."""
ASKED = 500
"""Queries that measure, beside those that tune."""
FAR = 5_000_000


def main() -> None:
    """The parent builds and asks in children, size by size."""
    prepare(True)  # the children inherit threads that spin only briefly
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", type=Path)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--sizes", default="100000,300000,1000000")
    parser.add_argument("--recall", type=float, default=0.97)
    parser.add_argument("--folder", type=Path, help="where the stores are written; a temporary folder by default")
    parser.add_argument("--milvus", action="store_true", help="also send the real vectors to Milvus Lite and compare")
    parser.add_argument(
        "--step", nargs=2, help=argparse.SUPPRESS
    )  # "build" or "ask", and a size: what a child process does
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="retrieval-scale-"))
    if args.step:
        verb, size = args.step[0], int(args.step[1])
        real, queries = real_vectors(args.index, args.vectors)
        result = build(folder, real, queries, size, args.recall) if verb == "build" else ask(folder, queries)
        print(json.dumps(result))
        return
    report: dict[str, Any] = {"load_before": os.getloadavg(), "cpus": os.cpu_count(), "sizes": {}}
    for size in map(int, args.sizes.split(",")):
        report["sizes"][size] = child("build", size, folder) | child("ask", size, folder)
        print(size, json.dumps(report["sizes"][size]), file=sys.stderr, flush=True)
        shutil.rmtree(folder / "store")
    report["far"] = extrapolate(report["sizes"])
    if args.index:
        report["opening"] = opening(args.index)
    if args.milvus:
        report["milvus"] = compare_milvus(folder, *real_vectors(args.index, args.vectors))
    report["load_after"] = os.getloadavg()
    print(json.dumps(report, indent=2))


def child(verb: str, size: int, folder: Path) -> dict[str, Any]:
    """What this file prints in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--folder", str(folder), "--step", verb, str(size)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def real_vectors(index: Path | None, file: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Vectors to build from, and others to ask with: distinct, shuffled by a seed."""
    if file is not None:
        vectors = np.load(file)["vectors"]
    elif index is not None:
        vectors = load_contents(generations.current(index)).vectors()
    else:
        raise SystemExit("give --index or --vectors")
    vectors = np.unique(vectors.astype(np.float32), axis=0)
    np.random.default_rng(0).shuffle(vectors)
    aside = QUESTIONS + ASKED
    return vectors[aside:], vectors[:aside]


def noisy(real: np.ndarray, size: int) -> np.ndarray:
    """``size`` unit vectors: copies of ``real``, each with its own noise."""
    rng = np.random.default_rng(1)
    vectors = np.empty((size, real.shape[1]), dtype=np.float32)
    for start in range(0, size, len(real)):
        part = vectors[start : start + len(real)]
        part[:] = real[: len(part)]
        part += NOISE / math.sqrt(real.shape[1]) * rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def build(folder: Path, real: np.ndarray, queries: np.ndarray, size: int, recall: float) -> dict[str, Any]:
    """Write a store of ``size`` vectors; what it took."""
    store = folder / "store"
    store.mkdir(parents=True)
    vectors = noisy(real, size)
    began, cpu = time.perf_counter(), time.process_time()
    facts = write_store(
        store, folder, vectors, [], lambda n: queries[:n], Storage(exact_up_to=1000, recall=recall), "", 0
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    (folder / "facts.json").write_text(json.dumps(facts))
    return {"build_s": seconds, "build_cpu_s": cpu, "build_peak_bytes": peak_memory(), "store": facts} | {
        f"bytes_{p.name}": p.stat().st_size for p in store.iterdir()
    }


def ask(folder: Path, queries: np.ndarray) -> dict[str, Any]:
    """A reader: opens the store, is asked one query at a time, and is compared with exact search."""
    asked = queries[QUESTIONS:]
    before = resident()
    began = time.perf_counter()
    store = open_store(folder / "store", json.loads((folder / "facts.json").read_text()))
    opened = time.perf_counter() - began
    result: dict[str, Any] = {"open_ms": opened * 1000}
    for n in (10, 100):
        for query in asked:
            store.search(query[None, :], n)  # warm
        result |= quantiles(f"n{n}", [timed(store, query, n) for query in asked])
    result["resident_after_bytes"] = {kind: resident()[kind] - before[kind] for kind in before}
    exact = ExactStore.open(folder / "store")
    truth, _ = exact.search(asked, 100)
    for n in (10, 100):
        scores, _ = store.search(asked, n)
        result[f"recall_at_{n}"] = float((scores >= truth[:, n - 1 : n] - 1e-6).mean())
    result |= quantiles("exact_n10", [timed(exact, query, 10) for query in asked[:100]])
    return result


def timed(store: Any, query: np.ndarray, n: int) -> tuple[float, float]:
    """Wall and CPU milliseconds of one query; where other work shares the machine only the second is the query's own."""
    wall, cpu = time.perf_counter(), time.process_time()
    store.search(query[None, :], n)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def quantiles(name: str, times: list[tuple[float, float]]) -> dict[str, float]:
    """Median and 95th percentile of pairs of (wall, CPU) milliseconds."""
    wall, cpu = np.array(times).T
    return {
        f"{name}_p50_ms": float(np.percentile(wall, 50)),
        f"{name}_p95_ms": float(np.percentile(wall, 95)),
        f"{name}_cpu_p50_ms": float(np.percentile(cpu, 50)),
        f"{name}_cpu_p95_ms": float(np.percentile(cpu, 95)),
    }


def resident() -> dict[str, int]:
    """Bytes of this process: its own, and of mapped files (which the system may drop)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"own": int(fields["RssAnon"].split()[0]) * 1024, "mapped": int(fields["RssFile"].split()[0]) * 1024}


def extrapolate(sizes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """By the power law through the two largest sizes; null where there is only one."""
    names = (
        "build_s",
        "build_cpu_s",
        "n10_p95_ms",
        "n100_p95_ms",
        "n10_cpu_p95_ms",
        "bytes_vectors.faiss",
        "bytes_approximate.faiss",
    )
    if len(sizes) < 2:
        return dict.fromkeys(names) | {"reason": "one size only"}
    (small, a), (large, b) = sorted(sizes.items())[-2:]
    exponents = {name: math.log(b[name] / a[name]) / math.log(large / small) for name in names}
    return {name: b[name] * (FAR / large) ** e for name, e in exponents.items()} | {"n": FAR, "exponents": exponents}


def opening(index: Path) -> dict[str, float]:
    """Milliseconds to open a whole generation (passages, vectors, BM25), files in the system's cache, imports done."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        contents = load_contents(generations.current(index))
        _ = contents.passages[0]
        times.append((time.perf_counter() - began) * 1000)
    return {"passages": len(contents.passages), "first_ms": times[0], "best_ms": min(times)}


def compare_milvus(folder: Path, real: np.ndarray, queries: np.ndarray) -> dict[str, Any]:
    """The real vectors in Milvus Lite: the same ten rows as FAISS, with and without a filter."""
    index = folder / "milvus-index"
    generation = index / "generations" / "000001"
    generation.mkdir(parents=True)
    storage, keys = Storage("milvus"), [str(i) for i in range(len(real))]
    began = time.perf_counter()
    facts = write_store(generation, index, real, keys, lambda n: queries[:n], storage, "benchmark", 0)
    sent = time.perf_counter() - began
    store, exact = open_store(generation, facts), ExactStore.open(generation)
    began = time.perf_counter()
    again = write_store(generation, index, real, keys, lambda n: queries[:n], storage, "benchmark", 0)
    unchanged = time.perf_counter() - began
    asked = queries[QUESTIONS : QUESTIONS + 200]
    some = np.arange(0, len(real), 7)
    same = {
        name: float((store.search(asked, 10, allowed)[1] == exact.search(asked, 10, allowed)[1]).all(axis=1).mean())
        for name, allowed in (("all", None), ("filtered", some))
    }
    times = [timed(store, query, 10) for query in asked]
    return {
        "rows": len(real), "send_s": sent, "send_again_s": unchanged, "sent_again": again["sent"], "same_top_10": same,
    } | quantiles("n10", times)  # fmt: skip


if __name__ == "__main__":
    main()
