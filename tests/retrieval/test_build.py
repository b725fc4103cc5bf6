from dataclasses import replace

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs, pair

from medqa.errors import MedqaError
from medqa.manifest import read_manifest
from retrieval import generations
from retrieval.build import build_index, update_index
from retrieval.contents import load_contents
from retrieval.measured import carried_over
from retrieval.verify import index_stats, verify_index


def build(index, pairs, encoder=None, fingerprint="c1", reuse=True, **more):
    return build_index(pairs, fingerprint, index, encoder or ToyEncoder(), reuse=reuse, **(SETTINGS | more))


def update(index, pairs, encoder=None, fingerprint="c2", prune=False, force=False, dry_run=False, **more):
    return update_index(
        pairs,
        fingerprint,
        index,
        encoder or ToyEncoder(),
        prune=prune,
        force=force,
        dry_run=dry_run,
        **(SETTINGS | more),
    )


def contents(index):
    return load_contents(generations.current(index))


def as_dict(index):
    now = contents(index)
    return {p: v.tolist() for p, v in zip(now.passages, now.vectors(), strict=True)}


def test_build_holds_every_passage_with_its_vector(tmp_path):
    encoder = ToyEncoder()
    summary = build(tmp_path, numbered_pairs(10), encoder)
    assert (summary["pairs"], summary["passages"], summary["embedded"], summary["reused"]) == (10, 20, 20, False)
    now = contents(tmp_path)
    assert [p.id.rsplit(":", 1)[0] for p in now.passages] == [f"p{i:03d}:{n}" for i in range(10) for n in (0, 1)]
    assert np.allclose(now.vectors(), encoder._vectors([p.embedded_text for p in now.passages]), atol=1e-6)
    manifest = read_manifest(now.folder, "index", "")
    assert manifest["inputs"] == {"corpus": "c1", "encoder": "toy"}
    assert set(manifest["outputs"]) >= {"passages.jsonl", "vectors.faiss"}


def test_the_order_of_rows_has_no_part_in_an_index(tmp_path):
    build(tmp_path / "a", numbered_pairs(6))
    build(tmp_path / "b", numbered_pairs(6)[::-1])
    a, b = contents(tmp_path / "a").manifest["outputs"], contents(tmp_path / "b").manifest["outputs"]
    assert a == b


def test_an_unchanged_build_is_reused_and_a_changed_one_is_not(tmp_path):
    pairs = numbered_pairs(4)
    build(tmp_path, pairs)
    encoder = ToyEncoder()
    assert build(tmp_path, pairs, encoder)["reused"] is True
    assert encoder.embedded == []
    assert build(tmp_path, pairs, encoder, reuse=False)["generation"] == "000002"
    assert len(encoder.embedded) == 8
    assert build(tmp_path, pairs, max_tokens=12)["reused"] is False
    assert build(tmp_path, pairs, header="none", max_tokens=12)["reused"] is False
    assert build(tmp_path, pairs, fingerprint="c9", header="none", max_tokens=12)["reused"] is False


def test_a_damaged_generation_is_not_reused(tmp_path):
    build(tmp_path, numbered_pairs(4))
    file = generations.current(tmp_path) / "vectors.faiss"
    file.write_bytes(file.read_bytes()[:-4])
    encoder = ToyEncoder()
    assert build(tmp_path, numbered_pairs(4), encoder)["reused"] is False
    assert len(encoder.embedded) == 8
    assert verify_index(tmp_path, encoder) == []


def test_only_the_chosen_splits_go_in_and_share_vectors(tmp_path):
    pairs = [replace(p, split="test" if i < 2 else "train") for i, p in enumerate(numbered_pairs(5))]
    build(tmp_path / "all", pairs)
    encoder = ToyEncoder()
    summary = build(tmp_path / "held", pairs, encoder, splits=("train",), share=[tmp_path / "all", tmp_path / "none"])
    assert {p.pair_id for p in contents(tmp_path / "held").passages} == {"p002", "p003", "p004"}
    assert summary["embedded"] == 0 and encoder.embedded == []
    assert build(tmp_path / "other", pairs, ToyEncoder("b"), share=[tmp_path / "all"])["embedded"] == 10


