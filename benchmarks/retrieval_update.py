"""What does an update of 100 changed rows cost, and does it embed the new passages and nothing else?

    python benchmarks/retrieval_update.py --corpus runs/medquad/corpus --index runs/medquad/index-topic

Works on a copy of an index that ``medqa index build --set passages.header=topic`` made. The first update measures threshold
and weight anew where the index is older than their being carried over; the others show what an update costs. Prints JSON.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ingest.corpus import read_corpus
from medqa.environment import prepare
from medqa.records import SPLITS, QAPair
from medqa.settings import Settings
from retrieval.build import update_index
from retrieval.encoder import load_encoder
from retrieval.index import Index

ROWS = 100
TURNS = 3


def changed(pairs: list[QAPair], turn: int) -> list[QAPair]:
    """``pairs`` with a new first sentence in the answers of ``ROWS`` of them, others in each turn."""
    step = len(pairs) // (ROWS * TURNS)
    chosen = set(range(turn * step, len(pairs), step * TURNS)[:ROWS])
    return [replace(p, answer=f"Revised in turn {turn}. {p.answer}") if i in chosen else p for i, p in enumerate(pairs)]


def main() -> None:
    """Parse, update three times, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--index", type=Path, required=True)
    args = parser.parse_args()
    prepare(offline=True)
    settings = Settings()
    pairs = list(read_corpus(args.corpus).pairs)
    began = time.perf_counter()
    encoder = load_encoder(settings.retrieval.encoder, settings.retrieval.batch_size)
    report: dict[str, Any] = {"encoder_load_s": round(time.perf_counter() - began, 2), "updates": []}
    with tempfile.TemporaryDirectory() as name:
        index = Path(name) / "index"
        shutil.copytree(args.index, index)
        began = time.perf_counter()
        opened = Index.open(index, encoder)
        opened.search(["What is asthma?"], 10)
        report["open_and_first_answer_s"] = round(time.perf_counter() - began, 2)
        header = opened.manifest["settings"]["header"]
        for turn in range(TURNS):
            pairs = changed(pairs, turn)
            began = time.perf_counter()
            found = update_index(
                pairs, f"benchmark {turn}", index, encoder, splits=SPLITS, header=header,
                max_tokens=settings.passages.max_tokens, keep_generations=2, seed=settings.seed,
            )  # fmt: skip
            measured = Index.open(index, encoder).manifest["measured"]
            report["updates"].append(
                {
                    "seconds": round(time.perf_counter() - began, 2),
                    "changed": found["diff"]["changed"],
                    "to_embed": found["diff"]["to_embed"],
                    "embedded": found["embedded"],
                    "measured_anew": measured["moved_since"] == 0,
                }
            )
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
