"""Speed, memory and exactness of ingest. Each part prints a table; ratios are measured in the run that prints them.

python benchmarks/ingest.py medquad FILE       # time, memory, certificate of a real corpus
python benchmarks/ingest.py scale 100000 1000000   # synthetic pairs with planted duplicates: time, memory, growth
python benchmarks/ingest.py planted            # near-duplicates found, by edit rate, against all pairs and datasketch
python benchmarks/ingest.py spoilt 20000       # mutated CSV files: no crash, no row unaccounted for
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ingest.groups import UnionFind
from ingest.near_duplicates import PERMUTATIONS, minhash, near_duplicate_sets
from ingest.shingles import ShingleSets, shingle_sets
from ingest.similarity import SimilarityJoin
from ingest.text import words

THRESHOLD = 0.8
VOCABULARY = 50_000  # words; ranks weighted by Zipf's law, as in prose
ANSWER_WORDS = (20, 180)  # mean 100
NEAR, EXACT, BOILERPLATE = 0.05, 0.01, 0.02  # shares of rows planted


def run_ingest(source: Path, out: Path) -> tuple[float, float, float, dict[str, Any]]:
    """``medqa ingest`` in a process of its own: seconds by the clock, seconds of computing, peak GB, summary."""
    command = [sys.executable, "-m", "medqa.cli", "ingest", str(source), "--out", str(out), "--json"]
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr); sys.exit(done.returncode)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    computing, memory = done.stderr.split()[-2:]
    return seconds, float(computing), int(memory) / 2**20, json.loads(done.stdout)


def medquad(source: Path) -> None:
    """One real corpus, everything on."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, computing, memory, summary = run_ingest(source, Path(folder) / "corpus")
    print(
        f"{summary['in']:,} rows in {seconds:.1f} s ({computing:.1f} s of computing), {memory:.2f} GB; kept {summary['kept']:,}"
    )
    print("dropped:", summary["dropped_by_reason"])
    print("splits:", summary["splits"], "groups:", summary["groups"], "largest:", summary["largest_group"])
    print("test/train, this split:  ", summary["test_train"])
    print("test/train, random split:", summary["test_train_random_split"])


def scale(sizes: Sequence[int]) -> None:
    """Synthetic corpora of growing size."""
    print(
        "| rows | file, MB | seconds | computing | peak GB | kept | exact duplicates | groups | near-duplicates test/train |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    times = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "synthetic.csv"
            planted = write_synthetic(source, size)
            megabytes = source.stat().st_size / 1e6
            seconds, computing, memory, summary = run_ingest(source, Path(folder) / "corpus")
        times.append(computing)
        exact = summary["dropped_by_reason"].get("exact duplicate", 0)
        near = summary["test_train"]["near_duplicate_pairs"]
        print(
            f"| {size:,} | {megabytes:,.0f} | {seconds:.0f} | {computing:.0f} | {memory:.2f} | {summary['kept']:,} | "
            f"{exact:,} of {planted:,} planted | {summary['groups']:,} | {near} (random split: "
            f"{summary['test_train_random_split']['near_duplicate_pairs']:,}) |",
            flush=True,
        )
    for (a, ta), (b, tb) in zip(zip(sizes, times, strict=True), list(zip(sizes, times, strict=True))[1:], strict=False):
        print(f"{a:,} -> {b:,} rows ({b / a:.0f}x): {tb / ta:.1f}x the computing")


def write_synthetic(path: Path, size: int) -> int:
    """A CSV of ``size`` pairs with planted exact and near-duplicates and boilerplate; returns how many exact ones."""
    rng = random.Random(0)
    vocabulary = [f"{''.join(rng.choices('bcdfglmnprst', k=2))}{'aeiou'[n % 5]}{n:x}" for n in range(VOCABULARY)]
    weights = list(accumulate(1 / (n + 10) for n in range(VOCABULARY)))
    boilerplate = [" ".join(rng.choices(vocabulary, cum_weights=weights, k=60)) for _ in range(50)]
    recent: list[tuple[str, str, str, str]] = []
    seen: set[int] = set()
    exact = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["question", "answer", "topic", "question_type"])
        for n in range(size):
            kind = rng.random()
            if recent and kind < EXACT:
                row = rng.choice(recent)
                row = (row[0].upper(), *row[1:])
            elif recent and kind < EXACT + NEAR:
                question, answer, topic, what = rng.choice(recent)
                row = (
                    question,
                    " ".join(edited(answer.split(), rng.uniform(0.005, 0.05), vocabulary, rng)),
                    topic,
                    what,
                )
            else:
                topic = f"{rng.choice(vocabulary)} {n // 4}"
                what = rng.choice(("information", "symptoms", "treatment", "causes"))
                length = rng.randint(*ANSWER_WORDS)
                answer = " ".join(rng.choices(vocabulary, cum_weights=weights, k=length))
                if kind > 1 - BOILERPLATE:
                    answer = rng.choice(boilerplate)
                row = (f"What is the {what} of {topic} {n}?", answer, topic, what)
                if len(recent) < 5000:
                    recent.append(row)
                else:
                    recent[rng.randrange(5000)] = row
            writer.writerow(row)
            key = hash((row[0].lower(), row[1]))
            exact += key in seen
            seen.add(key)
    return exact