def test_equal_texts_are_embedded_once(tmp_path):
    encoder = ToyEncoder()
    summary = build(tmp_path, [pair("a", "Same words."), pair("b", "Same words.")], encoder)
    assert (summary["passages"], summary["embedded"], encoder.embedded) == (2, 1, ["Same words."])


def test_nothing_to_index_is_told_and_makes_no_folder(tmp_path):
    with pytest.raises(MedqaError, match="in the splits test, found none among 3"):
        build(tmp_path / "i", numbered_pairs(3), splits=("test",))
    assert not (tmp_path / "i").exists()


def test_an_encoder_that_breaks_its_promise_is_told(tmp_path):
    class Long(ToyEncoder):
        def _vectors(self, texts):
            return super()._vectors(texts) * 2

    with pytest.raises(MedqaError, match="wanted vectors of length 1, found one that is 1 off"):
        build(tmp_path, numbered_pairs(2), Long())
    assert generations.find_current(tmp_path) is None


def test_update_embeds_exactly_the_new_passages(tmp_path):
    build(tmp_path, numbered_pairs(30))
    before = as_dict(tmp_path)
    encoder = ToyEncoder()
    pairs = numbered_pairs(31, edited=(4, 9))[1:]  # p000 gone, p030 new, two with a third passage now
    summary = update(tmp_path, pairs, encoder, prune=True)
    assert summary["diff"] == {
        "added": 1, "changed": 2, "removed": 1, "unchanged": 27, "gone": 1,
        "passages_new": 4, "passages_removed": 2, "to_embed": 4,
    }  # fmt: skip
    assert summary["embedded"] == 4
    new = [p for p in as_dict(tmp_path) if p not in before]
    assert sorted(encoder.embedded) == sorted(p.embedded_text for p in new)
    assert {p.pair_id for p in new} == {"p004", "p009", "p030"}


def test_an_update_gives_the_index_that_a_build_would(tmp_path):
    build(tmp_path / "updated", numbered_pairs(12))
    pairs = numbered_pairs(14, edited=(3,))[1:]
    update(tmp_path / "updated", pairs, prune=True)
    build(tmp_path / "built", pairs, fingerprint="c2")
    assert as_dict(tmp_path / "updated") == as_dict(tmp_path / "built")
    a, b = contents(tmp_path / "updated").manifest, contents(tmp_path / "built").manifest
    assert (a["key"], a["outputs"], a["calibration"]) == (b["key"], b["outputs"], b["calibration"])


def test_small_updates_keep_what_was_measured_until_a_twentieth_has_moved(tmp_path):
    """60 pairs of two passages: an edit adds a third, and six of 120 are a twentieth."""

    def state(n):
        return [replace(p, question=p.answer[:20]) for p in numbered_pairs(60, edited=range(n))]

    build(tmp_path, state(0))
    first = contents(tmp_path).manifest
    assert first["calibration"]["threshold"] is not None
    assert first["measured"] == {"passages": 120, "moved_since": 0}
    encoder = ToyEncoder()
    summary = update(tmp_path, state(4), encoder, fingerprint="c2")
    assert (summary["diff"]["passages_new"], summary["diff"]["passages_removed"]) == (4, 0)
    kept = contents(tmp_path).manifest
    assert kept["measured"] == {"passages": 120, "moved_since": 4}
    assert (kept["calibration"], kept["fusion"]) == (first["calibration"], first["fusion"])
    assert encoder.asked == []
    update(tmp_path, state(7), encoder, fingerprint="c3")  # 4 + 3 of 120
    anew = contents(tmp_path).manifest
    assert anew["measured"] == {"passages": 127, "moved_since": 0}
    assert len(encoder.asked) > 0
    build(tmp_path / "built", state(7), fingerprint="c3")
    assert anew["calibration"] == contents(tmp_path / "built").manifest["calibration"]


def test_another_recipe_or_too_few_questions_are_measured():
    settings = dict.fromkeys(("splits", "header", "max_tokens", "chunker", "calibration", "lexical", "seed"), 1)
    before = {
        "settings": settings, "calibration": {"threshold": 0.5}, "fusion": {"lexical_weight": 0.1},
        "measured": {"passages": 100, "moved_since": 3},
    }  # fmt: skip
    assert carried_over(before, settings, 2)["measured"]["moved_since"] == 5
    assert carried_over(before, settings, 3) is None
    assert carried_over(before, settings | {"header": 2}, 1) is None
    assert carried_over(before | {"calibration": {"threshold": None}}, settings, 1) is None
    del before["measured"]  # an index made before
    assert carried_over(before, settings, 1) is None


