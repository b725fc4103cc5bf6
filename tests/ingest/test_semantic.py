import csv
import itertools
import json
import random

import numpy as np
import pytest

from ingest import semantic
from ingest.command import ingest
from ingest.corpus import read_corpus
from ingest.semantic import close_pairs
from medqa.errors import MedqaError
from medqa.settings import load_settings


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("block", [3, 7, 1000])
def test_close_pairs_equal_all_pairs(monkeypatch, block):
    monkeypatch.setattr(semantic, "_BLOCK", block)
    rng = np.random.default_rng(0)
    vectors = unit(np.repeat(rng.normal(size=(10, 8)), 3, axis=0) + 0.2 * rng.normal(size=(30, 8)))
    wanted = [(i, j) for i, j in itertools.combinations(range(30), 2) if vectors[i] @ vectors[j] >= 0.9]
    left, right = close_pairs(vectors, 0.9)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == wanted
    assert 10 < len(wanted) < 100


def test_rewordings_stay_together(tmp_path):
    rng = random.Random(0)
    rows = [(f"What is thing{n}?", " ".join(f"w{rng.randrange(9999)}" for _ in range(20))) for n in range(60)]
    source = tmp_path / "raw.csv"
    with source.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["question", "answer"])
        writer.writerows(rows)
    family = {f"What is thing{n}?" for n in range(0, 60, 4)}

    def embed(texts):
        """All of a family in one direction, each other text in its own."""
        vectors = np.eye(len(texts), len(texts) + 1, dtype=np.float32)
        for i, text in enumerate(texts):
            if text[: text.index("?") + 1] in family:
                vectors[i] = np.eye(len(texts) + 1, dtype=np.float32)[-1]
        return vectors

    ingest([source], tmp_path / "c", load_settings(None, ["ingest.semantic=0.95"]), embed=embed)
    pairs = read_corpus(tmp_path / "c").pairs
    assert len({p.split for p in pairs if p.question in family}) == 1
    assert len({p.cluster for p in pairs if p.question in family}) == 1
    near = json.loads((tmp_path / "c" / "report.json").read_text())["near_duplicates"]
    assert (near["sets"], near["rows"]) == (1, 15)
    with pytest.raises(MedqaError, match="wanted an encoder"):
        ingest([source], tmp_path / "d", load_settings(None, ["ingest.semantic=0.95"]))
