"""What benchmarks/finetune_gpu.py trains on, made where the corpus is.

    python benchmarks/finetune_rows.py --corpus runs/medquad/corpus --rows ROWS.json.xz

One compressed JSON file. ``lengths``: (prompt, answer) tokens of MedQuAD's train questions with their whole answers, cut at
1,024 together, for speed and memory.
"""

import argparse
import json
import lzma
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medqa.environment import prepare
from medqa.paths import PROJECT


def lengths_of(pairs: Any, tokenizer: Any, most: int) -> list[tuple[int, int]]:
    """(prompt, answer with end token) tokens of each pair, whole answers cut at ``most`` together."""
    from rag.prompt import messages_for, render

    found = []
    for pair in pairs:
        prompt = len(render(tokenizer, messages_for(pair.question, None)))
        answer = len(tokenizer(pair.answer, add_special_tokens=False)["input_ids"]) + 1
        found.append((prompt, min(answer, most - prompt)))
    return found


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    chosen = parser.parse_args()
    prepare(offline=True)

    from finetune.sets import draw_pairs
    from ingest.corpus import read_corpus
    from medqa.base_model import load_tokenizer

    tokenizer = load_tokenizer(PROJECT / "models/phi3-nano")
    train = draw_pairs([p for p in read_corpus(chosen.corpus).pairs if p.split == "train"], 4000, 0)
    lengths = lengths_of(train, tokenizer, 1024)
    chosen.rows.write_bytes(lzma.compress(json.dumps({"lengths": lengths}).encode()))
    print(len(lengths), "rows,", chosen.rows.stat().st_size, "bytes", flush=True)


if __name__ == "__main__":
    main()
