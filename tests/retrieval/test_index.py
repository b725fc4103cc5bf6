from dataclasses import replace

import numpy as np
import pytest
from retrieval_toys import SETTINGS, ToyEncoder, numbered_pairs, pair

from medqa.errors import MedqaError
from medqa.records import Hit
from retrieval import generations
from retrieval.build import build_index
from retrieval.filters import make_filters
from retrieval.index import Index
from retrieval.lexical import LexicalIndex
from retrieval.ranking import Ranking
from retrieval.search import _reranked

ANSWERS = {
    "asthma": "Asthma narrows airways.",
    "copd": "Smoke narrows airways slowly.",
    "gout": "Gout hurts joints.",
    "arthritis": "Arthritis hurts joints badly.",
    "long": "One opens here. " + "Filler words stand around here now ok. " * 3 + "Airways end it.",
}


def opened(path, pairs=None, encoder=None, fingerprint="c", **settings):
    encoder = encoder or ToyEncoder()
    pairs = pairs or [pair(name, answer) for name, answer in ANSWERS.items()]
    build_index(pairs, fingerprint, path, encoder, reuse=False, **(SETTINGS | {"max_tokens": 8} | settings))
    return Index.open(path, encoder)


def found(hits):
    return [hit.passage.pair_id for hit in hits]


def test_scores_against_a_second_implementation(tmp_path):
    index = opened(tmp_path)
    question = "What narrows airways slowly?"
    texts = [p.embedded_text for p in index.passages]
    cosine = ToyEncoder()._vectors(texts) @ ToyEncoder()._vectors([question])[0]
    bm25 = LexicalIndex.build(texts).scores(question)
    norm = lambda x: (x - x.min()) / (x.max() - x.min())  # noqa: E731
    expected = 0.6 * norm(cosine) + 0.4 * norm(bm25)
    [hits] = index.search([question], len(texts), ranking=Ranking(lexical_weight=0.4))
    by_id = {hit.passage.id: hit for hit in hits}
    assert [hit.score for hit in hits] == pytest.approx(sorted(expected, reverse=True)[: len(hits)], abs=1e-5)
    for passage, c, b, s in zip(index.passages, cosine, bm25, expected, strict=True):
        if passage.id in by_id:
            hit = by_id[passage.id]
            assert (hit.dense, hit.lexical, hit.score) == pytest.approx((c, b, s), abs=1e-5)


def test_hits_say_how_they_came_about(tmp_path):
    index = opened(tmp_path)
    [[first, second, *_]] = index.search(
        ["narrows airways slowly smoke"], 5, ranking=Ranking(candidates=1, lexical_weight=0.3)
    )
    assert (first.passage.pair_id, first.dense_rank, first.lexical_rank) == ("copd", 1, 1)
    assert first.dense == 1.0
    assert second.passage.pair_id == "asthma"
    [[dense_only, *_]] = index.search(["Zebra"], 1)
    assert dense_only.lexical_rank is None and dense_only.lexical == 0.0 and dense_only.dense == 0.0


def test_a_candidate_of_the_lexical_arm_alone_has_its_true_cosine(tmp_path):
    # Dense puts the short passage first; BM25 weighs the rare word and proposes the other one.
    pairs = [pair("common", "Pain pain pain."), pair("rare", "Pain of dermatomyositis here now."), pair("x", "Pain.")]
    index = opened(tmp_path, pairs)
    [hits] = index.search(["pain pain dermatomyositis"], 1, ranking=Ranking(candidates=1, lexical_weight=1.0))
    assert found(hits) == ["rare"]
    assert hits[0].dense_rank is None and hits[0].lexical_rank == 1
    assert hits[0].dense == pytest.approx(3 / np.sqrt(5 * 5), abs=1e-6)


def test_pairs_appear_once_by_their_best_passage(tmp_path):
    index = opened(tmp_path)
    [by_pair] = index.search(["airways"], 5, "pair")
    assert sorted(found(by_pair)) == sorted(ANSWERS)
    assert next(h for h in by_pair if h.passage.pair_id == "long").passage.text == "Airways end it."


def test_equal_texts_appear_once_as_passages_and_each_as_pair(tmp_path):
    pairs = [pair(f"p{i}", "Gout hurts joints.", topic=f"topic{i}") for i in range(30)] + [pair("z", "Asthma narrows.")]
    index = opened(tmp_path, pairs)
    [passages] = index.search(
        ["gout joints"], 2, ranking=Ranking(candidates=3)
    )  # repeats use up the candidates: more are taken
    assert found(passages) == ["p0", "z"]
    [whole] = index.search(["gout joints"], 31, "pair", ranking=Ranking(candidates=3))
    assert len(set(found(whole))) == 31


def test_ties_fall_by_id(tmp_path):
    pairs = [pair(name, "Gout hurts joints.") for name in ("b", "c", "a")]
    assert found(opened(tmp_path, pairs).search(["gout"], 3, "pair")[0]) == ["a", "b", "c"]


