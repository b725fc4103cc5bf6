import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.variety import near_identical, order_by_mmr

SAME = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]])


def test_mmr_by_hand():
    relevance = np.array([0.9, 0.8, 0.5, 0.6])
    # After item 0 with v = .4: item 1 .48 - .4; item 2 .30 - 0; item 3 .36 - .24. After 0 and 2: item 1 .08, item 3 .36 - .32.
    assert order_by_mmr(relevance, SAME, 0.4, 4) == [0, 2, 1, 3]
    assert order_by_mmr(relevance, SAME, 0.0, 3) == [0, 1, 3]
    assert order_by_mmr(relevance, SAME, 1.0, 2) == [0, 2]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1), st.integers(1, 9))
def test_mmr_chooses_each_once(relevance, variety, k):
    vectors = np.random.default_rng(0).normal(size=(len(relevance), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = order_by_mmr(np.array(relevance), vectors, variety, k)
    assert len(chosen) == len(set(chosen)) == min(k, len(relevance))
    assert chosen[0] == int(np.argmax(relevance)) or variety == 1


@pytest.mark.parametrize(("cosine", "same"), [(0.97, False), (0.985, True)])
def test_near_identical(cosine, same):
    vectors = np.array([[1, 0], [0, 1], [cosine, np.sqrt(1 - cosine**2)]])
    assert near_identical(vectors, [0, 1], 2) is same
    assert near_identical(vectors, [], 2) is False
