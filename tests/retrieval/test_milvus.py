import subprocess
import sys

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from retrieval import generations, milvus
from retrieval.build import build_index, update_index
from retrieval.contents import load_contents
from retrieval.filters import make_filters
from retrieval.index import Index
from retrieval.milvus_collection import count_rows
from retrieval.ranking import Ranking
from retrieval.stores import Storage
from retrieval.verify import verify_index

pytest.importorskip("pymilvus", reason="the extra medqa[milvus] is not installed")

MILVUS = Storage("milvus")
EVERYTHING = Ranking(
    candidates=200
)  # among toy texts hundreds are equally near; which of them are proposed is nobody's promise
QUESTIONS = [f"number{i} opens then{i + 1} closes" for i in range(0, 40, 7)]


class SmallEncoder(ToyEncoder):
    dim = 256  # a real encoder's order: Milvus gets every number as a message


def build(index, pairs, storage=MILVUS, encoder=None, reuse=False):
    return build_index(pairs, "c", index, encoder or SmallEncoder(), reuse=reuse, storage=storage, **SETTINGS)


def update(index, pairs, fingerprint, **more):
    return update_index(pairs, fingerprint, index, SmallEncoder(), storage=MILVUS, **(SETTINGS | more))


def store(index):
    return read_manifest(generations.current(index), "index", "")["store"]


def rows_in(index):
    dense = load_contents(generations.current(index)).dense
    return count_rows(dense._client, dense._collection)


def hits(index, filters=None, k=10):
    found = Index.open(index, SmallEncoder()).search(QUESTIONS, k, ranking=EVERYTHING, filters=filters)
    return [[(h.passage.id, h.score, h.dense, h.dense_rank) for h in one] for one in found]


def test_the_same_ten_hits_as_exact_faiss(tmp_path):
    pairs = numbered_pairs(60)
    build(tmp_path / "milvus", pairs)
    build(tmp_path / "faiss", pairs, Storage())
    assert store(tmp_path / "milvus")["sent"] == rows_in(tmp_path / "milvus") == 120
    assert hits(tmp_path / "milvus") == hits(tmp_path / "faiss")
    topic = make_filters(topics=["topic3"])
    assert hits(tmp_path / "milvus", topic) == hits(tmp_path / "faiss", topic) != hits(tmp_path / "milvus")
    everything = [h[0][0] for h in hits(tmp_path / "milvus", k=120)]
    assert everything == [h[0][0] for h in hits(tmp_path / "faiss", k=120)]


def test_wide_filters_and_many_keys(tmp_path, monkeypatch):
    """Limits of a server, lowered so that a toy meets them: keys in one filter, results of one query."""
    build(tmp_path, numbered_pairs(60))
    contents = load_contents(generations.current(tmp_path))
    vectors = SmallEncoder().encode_queries(QUESTIONS)
    allowed = np.arange(0, 120, 2)
    truth = contents.dense._exact.search(vectors, 10, allowed)
    monkeypatch.setattr(milvus, "MOST_KEYS", 25)
    scores, rows = contents.dense.search(vectors, 10, allowed)  # asks for ever more
    assert np.array_equal(np.sort(scores), np.sort(truth[0])) and (rows % 2 == 0).all()
    monkeypatch.setattr(milvus, "_MOST_RESULTS", 12)
    scores, rows = contents.dense.search(vectors, 10, allowed)  # names the keys, in three parts
    assert np.array_equal(np.sort(scores), np.sort(truth[0])) and (rows % 2 == 0).all()
    assert contents.dense.search(vectors, 2, np.array([], dtype=np.int64))[1].tolist() == [[-1, -1]] * len(vectors)


def test_an_update_sends_only_new_rows_and_a_rollback_finds_the_old_ones(tmp_path):
    build(tmp_path, numbered_pairs(40))
    before = hits(tmp_path)
    report = update(tmp_path, numbered_pairs(41, edited={7}), "d")
    assert report["embedded"] == store(tmp_path)["sent"] == 3  # one edited passage, two of a new pair
    assert rows_in(tmp_path) == 83  # the edited passage's old row stays for the old generation
    build(tmp_path / "faiss", numbered_pairs(41, edited={7}), Storage())
    assert hits(tmp_path) == hits(tmp_path / "faiss")
    generations.rollback(tmp_path)
    assert hits(tmp_path) == before and verify_index(tmp_path, SmallEncoder()) == []


