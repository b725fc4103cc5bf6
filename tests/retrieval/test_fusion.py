import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.fusion import fuse, fuse_ranks, top_rows


def test_fusion_by_hand():
    # min-max: dense .2 .6 1.0 -> 0 .5 1; lexical 4 0 1 -> 1 0 .25
    fused = fuse(np.array([5, 7, 9]), np.array([0.2, 0.6, 1.0]), np.array([4.0, 0.0, 1.0]), 0.3)
    assert fused.rows.tolist() == [9, 7, 5]
    assert fused.scores == pytest.approx([0.7 + 0.075, 0.35, 0.3])
    assert fused.dense.tolist() == [1.0, 0.6, 0.2]
    assert fused.lexical.tolist() == [1.0, 0.0, 4.0]


def test_an_arm_that_says_nothing_counts_nothing_and_ties_fall_by_row():
    fused = fuse(np.array([8, 3]), np.array([0.5, 0.5]), np.array([0.0, 0.0]), 0.3)
    assert (fused.rows.tolist(), fused.scores.tolist()) == ([3, 8], [0, 0])


@pytest.mark.parametrize(("weight", "best"), [(0.0, 2), (1.0, 1)])
def test_the_ends_of_the_weight_are_the_arms(weight, best):
    assert fuse(np.array([1, 2]), np.array([0.1, 0.2]), np.array([3.0, 1.0]), weight).rows[0] == best


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=30), st.integers(1, 40))
def test_top_rows_are_a_stable_sort(scores, n):
    by_sort = [i for i in sorted(range(len(scores)), key=lambda i: -scores[i]) if scores[i] > 0][:n]
    assert top_rows(np.array(scores, dtype=np.float32), n).tolist() == by_sort


def test_reciprocal_ranks_by_hand():
    # Ranks in dense 3 2 1; in lexical 1, none, 2.
    fused = fuse_ranks(np.array([5, 7, 9]), np.array([0.2, 0.6, 1.0]), np.array([4.0, 0.0, 1.0]), 0.5)
    assert fused.rows.tolist() == [9, 5, 7]
    assert fused.scores == pytest.approx([61 / 61 / 2 + 61 / 62 / 2, 61 / 63 / 2 + 1 / 2, 61 / 62 / 2])
    assert fused.lexical.tolist() == [1.0, 4.0, 0.0]


def test_equal_scores_share_the_best_rank_and_fall_by_row():
    fused = fuse_ranks(np.array([8, 3, 4]), np.array([0.5, 0.5, 0.1]), np.array([0.0, 0.0, 0.0]), 0.5)
    assert (fused.rows.tolist(), fused.scores.tolist()) == ([3, 8, 4], [0.5, 0.5, 0.5 * 61 / 63])
