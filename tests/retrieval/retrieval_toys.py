"""A toy encoder with scores that can be worked out by hand, and a process that builds or updates an index with it."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from medqa.records import SPLITS, QAPair
from retrieval.build import build_index, update_index

SETTINGS = {"splits": SPLITS, "header": "topic", "max_tokens": 16, "keep_generations": 3, "seed": 0}


class ToyEncoder:
    """A word is a token; a text's vector counts its words, so a cosine is that of two bags of words."""

    dim = 4096  # wide enough that the few words of a test do not share a place

    def __init__(self, fingerprint="toy", max_tokens=64):
        self.fingerprint = fingerprint
        self.max_tokens = max_tokens
        self.embedded = []
        """Every passage text asked for, in order."""
        self.asked = []
        """Every query, likewise."""

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]

    def encode_passages(self, texts, progress=False):
        self.embedded += texts
        return self._vectors(texts)

    def encode_queries(self, texts):
        self.asked += texts
        return self._vectors(texts)

    def _vectors(self, texts):
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().replace(".", " ").replace("?", " ").split():
                row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dim] += 1
            row /= max(np.linalg.norm(row), 1e-9)
        return vectors


def pair(name, answer, question="", topic="", **more):
    return QAPair(id=name, question=question or f"What is {name}?", answer=answer, topic=topic, **more)


def numbered_pairs(n, edited=()):
    """``n`` pairs with two passages each; those in ``edited`` have another second sentence."""
    pairs = [
        pair(
            f"p{i:03d}",
            f"Number{i} " + "opens here " * 7 + f". Then{i} " + "it closes " * 7 + ".",
            topic=f"topic{i % 7}",
        )
        for i in range(n)
    ]
    return [replace(p, answer=p.answer + f" Edited{i} text.") if i in edited else p for i, p in enumerate(pairs)]


if __name__ == "__main__":  # argv: build or update, index folder, number of pairs, fingerprint of the corpus
    verb, folder, count, fingerprint = sys.argv[1:]
    corpus = numbered_pairs(int(count))
    print("ready", flush=True)
    if verb == "build":
        build_index(corpus, fingerprint, Path(folder), ToyEncoder(), reuse=False, **SETTINGS)
    else:
        update_index(corpus, fingerprint, Path(folder), ToyEncoder(), prune=True, force=True, **SETTINGS)
    print("done", flush=True)
