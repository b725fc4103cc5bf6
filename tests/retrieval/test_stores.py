"""Which store a generation gets, through build, update, search and verify."""

from dataclasses import replace

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from retrieval import generations
from retrieval.build import build_index, update_index
from retrieval.contents import load_contents
from retrieval.index import Index
from retrieval.stores import Storage
from retrieval.verify import verify_index

SMALL = Storage(exact_up_to=100, recall=0.9)


def build(index, n, storage, **more):
    return build_index(numbered_pairs(n), "c", index, ToyEncoder(), reuse=False, storage=storage, **(SETTINGS | more))


def manifest(index):
    return read_manifest(generations.current(index), "index", "")


def test_a_large_index_is_approximate_and_says_how_well_it_was_measured(tmp_path):
    build(tmp_path / "small", 50, SMALL)
    assert manifest(tmp_path / "small")["store"] == {"kind": "exact"}  # 100 passages
    build(tmp_path / "large", 51, SMALL)
    store = manifest(tmp_path / "large")["store"]
    assert store["kind"] == "ivf-sq8" and store["lists"] == 2 and 1 <= store["probes"] <= 2
    assert 0.9 <= store["recall"] <= 1 and store["queries_tuning"] + store["queries_held_aside"] == 51
    assert "approximate.faiss" in manifest(tmp_path / "large")["outputs"]
    assert verify_index(tmp_path / "large", ToyEncoder()) == []


def test_an_approximate_index_finds_what_the_exact_one_finds(tmp_path):
    build(tmp_path / "exact", 200, Storage())
    build(tmp_path / "large", 200, SMALL)
    questions = [f"number{i} opens" for i in range(0, 200, 9)]
    exact, large = (Index.open(tmp_path / name, ToyEncoder()).search(questions, 1) for name in ("exact", "large"))
    assert [h[0].passage for h in large] == [h[0].passage for h in exact]


def test_an_update_keeps_the_store_and_its_vectors(tmp_path):
    build(tmp_path, 100, SMALL)
    before = load_contents(generations.current(tmp_path))
    encoder = ToyEncoder()
    report = update_index(numbered_pairs(100, edited={4}), "d", tmp_path, encoder, storage=SMALL, **SETTINGS)
    after = load_contents(generations.current(tmp_path))
    assert report["embedded"] == len(encoder.embedded) == 1 and after.manifest["store"]["kind"] == "ivf-sq8"
    rows = {p.id: i for i, p in enumerate(before.passages)}
    same = [(rows[p.id], i) for i, p in enumerate(after.passages) if p.id in rows]
    old, new = np.array(same).T
    assert len(same) == 200 and np.array_equal(before.dense.reconstruct(old), after.dense.reconstruct(new))


def test_another_limit_makes_another_generation_without_embedding(tmp_path):
    encoder = ToyEncoder()
    for storage, kind in ((Storage(), "exact"), (SMALL, "ivf-sq8")):
        build_index(numbered_pairs(60), "c", tmp_path, encoder, reuse=True, storage=storage, **SETTINGS)
        assert manifest(tmp_path)["store"]["kind"] == kind
    assert len(encoder.embedded) == 120


def test_only_pairs_whose_content_is_new_are_cut(tmp_path):
    class Counting(ToyEncoder):
        def __init__(self):
            super().__init__()
            self.counted = []

        def count_tokens(self, texts):
            self.counted += texts
            return super().count_tokens(texts)

    build(tmp_path, 40, Storage())
    encoder = Counting()
    pairs = numbered_pairs(41, edited={7})
    pairs[9] = replace(pairs[9], topic="another")
    report = update_index(pairs, "d", tmp_path, encoder, **SETTINGS)
    about = {word for text in encoder.counted for word in text.replace(".", " ").split() if word.startswith("Number")}
    assert about == {"Number7", "Number9", "Number40"}
    assert report["embedded"] == 5  # the new sentence's passage, and two each for a new header and a new pair
    assert (report["diff"]["added"], report["diff"]["changed"], report["diff"]["unchanged"]) == (1, 2, 38)
    build_index(pairs, "d", tmp_path / "anew", ToyEncoder(), reuse=False, **SETTINGS)
    updated, built = (load_contents(generations.current(i)) for i in (tmp_path, tmp_path / "anew"))
    assert list(updated.passages) == list(built.passages) and np.array_equal(updated.vectors(), built.vectors())


@pytest.mark.parametrize("more", [{"header": "question"}, {"max_tokens": 20}])
def test_other_cutting_takes_over_no_passages(more, tmp_path):
    build(tmp_path / "a", 10, Storage())
    update_index(numbered_pairs(10), "d", tmp_path / "a", ToyEncoder(), **(SETTINGS | more))
    build(tmp_path / "b", 10, Storage(), **more)
    a, b = (load_contents(generations.current(tmp_path / name)).passages for name in "ab")
    assert list(a) == list(b)


def test_a_damaged_approximate_index_is_refused(tmp_path):
    build(tmp_path, 100, SMALL)
    path = generations.current(tmp_path) / "approximate.faiss"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MedqaError, match="wanted a sound generation"):
        Index.open(tmp_path, ToyEncoder())