def test_excluded_passages_are_absent(tmp_path):
    index = opened(tmp_path)
    [hits] = index.search(["airways"], 50, exclude=lambda p: p.pair_id in ("asthma", "long"))
    assert set(found(hits)) == {"copd", "gout", "arthritis"}
    assert index.search(["airways"], 3, exclude=lambda p: True) == [[]]


def test_many_questions_at_once_equal_one_at_a_time(tmp_path):
    index = opened(tmp_path, numbered_pairs(60))
    questions = [f"number{i} it opens" for i in range(40)]
    assert index.search(questions, 7) == [index.search([q], 7)[0] for q in questions]
    assert index.search([], 3) == []


def test_the_index_refuses_what_it_cannot_answer(tmp_path):
    with pytest.raises(MedqaError, match="found none; make it with"):
        Index.open(tmp_path / "none", ToyEncoder())
    index = opened(tmp_path / "i")
    with pytest.raises(MedqaError, match=r"another encoder's vectors; set retrieval\.encoder") as caught:
        Index.open(tmp_path / "i", ToyEncoder("other"))
    assert "\n" not in str(caught.value)
    with pytest.raises(MedqaError, match="k=0"):
        index.search(["x"], 0)
    file = generations.current(tmp_path / "i") / "vectors.faiss"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(MedqaError, match=r"wanted a sound generation 000001 .* index rollback") as caught:
        Index.open(tmp_path / "i", ToyEncoder())
    assert "\n" not in str(caught.value)


def test_a_reader_keeps_what_it_opened_until_it_reloads(tmp_path):
    encoder = ToyEncoder()
    old = opened(tmp_path, numbered_pairs(4), encoder, keep_generations=1)
    before = old.search(["number1"], 3)
    opened(tmp_path, numbered_pairs(9), encoder, "c2", keep_generations=1)
    assert not (tmp_path / "generations" / "000001").exists()
    assert old.search(["number1"], 3) == before
    assert old.reload_if_changed() is True
    assert (old.generation, old.manifest["pairs"]) == ("000002", 9)
    assert {p.pair_id for p in old.passages} == {f"p{i:03d}" for i in range(9)}
    assert old.reload_if_changed() is False


def test_a_reload_that_fails_keeps_the_old_generation(tmp_path):
    index = opened(tmp_path, numbered_pairs(4))
    opened(tmp_path, numbered_pairs(4), ToyEncoder("other"))
    with pytest.raises(MedqaError, match="another encoder"):
        index.reload_if_changed()
    assert index.generation == "000001" and index.search(["number1"], 1)[0][0].passage.pair_id == "p001"


def test_rows_and_passages_stay_together_through_the_files(tmp_path):
    pairs = [replace(p, source="S", url="U") for p in numbered_pairs(50)]
    index = opened(tmp_path, pairs, header="question")
    hits = index.search([p.embedded_text for p in index.passages], 1, ranking=Ranking(lexical_weight=0.0))
    assert [h[0].passage for h in hits] == list(index.passages)
    assert {h[0].dense for h in hits} == {1.0}


def test_filters_leave_only_what_they_admit(tmp_path):
    pairs = [
        pair(n, a, topic=n.upper(), source="A" if n < "d" else "B", question_type="information")
        for n, a in ANSWERS.items()
    ]
    index = opened(tmp_path, pairs)
    [hits] = index.search(["airways"], 50, filters=make_filters(sources=["a"], topics=["COPD", "gout", "asthma"]))
    assert set(found(hits)) == {"asthma", "copd"}
    both = index.search(["airways"], 50, filters=make_filters(sources=["a"]), exclude=lambda p: p.pair_id == "copd")
    assert set(found(both[0])) == {"asthma", "arthritis"}
    assert index.search(["airways"], 3, filters=make_filters(question_types=["causes"])) == [[]]


class ByLength:
    """The longest text first."""

    asked = ()
    weight = 1.0
    headed_only = False

    def scores(self, question, passages):
        self.asked = (question, list(passages))
        return np.array([len(p) for p in passages], dtype=np.float32)


def test_the_reranker_orders_the_first_and_leaves_the_rest_behind_them(tmp_path):
    index = opened(tmp_path, header="topic")
    plain = index.search(["narrows airways"], 5, "pair")[0]
    reranker = ByLength()
    hits = index.search(["narrows airways"], 5, "pair", ranking=Ranking(reranker=reranker, rerank=3))[0]
    assert reranker.asked == ("narrows airways", [h.passage.embedded_text for h in plain[:3]])
    assert found(hits[:3]) == [h.passage.pair_id for h in sorted(plain[:3], key=lambda h: -len(h.passage.text))]
    assert found(hits[:3]) != found(plain[:3])
    assert [(h.rerank, h.rerank_rank) for h in hits[:3]] == [
        (len(h.passage.embedded_text), i) for i, h in enumerate(hits[:3], 1)
    ]
    assert hits[3:] == plain[3:] and hits[3].rerank is None
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert [h.dense for h in hits[:3]] == [next(p.dense for p in plain if p.passage == h.passage) for h in hits[:3]]
    [two] = index.search(["narrows airways"], 1, "pair", ranking=Ranking(reranker=reranker, rerank=3))
    assert two == hits[:1]  # fewer hits than are read again


