import numpy as np
import pytest

from retrieval.approximate import (
    ApproximateStore,
    build_approximate,
    least_true,
    number_of_lists,
    recalls,
    rescored,
    tune,
)
from retrieval.vectors import ExactStore, write_vectors

N, DIM, TARGET = 6000, 32, 0.97


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Six thousand vectors in 60 loose groups, queries near some of them, and the store tuned to them."""
    folder = tmp_path_factory.mktemp("store")
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((60, DIM))
    vectors = unit(centres[rng.integers(0, 60, N)] + 0.7 * rng.standard_normal((N, DIM)))
    queries = unit(vectors[rng.integers(0, N, 400)] + 0.1 * rng.standard_normal((400, DIM)))
    write_vectors(folder, vectors)
    exact = ExactStore.open(folder)
    store, facts = build_approximate(exact, queries[:300], TARGET, 500, seed=0)
    store.save(folder)
    return ApproximateStore.open(folder, exact, facts["probes"], 500), exact, facts, vectors, queries


def test_the_target_is_reached_on_questions_that_chose_nothing(made):
    store, _, facts, vectors, queries = made
    others = queries[300:]
    truth = np.argsort(-(others @ vectors.T), axis=1)[:, :10]  # no tie among random vectors
    _, found = store.search(others, 10)
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(truth, found, strict=True)])
    assert share >= TARGET - 0.02  # 100 questions: two standard errors
    assert TARGET <= facts["recall"] <= 1
    assert facts["probes"] < facts["lists"] == number_of_lists(N) == 153  # 6000 / 39; 2 * sqrt(6000) would be 155
    assert (facts["queries_tuning"], facts["queries_held_aside"], facts["recall_target"]) == (150, 150, TARGET)


def test_the_recall_reported_is_that_of_the_questions_held_aside(made):
    store, _, facts, vectors, queries = made
    aside = queries[1:300:2]
    least = np.sort(aside @ vectors.T, axis=1)[:, -10]
    scores, _ = store.search(aside, 10)
    assert facts["recall"] == pytest.approx((scores >= least[:, None] - 1e-6).mean(), abs=1e-9)


def test_fewer_lists_would_have_missed_the_target(made):
    store, exact, facts, _, queries = made
    one = ApproximateStore(exact, store._lists, 1, 500)
    assert recalls(one, queries[0:300:2], least_true(exact, queries[0:300:2])).mean() < TARGET <= facts["recall"]


def test_scores_are_cosines_of_the_originals_not_of_the_codes(made):
    store, _, _, vectors, queries = made
    scores, rows = store.search(queries[:20], 10)
    assert scores == pytest.approx(np.einsum("qd,qnd->qn", queries[:20], vectors[rows]), abs=1e-6)
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    assert np.array_equal(store.reconstruct([5, 17]), vectors[[5, 17]])


def test_narrow_filters_are_exact_and_wide_ones_find_only_what_is_allowed(made):
    store, exact, _, _, queries = made
    narrow = np.arange(0, N, 13)  # 462 rows, at most the 500 searched exactly
    assert np.array_equal(store.search(queries, 10, narrow)[1], exact.search(queries, 10, narrow)[1])
    wide = np.arange(0, N, 11)  # 546 rows: their neighbours lie eleven times as far apart
    _, rows = store.search(queries, 10, wide)
    assert (rows >= 0).all() and (rows % 11 == 0).all()
    assert (
        np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact.search(queries, 10, wide)[1], strict=True)])
        > 0.95
    )


def test_as_many_rows_come_as_are_asked_for(made):
    store, _, _, _, queries = made
    _, rows = store.search(queries[:3], N)
    assert [sorted(r) for r in rows.tolist()] == [list(range(N))] * 3
    _, rows = store.search(queries[:3], 2500, np.arange(2000))
    assert (np.sort(rows, axis=1)[:, 500:] == np.arange(2000)).all() and (rows[:, 2000:] == -1).all()


def test_lists_and_vectors_that_do_not_belong_together_are_refused(made, tmp_path):
    store, _, _, vectors, _ = made
    write_vectors(tmp_path, vectors[:-1])
    store.save(tmp_path)
    with pytest.raises(RuntimeError, match="holds 6000 vectors instead of 5999"):
        ApproximateStore.open(tmp_path, ExactStore.open(tmp_path), 1, 1)


def test_rescoring_orders_by_the_originals_and_equal_ones_by_row(tmp_path):
    write_vectors(tmp_path, np.array([[0, 1], [1, 0], [0.6, 0.8], [1, 0]], dtype=np.float32))
    candidates = np.array([[3, 2, -1, 1, 0]])
    scores, rows = rescored(ExactStore.open(tmp_path), np.array([[1, 0]], dtype=np.float32), candidates, 6)
    assert rows.tolist() == [[1, 3, 2, 0, -1, -1]]
    assert scores[0, :4] == pytest.approx([1, 1, 0.6, 0])


def test_equal_passages_do_not_count_as_missed(tmp_path):
    write_vectors(tmp_path, np.tile(np.eye(2, dtype=np.float32), (20, 1)))  # 20 rows each of two vectors
    exact = ExactStore.open(tmp_path)

    class Last:
        def __len__(self):
            return 40

        def search(self, vectors, n):
            return exact.search(vectors, n, np.arange(20, 40))

    query = np.array([[1, 0]], dtype=np.float32)
    assert recalls(Last(), query, least_true(exact, query)).tolist() == [1.0]


def scripted(table):
    """Every query has the recall of its half."""
    return lambda value, rows: np.full(50, table[value][rows.start])


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {1: (0.5, 0.9), 2: (0.98, 0.975), 4: (1, 1)},
            (2, 0.975),
        ),  # the first that clears it, with the other half's recall
        ({1: (0.5, 0.9), 2: (0.98, 0.96), 4: (0.99, 0.98)}, (4, 0.98)),  # not confirmed by the other half: on
        ({1: (0.5, 0.9), 2: (0.98, 0.96), 4: (0.99, 0.9)}, (None, 0.9)),  # out of reach
    ],
)
def test_tuning(table, expected):
    assert tune([1, 2, 4], scripted(table), 100, 0.97) == (
        expected[0],
        pytest.approx(expected[1]),
    )


def test_tuning_clears_the_target_by_the_error_of_its_sample():
    """Nine in ten at 1 and one at .8: mean .98, error .06 / sqrt(10) = .019, and .98 - 1.645 * .019 < .97."""
    uncertain = np.array([1.0] * 9 + [0.8])
    measure = {1: uncertain, 2: np.ones(10)}
    assert tune([1, 2], lambda value, _: measure[value], 20, 0.97) == (2, 1.0)
    assert tune([1, 2], lambda value, _: measure[value], 20, 0.94) == (1, pytest.approx(0.98))
