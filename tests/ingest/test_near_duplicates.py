import hashlib
import itertools
import random

import numpy as np
import pytest

from ingest.groups import UnionFind
from ingest.near_duplicates import MISSED, PERMUTATIONS, banding, minhash
from ingest.near_duplicates import near_duplicate_sets as find_sets
from ingest.shingles import shingle_sets
from ingest.similarity import SimilarityJoin


def near_duplicate_sets(sets, threshold):
    return find_sets(sets, SimilarityJoin(sets), threshold)


def words(rng, count):
    return [f"w{rng.randrange(500)}" for _ in range(count)]


def planted(seed=0, originals=60):
    """Texts of 40 to 90 words, each with copies in which 0 to 8 words were changed."""
    rng = random.Random(seed)
    texts = []
    for _ in range(originals):
        base = words(rng, rng.randrange(40, 90))
        texts.append(" ".join(base))
        for edits in rng.sample(range(9), 2):
            copy = list(base)
            for place in rng.sample(range(len(copy)), edits):
                copy[place] = f"x{rng.randrange(10**6)}"
            texts.append(" ".join(copy))
    return texts


def plain_shingles(text):
    found = text.split()
    return {tuple(found[i : i + 3]) for i in range(max(1, len(found) - 2))} if found else set()


def plain_jaccard(a, b):
    a, b = plain_shingles(a), plain_shingles(b)
    return len(a & b) / len(a | b) if a | b else 0.0


@pytest.fixture(scope="module")
def texts():
    return planted()


@pytest.fixture(scope="module")
def exhaustive(texts):
    """Second implementation: Python sets, all pairs."""
    return {(i, j): plain_jaccard(texts[i], texts[j]) for i, j in itertools.combinations(range(len(texts)), 2)}


def test_jaccard_agrees_with_python_sets(texts, exhaustive):
    pairs = list(exhaustive)
    left, right = np.array(pairs).T
    found = SimilarityJoin(shingle_sets(texts)).jaccard(left, right)
    assert found.tolist() == pytest.approx([exhaustive[pair] for pair in pairs])


def test_jaccard_of_long_texts_and_of_chunks():
    """More shared shingles than a byte counts, in a collection larger than what is hashed at once."""
    long = [f"w{n}" for n in range(700)]
    texts = [" ".join(long), " ".join(long[:500]), *(f"filler {n}" for n in range(5000)), " ".join(long[100:])]
    join = SimilarityJoin(shingle_sets(texts))
    last = len(texts) - 1
    assert join.jaccard(np.array([0, 0, 1, 0]), np.array([1, last, last, 5])).tolist() == pytest.approx(
        [498 / 698, 598 / 698, 398 / 698, 0.0]
    )


@pytest.mark.parametrize("seed", range(3))
def test_large_buckets_equal_all_pairs(seed):
    """Families of more alike texts than are compared at once, some close to the threshold, some below it."""
    rng = random.Random(seed)
    texts = []
    for family in range(3):
        base = words(rng, 80)
        for _ in range(90):
            copy = list(base)
            for place in rng.sample(range(80), rng.randrange(1 + family * 3)):
                copy[place] = f"x{rng.randrange(10**6)}"
            texts.append(" ".join(copy))
    wanted = UnionFind(len(texts))
    for i, j in itertools.combinations(range(len(texts)), 2):
        if plain_jaccard(texts[i], texts[j]) >= 0.8:
            wanted.union(i, j)
    assert 3 < len(wanted.sets()) < 200
    assert near_duplicate_sets(shingle_sets(texts), 0.8).sets() == wanted.sets()


def test_short_and_empty_texts():
    sets = shingle_sets(["one", "one two", "ONE, two!", "", "?!", "one two three four"])
    assert sets.sizes.tolist() == [1, 1, 1, 0, 0, 2]
    assert near_duplicate_sets(sets, 0.8).sets() == [[0], [1, 2], [3], [4], [5]]


