"""What benchmarks/finetune_gpu.py trains on, made where the corpus and the encoder are.

    python benchmarks/finetune_rows.py --corpus runs/medquad/corpus --rows ROWS.json.xz

Two things, in one compressed JSON file. ``lengths``: (prompt, answer) tokens of MedQuAD's train questions with their whole
answers, cut at 1,024 together, for speed and memory. ``sets``: rows of token ids for the embedded model, closed-book, grounded
and mixed, from the same train pairs, and validation rows of each.
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

MIXES = {"closed_book": (1.0, 0.0, 0.0), "grounded": (0.0, 0.8, 0.2), "mixed": (0.2, 0.65, 0.15)}


class Remembering:
    """An encoder that embeds no list of texts twice: the mixes ask for the same passages."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self._seen = encoder, dict[tuple[str, ...], Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_passages(self, texts: Any, progress: bool = False) -> Any:
        """As the encoder's."""
        key = ("passages", *texts)
        if key not in self._seen:
            self._seen[key] = self._encoder.encode_passages(texts, progress=progress)
        return self._seen[key]

    def encode_queries(self, texts: Any) -> Any:
        """As the encoder's."""
        key = ("queries", *texts)
        if key not in self._seen:
            self._seen[key] = self._encoder.encode_queries(texts)
        return self._seen[key]


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
    parser.add_argument("--limit", type=int, default=2500, help="train pairs of the sets")
    parser.add_argument("--max-length", type=int, default=768)
    chosen = parser.parse_args()
    prepare(offline=True)

    from finetune.examples import Shares
    from finetune.masking import encode_all
    from finetune.sets import build_sets, draw_pairs
    from ingest.corpus import read_corpus
    from medqa.base_model import load_tokenizer
    from retrieval.encoder import load_encoder
    from retrieval.passages import header_parts, make_passages

    corpus = read_corpus(chosen.corpus)
    tokenizer = load_tokenizer(PROJECT / "models/phi3-nano")
    train = draw_pairs([p for p in corpus.pairs if p.split == "train"], 4000, 0)
    made: dict[str, Any] = {"lengths": lengths_of(train, tokenizer, 1024), "sets": {}}
    encoder = Remembering(load_encoder("embedded", 32))
    parts = header_parts("topic+synonyms")
    for name, shares in MIXES.items():
        both = build_sets(
            corpus.pairs,
            lambda pairs: make_passages(pairs, parts, encoder.count_tokens, 128, encoder.max_tokens),
            encoder,
            Shares(*shares),
            0,
            6,
            chosen.limit,
            128,
        )
        made["sets"][name] = {
            split: [
                [r.input_ids, sum(y == -100 for y in r.labels)]
                for r in encode_all(tokenizer, x, chosen.max_length).rows
            ]
            for split, x in zip(("train", "validation"), both, strict=True)
        }
        chosen.rows.write_bytes(lzma.compress(json.dumps(made).encode()))
        print(name, {k: len(v) for k, v in made["sets"][name].items()}, chosen.rows.stat().st_size, flush=True)


if __name__ == "__main__":
    main()
