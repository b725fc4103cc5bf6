import numpy as np

from finetune.negatives import hard_negatives, relation_keys

from .conftest import WordEncoder, make_pair, to_passages


def negatives(pairs, k=5, passages=None):
    passages = passages or to_passages(pairs)
    encoder = WordEncoder()
    return hard_negatives(
        pairs,
        passages,
        {p.id: p for p in pairs},
        encoder.encode_queries([p.question for p in pairs]),
        encoder.encode_passages([p.embedded_text for p in passages]),
        k,
    )


def test_most_similar_first_and_exactly_those_of_a_sorted_list():
    rng = np.random.default_rng(0)
    pairs = [make_pair(n) for n in range(40)]
    passages = to_passages(pairs)
    queries = rng.normal(size=(len(pairs), 16)).astype(np.float32)
    vectors = rng.normal(size=(len(passages), 16)).astype(np.float32)
    found = hard_negatives(pairs, passages, {p.id: p for p in pairs}, queries, vectors, 7)
    for query, pair in zip(queries, pairs, strict=True):
        others = [(-float(query @ v), p.id) for v, p in zip(vectors, passages, strict=True) if p.pair_id != pair.id]
        assert [p.id for p in found[pair.id]] == [i for _, i in sorted(others)[:7]]


def test_nothing_related_is_a_negative():
    asking = make_pair(0, "Asthma", synonyms=("Bronchial asthma",), cluster="c1")
    related = [
        make_pair(1, "ASTHMA "),
        make_pair(2, "bronchial  Asthma"),
        make_pair(3, "Wheeze", synonyms=("asthma",)),
        make_pair(4, "Other", cluster="c1"),
        make_pair(5, "Another", question=asking.question.upper()),
        make_pair(6, "Third", answer=asking.answer.replace(".", " .")),
    ]
    unrelated = make_pair(7, "Gout", cluster="c2")
    found = negatives([asking, *related, unrelated], k=50)
    assert {p.pair_id for p in found[asking.id]} == {unrelated.id}


def test_a_text_of_ones_own_under_another_topic_is_no_negative():
    asking = make_pair(0, "Asthma")
    shared = asking.answer[
        : asking.answer.index("three") - len("Sentence ")
    ].strip()  # its first passage, word for word
    copy = make_pair(1, "Gout", answer=f"{shared} Sentence five of its own. Sentence six.")
    found = negatives([asking, copy], k=10)
    assert [p.id for p in found[asking.id]] == ["p001:1"]


def test_empty_fields_relate_nothing():
    bare = [make_pair(n, topic="", cluster="") for n in range(2)]
    assert not relation_keys(bare[0]) & relation_keys(bare[1])
    assert relation_keys(make_pair(0, "x")) & relation_keys(make_pair(1, "X!")) == {("topic", "x")}


def test_order_of_rows_decides_nothing(pairs):
    passages = to_passages(pairs)
    forward, backward = negatives(pairs, passages=passages), negatives(pairs[::-1], passages=passages[::-1])
    assert forward == backward


def test_half_may_tell_another_aspect_of_the_same_topic():
    asking = make_pair(0, "Asthma", question_type="treatment", cluster="c1")
    aside = [make_pair(n, "Asthma", question_type="symptoms", cluster="c1") for n in (1, 2, 3)]
    general = make_pair(4, "Asthma", question_type="information", cluster="c1")
    same_type = make_pair(5, "Asthma", question_type="treatment", cluster="c1")
    same_answer = make_pair(6, "Asthma", question_type="outlook", answer=asking.answer)
    others = [make_pair(n, question_type="treatment", cluster="c2") for n in range(10, 20)]
    found = negatives([asking, *aside, general, same_type, same_answer, *others], k=6)[asking.id]
    assert len(found) == 6
    assert sum(p.pair_id in {a.id for a in aside} for p in found) == 3
    assert sum(p.pair_id in {o.id for o in others} for p in found) == 3
    assert found[0].pair_id in {o.id for o in others} and found[1].pair_id in {a.id for a in aside}