def test_vanished_pairs_stay_until_pruned(tmp_path):
    build(tmp_path, numbered_pairs(20))
    summary = update(tmp_path, numbered_pairs(20)[1:])
    assert (summary["pairs"], summary["diff"]["removed"], summary["diff"]["gone"], summary["embedded"]) == (20, 0, 1, 0)
    assert verify_index(tmp_path) == []
    again = update(tmp_path, numbered_pairs(20)[1:])
    assert again["reused"] is True
    pruned = update(tmp_path, numbered_pairs(20)[1:], prune=True)
    assert (pruned["pairs"], pruned["diff"]["removed"]) == (19, 1)
    assert not any("p000" in p.pair_id for p in contents(tmp_path).passages)
    assert len(contents(tmp_path).dense) == 38


def test_vanished_pairs_cannot_slip_into_another_recipe(tmp_path):
    pairs = [replace(p, split="test" if i == 0 else "train") for i, p in enumerate(numbered_pairs(30))]
    build(tmp_path, pairs)
    with pytest.raises(MedqaError, match=r"found another splits and header than in .*; add --prune"):
        update(tmp_path, pairs[1:], splits=("train",), header="none")
    update(tmp_path, pairs, splits=("train",))  # left out by the splits: goes without --prune
    assert "p000" not in {p.pair_id for p in contents(tmp_path).passages}


def test_a_large_removal_asks_for_force(tmp_path):
    build(tmp_path, numbered_pairs(20))
    with pytest.raises(MedqaError, match=r"at most a tenth of the 20 pairs .* found 3 to remove; .* --force"):
        update(tmp_path, numbered_pairs(17), prune=True)
    assert generations.current(tmp_path).name == "000001"
    assert update(tmp_path, numbered_pairs(18), prune=True)["pairs"] == 18  # exactly a tenth
    assert update(tmp_path, numbered_pairs(10), prune=True, force=True, fingerprint="c3")["pairs"] == 10


def test_a_dry_run_tells_and_writes_nothing(tmp_path):
    build(tmp_path, numbered_pairs(5))
    encoder = ToyEncoder()
    summary = update(tmp_path, numbered_pairs(2, edited=(0,)), encoder, prune=True, dry_run=True)
    assert (summary["diff"]["removed"], summary["diff"]["to_embed"], summary["embedded"]) == (3, 1, 0)
    assert encoder.embedded == []
    assert [f.name for f in generations.complete(tmp_path)] == ["000001"]


def test_metadata_alone_changes_a_pair_and_embeds_nothing(tmp_path):
    build(tmp_path, numbered_pairs(5))
    pairs = numbered_pairs(5)
    summary = update(tmp_path, [replace(pairs[0], url="https://example.org"), *pairs[1:]])
    assert (summary["diff"]["changed"], summary["embedded"]) == (1, 0)
    assert contents(tmp_path).passages[0].url == "https://example.org"


def test_update_needs_an_index_by_the_same_encoder(tmp_path):
    with pytest.raises(MedqaError, match="make it with: medqa index build"):
        update(tmp_path / "none", numbered_pairs(2))
    assert not (tmp_path / "none").exists()
    build(tmp_path, numbered_pairs(2))
    with pytest.raises(MedqaError, match="another encoder's vectors"):
        update(tmp_path, numbered_pairs(2), ToyEncoder("other"))


def test_stats(tmp_path):
    build(tmp_path, numbered_pairs(3))
    build(tmp_path, numbered_pairs(5), fingerprint="c2")
    stats = index_stats(tmp_path)
    assert (stats["generation"], stats["pairs"], stats["passages"], stats["dim"]) == ("000002", 5, 10, ToyEncoder.dim)
    assert [(g["name"], g["current"]) for g in stats["generations"]] == [("000001", False), ("000002", True)]
    assert stats["bytes"] > 10 * ToyEncoder.dim * 4