def edited(text: Sequence[str], rate: float, vocabulary: Sequence[str], rng: random.Random) -> list[str]:
    """``text`` with about ``rate`` of its words replaced, deleted or followed by another."""
    result: list[str] = []
    for word in text:
        if rng.random() >= rate:
            result.append(word)
            continue
        how = rng.randrange(3)
        result += [rng.choice(vocabulary)] if how == 0 else [] if how == 1 else [word, rng.choice(vocabulary)]
    return result


def planted() -> None:
    """Near-duplicates planted at several edit rates: what is found, against all pairs, and beside datasketch."""
    texts, kinds = planted_texts()
    sets = shingle_sets(texts)
    join = SimilarityJoin(sets)
    everyone = np.arange(len(texts))
    found = join.pairs(everyone, everyone, THRESHOLD)  # exhaustive
    above = found.left < found.right
    true = set(zip(found.left[above].tolist(), found.right[above].tolist(), strict=True))
    began = time.perf_counter()
    ours = near_duplicate_sets(sets, join, THRESHOLD)
    our_seconds = time.perf_counter() - began
    theirs, their_seconds = datasketch_pairs(texts)

    print(f"{len(texts):,} texts; {len(true):,} pairs at Jaccard >= {THRESHOLD} by comparing all")
    print("| planted | copies | of them >= 0.8 | found | found by datasketch, unconfirmed |")
    print("|---|---|---|---|---|")
    original = {i: base for i, (_, base) in enumerate(kinds)}
    for kind in dict.fromkeys(k for k, _ in kinds if k != "original"):
        copies = [i for i, (k, _) in enumerate(kinds) if k == kind]
        similar = [i for i in copies if _ordered(original[i], i) in true]
        here = sum(ours.find(i) == ours.find(original[i]) for i in similar)
        there = sum(_ordered(original[i], i) in theirs for i in similar) if theirs is not None else None
        print(f"| {kind} | {len(copies)} | {len(similar)} | {here} | {there} |")
    wanted = UnionFind(len(texts))
    for a, b in true:
        wanted.union(a, b)
    joined = sum(ours.find(a) == ours.find(b) for a, b in true)
    wrong = sum(wanted.find(ours.find(i)) != wanted.find(i) for i in range(len(texts)))
    print(f"recall over all true pairs: {joined / len(true):.5f}; texts joined to a set they do not belong to: {wrong}")
    if theirs is not None:
        print(
            f"datasketch: recall {len(theirs & true) / len(true):.5f}, precision {len(theirs & true) / len(theirs):.5f}; "
            f"{their_seconds:.1f} s against {our_seconds:.1f} s here: {their_seconds / our_seconds:.1f}x"
        )
        print(f"signatures alone: {signature_ratio(texts, sets):.1f}x")