def test_the_rerankers_score_counts_as_much_as_its_weight_says(tmp_path):
    index = opened(tmp_path, header="topic")
    plain = index.search(["narrows airways"], 3, "pair")[0]
    lengths = np.array([len(h.passage.embedded_text) for h in plain], dtype=float)
    fused = np.array([h.score for h in plain])

    def scaled(x):
        return (x - x.min()) / (x.max() - x.min())

    expected = 1 + 0.6 * scaled(fused) + 0.4 * scaled(lengths)
    reranker = ByLength()
    reranker.weight = 0.4
    for ranking in (Ranking(reranker=reranker, rerank=3), Ranking(reranker=ByLength(), rerank=3, rerank_weight=0.4)):
        hits = index.search(["narrows airways"], 3, "pair", ranking=ranking)[0]
        assert found(hits) == [plain[i].passage.pair_id for i in np.argsort(-expected)]
        assert [h.score for h in hits] == pytest.approx(sorted(expected, reverse=True))
        assert sorted(h.rerank_rank for h in hits) == [1, 2, 3]
    assert found(
        index.search(["narrows airways"], 3, "pair", ranking=Ranking(reranker=reranker, rerank_weight=0.0))[0]
    )[:3] == found(plain)


def test_a_reranker_for_passages_under_a_header_leaves_others_where_the_search_put_them(tmp_path):
    reranker = ByLength()
    reranker.headed_only = True
    bare = opened(tmp_path)
    plain = bare.search(["narrows airways"], 5, "pair")[0]
    assert bare.search(["narrows airways"], 5, "pair", ranking=Ranking(reranker=reranker, rerank=3))[0] == plain
    assert reranker.asked == ()  # and does not even ask

    # One of three without a header: its own score stands in, scaled to what the reranker says of the others.
    hits = [
        Hit(replace(p, header=header), score=score, dense=0, dense_rank=1, lexical=0, lexical_rank=1)
        for p, header, score in zip((h.passage for h in plain), ("topic", "", "topic"), (1.0, 0.6, 0.5), strict=False)
    ]
    lengths = [len(h.passage.embedded_text) for h in hits]
    reranker.weight = 0.4
    [*found_hits], vectors = _reranked("airways", hits, np.arange(3)[:, None], Ranking(reranker=reranker, rerank=3))
    said = {
        0: float(lengths[0] > lengths[2]),
        1: 0.2,
        2: float(lengths[2] > lengths[0]),
    }  # min-max of the two that are read
    before = {0: 1.0, 1: 0.2, 2: 0.0}
    expected = {i: 1 + 0.6 * before[i] + 0.4 * said[i] for i in said}
    order = sorted(said, key=lambda i: -expected[i])
    assert [h.score for h in found_hits] == pytest.approx([expected[i] for i in order])
    assert vectors[:, 0].tolist() == order
    assert {i: found_hits[order.index(i)].rerank_rank for i in said} == {
        0: 1 if lengths[0] > lengths[2] else 2, 1: None, 2: 1 if lengths[2] > lengths[0] else 2,
    }  # fmt: skip
    assert reranker.asked == ("airways", [hits[0].passage.embedded_text, hits[2].passage.embedded_text])


def test_variety_puts_the_unlike_before_the_repeated(tmp_path):
    pairs = [
        pair("a", "Gout hurts joints at night."),
        pair("b", "Gout hurts joints at night now."),
        pair("c", "Gout follows uric acid crystals."),
        pair("z", "Nothing to see."),
    ]
    index = opened(tmp_path, pairs)
    ask = "gout hurts joints"
    assert found(index.search([ask], 3)[0]) == ["a", "b", "c"]
    assert found(index.search([ask], 2, ranking=Ranking(variety=0.5))[0]) == ["a", "c"]


def test_passages_that_differ_in_a_word_appear_once(tmp_path):
    long = "gout " * 8  # 64 of 65 in common: cosine .985
    pairs = [pair("a", "Asthma."), pair("b", long + "1998."), pair("c", long + "1999.")]
    index = opened(tmp_path, pairs, max_tokens=32)
    assert found(index.search([long], 3)[0]) == ["b", "a"]
    assert set(found(index.search([long], 3, "pair")[0])) == {"a", "b", "c"}


def test_reciprocal_ranks_are_another_way_to_fuse(tmp_path):
    index = opened(tmp_path)
    [hits] = index.search(["narrows airways slowly"], 1, ranking=Ranking(fusion="rrf"))
    assert found(hits) == ["copd"] and hits[0].score == 1.0


def test_auto_takes_the_weight_of_the_index():
    assert Ranking().weight({}) == 0.1
    assert Ranking().weight({"fusion": {"lexical_weight": 0.15}}) == 0.15
    assert Ranking(lexical_weight=0.7).weight({"fusion": {"lexical_weight": 0.15}}) == 0.7
    assert Ranking(fusion="rrf").weight({"fusion": {"lexical_weight": 0.15}}) == 0.1
