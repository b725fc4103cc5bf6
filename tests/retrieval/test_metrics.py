import math

import pytest

from retrieval.metrics import dcg, ndcg, recall, reciprocal_rank


def test_dcg_by_hand():
    assert dcg([3, 0, 1], 10) == pytest.approx(7 / 1 + 0 + 1 / 2)
    assert dcg([3, 0, 1], 2) == 7
    assert dcg([], 5) == 0


def test_ndcg_by_hand():
    assert ndcg([0, 1], [1], 10) == pytest.approx(1 / math.log2(3))
    assert ndcg([1, 2], [2, 1], 10) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
    assert ndcg([1, 1], [1, 1, 1], 2) == 1  # more cannot be shown among two
    assert ndcg([0, 0], [1], 10) == 0
    with pytest.raises(ValueError, match="above 0"):
        ndcg([0], [0, 0], 10)


def test_reciprocal_rank_and_recall_by_hand():
    assert reciprocal_rank([0, 0, 1, 1], 10) == pytest.approx(1 / 3)
    assert reciprocal_rank([0, 0, 1], 2) == 0
    assert recall([1, 0, 1], 4, 10) == 0.5
    assert recall([1, 1], 50, 2) == 1
