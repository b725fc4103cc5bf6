import json

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from medqa.errors import MedqaError
from medqa.files import sha256_file, write_json
from medqa.records import Passage
from retrieval import generations
from retrieval.build import build_index
from retrieval.passage_file import write_passages
from retrieval.verify import verify_index


@pytest.fixture
def index(tmp_path):
    build_index(numbered_pairs(20), "c", tmp_path, ToyEncoder(), reuse=False, **SETTINGS)
    return tmp_path


def test_a_fresh_index_is_sound(index):
    assert verify_index(index) == []
    assert verify_index(index, ToyEncoder()) == []


def test_no_index(tmp_path):
    with pytest.raises(MedqaError, match="wanted an index"):
        verify_index(tmp_path)


def test_a_truncated_vector_file_is_found(index):
    file = generations.current(index) / "vectors.faiss"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    problems = verify_index(index)
    assert problems[0] == "vectors.faiss: content differs from the manifest"
    assert "wanted a sound generation 000001" in problems[1]


def test_a_flipped_bit_a_missing_and_an_extra_file_are_found(index):
    folder = generations.current(index)
    vectors = bytearray((folder / "vectors.faiss").read_bytes())
    vectors[-3] ^= 1
    (folder / "vectors.faiss").write_bytes(vectors)
    (folder / "stray").write_text("x")
    (folder / "bm25" / "params.index.json").unlink()
    assert verify_index(index)[:3] == [
        "bm25/params.index.json: missing",
        "stray: not in the manifest",
        "vectors.faiss: content differs from the manifest",
    ]


def with_passages(index, change):
    """Edit the passages and make the manifest agree, so that only what they say can give them away."""
    folder = generations.current(index)
    rows = [json.loads(line) for line in (folder / "passages.jsonl").read_text().splitlines()]
    change(rows)
    write_passages(folder, [Passage(**row) for row in rows])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["outputs"] |= {name: sha256_file(folder / name) for name in ("passages.jsonl", "passages.npy")}
    write_json(folder / "manifest.json", manifest)


def test_an_edited_text_is_found(index):
    with_passages(index, lambda rows: rows[3].update(text=rows[3]["text"].replace("closes", "shuts ")))
    [problem] = verify_index(index)
    assert problem.startswith("passage p001:1:") and problem.endswith("the id does not follow from the text")


def test_bad_spans_and_repeated_ids_are_found(index):
    def change(rows):
        rows[0]["sentences"] = [[0, 5]]
        rows[1] = rows[2]

    with_passages(index, change)
    problems = verify_index(index)
    assert "passages: ids are not unique" in problems
    assert any(p.endswith("sentence spans do not fit the text") for p in problems)


def test_shifted_vectors_are_found_by_the_sample(index):
    import faiss

    folder = generations.current(index)
    flat = faiss.read_index(str(folder / "vectors.faiss"))
    shifted = faiss.IndexFlatIP(flat.d)
    shifted.add(np.roll(flat.reconstruct_n(0, flat.ntotal), 1, axis=0))
    faiss.write_index(shifted, str(folder / "vectors.faiss"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["outputs"]["vectors.faiss"] = sha256_file(folder / "vectors.faiss")
    write_json(folder / "manifest.json", manifest)
    assert verify_index(index) == []
    assert len(verify_index(index, ToyEncoder())) == 32
    assert verify_index(index, ToyEncoder("other")) == ["vectors: made by another encoder than the one given"]


def test_vectors_that_are_not_normalised_are_found(index):
    import faiss

    folder = generations.current(index)
    flat = faiss.read_index(str(folder / "vectors.faiss"))
    vectors = flat.reconstruct_n(0, flat.ntotal)
    vectors[4] *= 0.5
    vectors[7, 0] = np.nan
    flat.reset()
    flat.add(vectors)
    faiss.write_index(flat, str(folder / "vectors.faiss"))
    assert verify_index(index)[-1] == "vectors: 2 are not of length 1"