def test_rows_that_no_generation_needs_are_deleted(tmp_path):
    build(tmp_path, numbered_pairs(20))
    update(tmp_path, numbered_pairs(10), "d", prune=True, force=True, keep_generations=2)
    assert rows_in(tmp_path) == 40
    update(tmp_path, numbered_pairs(9), "e", prune=True, force=True, keep_generations=2)  # the first generation goes
    assert rows_in(tmp_path) == 20
    encoder = SmallEncoder("another")
    build(tmp_path, numbered_pairs(9), encoder=encoder)
    build_index(
        numbered_pairs(8), "x", tmp_path, encoder, reuse=False, storage=MILVUS, **(SETTINGS | {"keep_generations": 1})
    )
    dense = load_contents(generations.current(tmp_path)).dense
    assert dense._client.list_collections() == [store(tmp_path)["collection"]]


def test_what_a_crashed_writer_sent_is_unseen_and_then_deleted(tmp_path, monkeypatch):
    build(tmp_path, numbered_pairs(20))
    before = hits(tmp_path)

    def crash(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("retrieval.build.write_manifest", crash)
        with pytest.raises(KeyboardInterrupt):
            update(tmp_path, numbered_pairs(30), "d")
    assert rows_in(tmp_path) == 60 and hits(tmp_path) == before and verify_index(tmp_path) == []
    update(tmp_path, numbered_pairs(21), "e")
    assert store(tmp_path)["sent"] == 0  # the crashed writer had sent them
    assert rows_in(tmp_path) == 42 and verify_index(tmp_path) == []


def test_lost_rows_are_found_and_a_build_sends_them_again(tmp_path):
    build(tmp_path, numbered_pairs(20))
    dense = load_contents(generations.current(tmp_path)).dense
    dense._client.delete(dense._collection, ids=dense._numbers[:3].tolist())
    assert verify_index(tmp_path) == ["milvus: 3 rows are missing; send them again with: medqa index build"]
    assert build(tmp_path, numbered_pairs(20), reuse=True)["embedded"] == 0
    assert store(tmp_path)["sent"] == 3 and verify_index(tmp_path) == []
    dense._client.drop_collection(dense._collection)
    with pytest.raises(MedqaError, match="wanted the collection medqa_"):
        load_contents(generations.current(tmp_path))
    assert build(tmp_path, numbered_pairs(20), reuse=True)["embedded"] == 0
    assert verify_index(tmp_path) == []


def test_a_large_collection_is_tuned_and_measured(tmp_path):
    storage = Storage("milvus", exact_up_to=50, recall=0.95)
    build(tmp_path, numbered_pairs(60), storage)
    facts = store(tmp_path)
    assert (
        (facts["index"], facts["ef"]) == ("HNSW", 64) and facts["recall"] >= 0.95 and facts["queries_held_aside"] == 30
    )


def test_another_process_is_told_who_is_in_the_way(tmp_path):
    build(tmp_path, numbered_pairs(20))
    code = (
        "import sys; from pathlib import Path; from medqa.errors import MedqaError\n"
        "from retrieval import generations; from retrieval.contents import load_contents\n"
        "try: load_contents(generations.current(Path(sys.argv[1])))\n"
        "except MedqaError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"wanted Milvus at {tmp_path}/milvus.db, found: ")
    assert told.stdout.endswith("Milvus Lite serves one process at a time: is another using it?\n")


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(MedqaError, match="is the server up"):
        build(tmp_path, numbered_pairs(3), Storage("milvus", uri="http://127.0.0.1:9"))
    assert generations.find_current(tmp_path) is None


def test_a_missing_package_is_told_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(MedqaError, match=r"pip install -e '\.\[milvus\]'"):
        build(tmp_path, numbered_pairs(3))
