import numpy as np
import pytest

from retrieval.devices import encode_on, encode_share
from retrieval.encoder import load_encoder


@pytest.mark.slow  # starts two processes that import torch
def test_two_processes_give_the_vectors_of_one():
    model = load_encoder("embedded", 4)._model
    texts = [f"Text number {i} " + "is longer " * (i % 7) for i in range(21)]
    alone = encode_share(model, texts, "", 4, False)
    shared = encode_on(["cpu", "cpu"], model, texts, "", 4, False)
    assert shared.shape == (21, 384) and shared.dtype == np.float32
    assert (alone * shared).sum(1) == pytest.approx(1, abs=1e-3)


def test_few_texts_stay_on_the_first_device(monkeypatch):
    monkeypatch.setattr("retrieval.encoder.encode_on", lambda *a: pytest.fail("processes were started"))
    encoder = load_encoder("embedded", 4, ("cpu", "cpu"))
    assert encoder.encode_passages(["a", "b"]).shape == (2, 384)
    monkeypatch.setattr("retrieval.encoder.POOL_FROM", 2)
    monkeypatch.setattr("retrieval.encoder.encode_on", lambda devices, *a: list(devices))
    assert encoder.encode_passages(["a", "b"]) == ["cpu", "cpu"]