def planted_texts() -> tuple[list[str], list[tuple[str, int]]]:
    """Texts, and for each ``(kind, place of its original)``."""
    rng = random.Random(1)
    vocabulary = [f"w{n}" for n in range(VOCABULARY)]
    weights = list(accumulate(1 / (n + 10) for n in range(VOCABULARY)))
    synonym = {word: f"s{word}" for word in vocabulary[200:]}
    template = rng.choices(vocabulary, cum_weights=weights, k=60)
    texts: list[str] = []
    kinds: list[tuple[str, int]] = []

    def add(kind: str, text: Sequence[str], base: int | None = None) -> int:
        texts.append(" ".join(text))
        kinds.append((kind, len(texts) - 1 if base is None else base))
        return len(texts) - 1

    for _ in range(1500):
        text = rng.choices(vocabulary, cum_weights=weights, k=rng.randint(*ANSWER_WORDS))
        base = add("original", text)
        for rate in (0.01, 0.02, 0.03, 0.05, 0.10, 0.20):
            add(f"{rate:.0%} of the words edited", edited(text, rate, vocabulary, rng), base)
        swapped = [synonym.get(w, w) if rng.random() < 0.03 else w for w in text]
        add("3% of the words swapped for synonyms", swapped, base)
    for _ in range(300):  # one template, a name of one to three words put in at two places
        name = [f"name{rng.randrange(10**6)}" for _ in range(rng.randint(1, 3))]
        base = add("original", [*template[:5], *name, *template[5:]])
        other = [f"name{rng.randrange(10**6)}" for _ in range(rng.randint(1, 3))]
        add("same template, another name", [*template[:5], *other, *template[5:]], base)
    return texts, kinds


def datasketch_pairs(texts: Sequence[str]) -> tuple[set[tuple[int, int]] | None, float]:
    """The same search by datasketch's MinHashLSH, its candidates taken as they come; None where it is not installed."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        print("datasketch is not installed: pip install -e '.[bench]'")
        return None, 0.0
    began = time.perf_counter()
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    signatures = []
    for i, text in enumerate(texts):
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch([shingle.encode() for shingle in _shingles(text)])
        lsh.insert(str(i), signature)
        signatures.append(signature)
    pairs = {(int(j), i) for i, s in enumerate(signatures) for j in lsh.query(s) if int(j) < i}
    return pairs, time.perf_counter() - began


def signature_ratio(texts: Sequence[str], sets: ShingleSets) -> float:
    """How many times as long datasketch takes for the signatures alone."""
    from datasketch import MinHash

    began = time.perf_counter()
    minhash(sets)
    ours = time.perf_counter() - began
    hashed = [[shingle.encode() for shingle in _shingles(text)] for text in texts]
    began = time.perf_counter()
    for shingles in hashed:
        MinHash(num_perm=PERMUTATIONS).update_batch(shingles)
    return (time.perf_counter() - began) / ours


def spoilt(files: int) -> None:
    """Mutated CSV files, as in the tests, in numbers."""
    from tests.ingest.test_mutations import read_spoilt

    with tempfile.TemporaryDirectory() as folder:
        read, refused, rows = read_spoilt(Path(folder), files)
    print(
        f"{files:,} spoilt files: {read:,} read ({rows:,} rows, all kept or dropped with a reason), {refused:,} refused"
    )


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _shingles(text: str) -> Iterator[str]:
    found = words(text)
    return (" ".join(found[i : i + 3]) for i in range(max(1, len(found) - 2)))


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("medquad").add_argument("source", type=Path)
    parts.add_parser("scale").add_argument("sizes", type=int, nargs="+")
    parts.add_parser("planted")
    parts.add_parser("spoilt").add_argument("files", type=int)
    args = parser.parse_args()
    match args.part:
        case "medquad":
            medquad(args.source)
        case "scale":
            scale(args.sizes)
        case "planted":
            planted()
        case "spoilt":
            spoilt(args.files)
    print(f"(peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB)")


if __name__ == "__main__":
    main()
