import numpy as np
import pytest

from medqa.errors import MedqaError
from retrieval.vectors import ExactStore, check_unit, few_threads, write_vectors

QUERY = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)


@pytest.fixture
def store(tmp_path):
    """Rows at 0, 90, 53.13 and 180 degrees: cosines to the first query 1, 0, .6, -1; to the second .6, .8, 1, -.6."""
    write_vectors(tmp_path, np.array([[1, 0], [0, 1], [0.6, 0.8], [-1, 0]], dtype=np.float32))
    return ExactStore.open(tmp_path)


def test_every_row_is_compared(store):
    scores, rows = store.search(QUERY, 3)
    assert rows.tolist() == [[0, 2, 1], [2, 1, 0]]
    assert scores == pytest.approx(np.array([[1, 0.6, 0], [1, 0.8, 0.6]]), abs=1e-6)
    assert (len(store), store.dim, rows.dtype) == (4, 2, np.int64)


def test_only_allowed_rows_are_found_and_the_rest_is_filled_up(store):
    _, rows = store.search(QUERY, 3, np.array([1, 3]))
    assert rows.tolist() == [[1, 3, -1], [1, 3, -1]]
    _, rows = store.search(QUERY, 2, np.array([], dtype=np.int64))
    assert rows.tolist() == [[-1, -1], [-1, -1]]


def test_vectors_come_back_bit_by_bit(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_vectors(tmp_path, vectors)
    assert np.array_equal(ExactStore.open(tmp_path).reconstruct([3, 49, 3]), vectors[[3, 49, 3]])


@pytest.mark.parametrize("length", [0.5, 1.01, np.nan])
def test_vectors_of_another_length_are_refused(length):
    vectors = np.eye(3, dtype=np.float32)
    check_unit(vectors)
    vectors[1] *= length
    with pytest.raises(MedqaError, match="wanted vectors of length 1"):
        check_unit(vectors)


def test_few_queries_leave_the_number_of_threads_as_it_was(store):
    import faiss

    before = faiss.omp_get_max_threads()
    with few_threads(1):
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == before
    with pytest.raises(ZeroDivisionError), few_threads(1):
        _ = 1 / 0
    with few_threads(1000):
        assert faiss.omp_get_max_threads() == before
