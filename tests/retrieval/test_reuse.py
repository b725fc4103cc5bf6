import numpy as np
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from retrieval.build import build_index
from retrieval.index import Index
from retrieval.reuse import ReusingEncoder


def test_only_texts_that_no_index_holds_are_embedded(tmp_path):
    build_index(numbered_pairs(6), "c", tmp_path / "index", ToyEncoder(), reuse=True, **SETTINGS)
    held = [p.embedded_text for p in Index.open(tmp_path / "index", ToyEncoder()).passages]
    inner = ToyEncoder()
    reusing = ReusingEncoder(inner, [tmp_path / "index", tmp_path / "none"])
    vectors = reusing.encode_passages([*held, "new text", held[0], "new text"])
    assert inner.embedded == ["new text"]
    assert reusing.embedded == 1
    assert np.array_equal(vectors, ToyEncoder().encode_passages([*held, "new text", held[0], "new text"]))


def test_vectors_of_another_encoder_are_not_taken_over(tmp_path):
    build_index(numbered_pairs(2), "c", tmp_path / "index", ToyEncoder(), reuse=True, **SETTINGS)
    held = [p.embedded_text for p in Index.open(tmp_path / "index", ToyEncoder()).passages]
    other = ToyEncoder(fingerprint="other")
    ReusingEncoder(other, [tmp_path / "index"]).encode_passages(held)
    assert other.embedded == held
    assert ReusingEncoder(other, []).encode_passages([]).shape == (0, ToyEncoder.dim)
