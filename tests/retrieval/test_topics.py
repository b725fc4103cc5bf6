import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.topics import ALONE, Topics


def test_titles_are_one_topic_whatever_their_case_and_none_shares_the_empty_one():
    topics = Topics.of(["Gout", "", "gout ", "Asthma", ""])
    rows = np.arange(5)
    assert topics.best(rows, np.array([0.1, 0.2, 0.9, 0.4, 0.5])).tolist() == [0.9, 0.2, 0.9, 0.4, 0.5]
    assert topics.siblings(np.array([0, 1, 3]), np.array([0.1, 0.9, 0.4]), 2).tolist() == [2]
    assert topics.siblings(np.array([0, 3]), np.array([0.1, 0.4]), 1).tolist() == []
    assert topics.siblings(np.array([1]), np.array([1.0]), 3).tolist() == []


def test_a_topic_that_is_a_whole_field_binds_nobody(monkeypatch):
    monkeypatch.setattr("retrieval.topics.LARGEST", 2)
    topics = Topics.of(["Gout", "Heart", "Heart", "heart", "Gout", ""])
    scores = np.array([0.1, 0.2, 0.9, 0.4, 0.5, 0.3])
    assert topics.best(np.arange(6), scores).tolist() == [0.5, 0.2, 0.9, 0.4, 0.5, 0.3]
    assert topics.siblings(np.array([0, 2]), np.array([0.1, 0.9]), 5).tolist() == [4]


@given(st.data())
def test_against_a_second_implementation(data):
    codes = np.array(data.draw(st.lists(st.integers(ALONE, 4), min_size=1, max_size=30)))
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(codes) - 1), min_size=1))))
    scores = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(rows), max_size=len(rows))))
    n = data.draw(st.integers(0, 3))
    topics = Topics(codes)
    pairs = list(zip(rows.tolist(), scores.tolist(), strict=True))
    best = {code: max(s for r, s in pairs if codes[r] == code) for code in set(codes[rows].tolist()) - {ALONE}}
    expected = [s if codes[r] == ALONE else best[codes[r]] for r, s in pairs]
    assert topics.best(rows, scores).tolist() == expected
    first = {code: min(r for r, s in pairs if codes[r] == code and s == top) for code, top in best.items()}
    chosen = sorted(best, key=lambda code: (-best[code], first[code]))[:n]
    wanted = [r for r in range(len(codes)) if codes[r] in chosen and r not in rows]
    assert topics.siblings(rows, scores, n).tolist() == wanted