def test_shingle_hashes_are_the_same_in_every_process():
    mixed = 0
    for word in ("alpha", "beta", "gamma"):  # worked without numpy, from the definition
        hashed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        mixed = ((mixed ^ (mixed >> 29)) * 0x9E3779B97F4A7C15 + hashed) % 2**64
    assert shingle_sets(["x y z", "Alpha, beta gamma"])[1].tolist() == [mixed]


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_components_equal_those_of_all_pairs(texts, exhaustive, threshold):
    wanted = UnionFind(len(texts))
    for (i, j), similarity in exhaustive.items():
        if similarity >= threshold:
            wanted.union(i, j)
    found = near_duplicate_sets(shingle_sets(texts), threshold)
    assert found.sets() == wanted.sets()
    assert len(wanted.sets()) < len(texts)  # something was there to be found


def test_chains_join_but_what_lies_below_the_threshold_does_not():
    base = [f"w{n}" for n in range(60)]
    step = [" ".join([*(f"x{n}" for n in range(k)), *base[k:]]) for k in (0, 3, 6, 30)]
    # Replacing the first 3 of 60 words: 55 of 58 shingles stay, J = 55/61 = 0.90. From there to 6 words:
    # 53/63 = 0.84. From none to 6: 52/64 = 0.81.
    assert near_duplicate_sets(shingle_sets(step), 0.83).sets() == [[0, 1, 2], [3]]  # 0-2 only by way of 1
    assert near_duplicate_sets(shingle_sets([step[0], step[2]]), 0.83).sets() == [[0], [1]]


def test_boilerplate_is_cheap():
    """3,000 alike texts share all buckets: all pairs would be 4.5 million comparisons per band."""
    texts = ["the same boilerplate answer under every question of this kind " * 5 + f"end{n}" for n in range(3000)]
    assert len(near_duplicate_sets(shingle_sets(texts), 0.8).sets()) == 1


def test_banding_keeps_its_promise():
    assert banding(0.8) == (25, 5)
    for threshold in (0.3, 0.5, 0.8, 0.9, 1.0):
        bands, rows = banding(threshold)
        assert bands * rows <= PERMUTATIONS
        assert (1 - threshold**rows) ** bands <= MISSED


def test_minhash_estimates_the_true_similarity(texts, exhaustive):
    signatures = minhash(shingle_sets(texts))
    pairs = [(i, j) for (i, j), s in exhaustive.items() if s > 0.3]
    errors = [(signatures[i] == signatures[j]).mean() - exhaustive[i, j] for i, j in pairs]
    assert len(pairs) > 50
    assert abs(np.mean(errors)) < 0.02
    assert np.abs(errors).max() < 0.2  # 5 standard deviations at 0.5
    assert np.array_equal(signatures, minhash(shingle_sets(texts)))


@pytest.mark.parametrize("threshold", [0.02, 0.3, 0.5, 0.8, 1.0])
def test_similarity_join_finds_exactly_the_pairs_above_the_threshold(texts, exhaustive, threshold):
    left, right = np.arange(0, len(texts), 3), np.array([i for i in range(len(texts)) if i % 3])
    found = SimilarityJoin(shingle_sets(texts)).pairs(left, right, threshold)
    wanted = {
        (i, j): s for i in left.tolist() for j in right.tolist() if (s := exhaustive[min(i, j), max(i, j)]) >= threshold
    }
    got = dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), found.jaccard.tolist(), strict=True))
    assert got == pytest.approx(wanted)
    assert found.jaccard.tolist() == sorted(found.jaccard.tolist(), reverse=True)


@pytest.mark.parametrize("threshold", [0.02, 0.5, 0.8])
def test_the_cost_of_a_join_bounds_what_it_compares(texts, threshold):
    left, right = np.arange(0, len(texts), 3), np.array([i for i in range(len(texts)) if i % 3])
    join = SimilarityJoin(shingle_sets(texts))
    assert join.cost(left, right, threshold) >= len(join.pairs(left, right, threshold))
    assert join.cost(left, right, 0.02) >= join.cost(left, right, 0.8)


def test_similarity_join_of_nothing():
    join = SimilarityJoin(shingle_sets(["", "a b c d"]))
    assert len(join.pairs(np.array([0]), np.array([1]), 0.5)) == 0
    assert len(join.pairs(np.array([], dtype=np.int64), np.array([1]), 0.5)) == 0
