from pathlib import Path

import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs

from medqa.errors import MedqaError
from retrieval import estimate as module
from retrieval.build import build_index, update_index
from retrieval.estimate import Estimate, estimate, refuse
from retrieval.stores import Storage
from retrieval.verify import index_stats


def test_the_formula_by_hand():
    exact = estimate(1000, 600_000, 100, Storage(exact_up_to=1000))
    assert exact.disk == 400_000 + 600_000 + 348_000 + 600_000
    assert exact.memory == 1_200_000_000 + 1_200_000 + 1_200_000 + 2_200_000 + 3_000_000
    approximate = estimate(1000, 600_000, 100, Storage(exact_up_to=999))
    assert approximate.disk - exact.disk == 108_000 + 400 * 25  # 1000 // 39 = 25 lists
    assert approximate.memory - exact.memory == 108_000
    lite = estimate(1000, 600_000, 100, Storage("milvus", exact_up_to=999))
    assert lite.disk - exact.disk == 8000 + 400_000
    cluster = estimate(1000, 600_000, 100, Storage("milvus", uri="http://host:19530"))
    assert (cluster.disk - exact.disk, cluster.memory) == (8000, exact.memory)


def test_too_little_room_names_the_change_that_fits():
    storage = Storage()
    needed = estimate(1000, 600_000, 100, storage)
    refuse(needed, 1000, 600_000, 100, storage, needed.disk, needed.memory, Path("ix"))
    refuse(needed, 1000, 600_000, 100, storage, needed.disk, None, Path("ix"))
    with pytest.raises(MedqaError) as error:
        refuse(needed, 1000, 600_000, 100, storage, needed.disk // 2, needed.memory, Path("ix"))
    assert str(error.value) == (
        "wanted 1.9 MB of disk for 1000 passages in ix, found 1.0 MB free; free 1.0 MB, put the index on another disk, or "
        "index at most 500 passages (fewer --splits)"
    )
    with pytest.raises(
        MedqaError, match=r"wanted 1\.21 GB of memory .* found 1\.20 GB available; free 3\.8 MB, .* 499 "
    ):
        refuse(needed, 1000, 600_000, 100, storage, needed.disk, needed.memory - 3_803_000, Path("ix"))


def test_a_build_without_room_writes_nothing(tmp_path, monkeypatch):
    encoder = ToyEncoder()
    build_index(numbered_pairs(20), "c", tmp_path, encoder, reuse=False, **SETTINGS)
    before = index_stats(tmp_path)
    asked = len(encoder.embedded)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100_000})())
    with pytest.raises(MedqaError, match="of disk for 60 passages"):
        update_index(numbered_pairs(30), "d", tmp_path, encoder, **SETTINGS)
    assert index_stats(tmp_path) == before
    assert len(encoder.embedded) == asked  # refused before anything was embedded


def test_stats_show_estimate_and_truth(tmp_path):
    build_index(numbered_pairs(200), "c", tmp_path, ToyEncoder(), reuse=False, **SETTINGS)
    shown = index_stats(tmp_path)
    assert Estimate(**shown["estimate"]).disk == pytest.approx(shown["bytes"], rel=0.2)
    assert shown["memory_peak"] > 10_000_000
    assert shown["store"] == {"kind": "exact"}
