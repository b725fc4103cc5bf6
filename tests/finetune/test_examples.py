import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from finetune.examples import (
    Shares,
    assign_kinds,
    build_examples,
    closed_book_example,
    grounded_example,
    sentences_of,
)
from finetune.sets import build_sets
from medqa.errors import MedqaError
from medqa.records import Passage
from rag.prompt import REFUSAL

from .conftest import WordEncoder, make_pair, to_passages
from .test_negatives import negatives

MIX = Shares(closed_book=0.2, grounded=0.65, refusal=0.15)
ALL_GROUNDED = Shares(0, 1, 0)


def build(pairs, shares=MIX, seed=0, limit=6):
    return build_examples(pairs, to_passages(pairs), negatives(pairs, k=10), shares, seed, limit)


def test_every_marker_points_to_the_source_that_holds_its_sentence():
    pairs = [make_pair(n) for n in range(60)]
    counts = Counter()
    for example in build(pairs, ALL_GROUNDED):
        counts[len(example.sources)] += 1
        cited = re.findall(r"(.+?) \[(\d)\](?: |$)", example.answer)
        assert "".join(f"{s} [{n}] " for s, n in cited).strip() == example.answer
        for sentence, number in cited:
            assert sentence in example.sources[int(number) - 1].text
            assert example.source_pairs[int(number) - 1] == example.id
        shown_own = {n for n, p in enumerate(example.source_pairs, start=1) if p == example.id}
        assert shown_own == {int(n) for _, n in cited}  # every true source is quoted, no other is
    assert set(counts) == {1, 2, 3, 4, 5}  # the number varies


def test_further_draws_ask_every_pair_again_in_another_way():
    pairs = [make_pair(n) for n in range(60)]
    args = pairs, to_passages(pairs), negatives(pairs, k=10), Shares(0, 0.5, 0.5), 0, 6
    drawn = build_examples(*args, draws=3)
    assert drawn[:60] == build_examples(*args)
    assert Counter(e.id for e in drawn) == {p.id: 3 for p in pairs}
    assert [Counter(e.kind for e in drawn[n : n + 60]) for n in (0, 60, 120)] == [Counter(grounded=30, refusal=30)] * 3
    kinds = [{e.kind for e in drawn if e.id == p.id} for p in pairs]
    assert kinds.count({"grounded", "refusal"}) > 30  # three draws at even odds: three in four show both
    assert len({e.sources for e in drawn}) > 170


def test_some_are_asked_in_peoples_words_under_the_topics_own_name_and_nothing_else_changes():
    pairs = [make_pair(n, question_type="treatment", synonyms=(f"Elsewhere{n}",)) for n in range(200)]
    args = pairs, to_passages(pairs), negatives(pairs, k=10), Shares(0.1, 0.6, 0.3), 0, 6
    plain, worded = build_examples(*args, draws=2), build_examples(*args, draws=2, people=0.5)
    assert [replace(w, question=p.question) for w, p in zip(worded, plain, strict=True)] == plain
    changed = [w for w, p in zip(worded, plain, strict=True) if w.question != p.question]
    assert 0.45 < len(changed) / 400 < 0.65  # half, and typing errors in a tenth of the others
    assert not any("elsewhere" in w.question.lower() for w in worded)
    assert sum(f"topic{int(w.id[1:])}" in w.question.lower() for w in changed) > 0.8 * len(
        changed
    )  # the rest: typing errors
    by_draw = [w.question for w in worded[:200]], [w.question for w in worded[200:]]
    assert sum(a != b for a, b in zip(*by_draw, strict=True)) > 100  # another form in every draw
    kinds = {kind: sum(w.kind == kind for w in changed) / len(changed) for kind in ("grounded", "refusal")}
    assert kinds["grounded"] == pytest.approx(0.6, abs=0.1) and kinds["refusal"] == pytest.approx(0.3, abs=0.1)


def test_validation_is_asked_in_frames_that_training_does_not_see():
    pairs = [make_pair(n, split=("train", "validation")[n % 2], question_type="treatment") for n in range(120)]
    train, validation = build_sets(pairs, to_passages, WordEncoder(), ALL_GROUNDED, 0, 6, None, 60, people=1.0)

    def frames(examples):
        return {re.sub(r"topic\d+", "T", e.question.lower()) for e in examples}

    assert len(frames(train)) > 5 and len(frames(validation)) > 2
    assert not frames(train) & frames(validation)


def test_markers_are_spread_over_all_positions():
    cited = Counter(
        re.search(r"\[(\d)\]", e.answer).group(1)
        for e in build([make_pair(n) for n in range(100)], ALL_GROUNDED)
        if len(e.sources) == 5
    )
    assert set(cited) == set("12345")


def test_target_quotes_in_the_order_of_the_answer_and_shares_out_the_limit():
    pair = make_pair(1)
    own = to_passages([pair])
    both = next(
        e
        for seed in range(50)
        if len((e := grounded_example(pair, own, (), random.Random(seed), max_sentences=2)).sources) == 2
    )
    first = 1 if "one" in both.sources[0].text else 2
    assert both.answer == (
        f"Sentence one of answer 1 on Topic1. [{first}] Sentence three of answer 1 on Topic1. [{3 - first}]"
    )


def test_refusals_show_no_related_passage_and_refuse(pairs):
    topic_of = {p.id: p.topic for p in pairs}
    refusals = build(pairs, Shares(0, 0, 1))
    assert len(refusals) == len(pairs)
    for example in refusals:
        assert example.answer == REFUSAL and 1 <= len(example.sources) <= 5
        assert topic_of[example.id] not in {topic_of[p] for p in example.source_pairs}


def test_distractors_of_grounded_examples_are_never_of_the_same_topic(pairs):
    topic_of = {p.id: p.topic for p in pairs}
    seen = 0
    for example in build(pairs, ALL_GROUNDED):
        others = [p for p in example.source_pairs if p != example.id]
        seen += len(others)
        assert topic_of[example.id] not in {topic_of[p] for p in others}
    assert seen > 10


def test_closed_book_answers_with_first_sentences_without_markers():
    pair = make_pair(3)
    example = closed_book_example(pair, to_passages([pair]), 3)
    assert example.sources is None
    assert example.answer == " ".join(f"Sentence {w} of answer 3 on Topic3." for w in ("one", "two", "three"))


def test_shares_are_exact():
    kinds = Counter(assign_kinds([f"p{n}" for n in range(200)], MIX, "1").values())
    assert kinds == {"closed_book": 40, "grounded": 130, "refusal": 30}
    assert set(assign_kinds(["a", "b"], Shares(0, 0, 2), "0").values()) == {"refusal"}


def test_same_seed_same_examples_whatever_the_order_of_rows(pairs):
    shuffled = random.Random(5).sample(pairs, len(pairs))
    assert build(pairs) == build(shuffled)
    assert build(pairs) != build(pairs, seed=1)


def test_bracketed_numbers_of_a_source_do_not_become_markers():
    text = "Gout hurts.[1] It passes [12]."
    assert sentences_of(Passage("x", "p", text, ((0, 14), (15, 30)))) == ["Gout hurts.", "It passes."]


def test_bad_input_is_one_clear_error(pairs):
    with pytest.raises(MedqaError, match="found some of test"):
        build([make_pair(1), make_pair(2, split="test")])
    with pytest.raises(MedqaError, match="passages of other topics"):
        build([make_pair(n, "One") for n in range(4)], Shares(0, 0, 1))
    with pytest.raises(MedqaError, match="positive sum"):
        Shares(0, 0, 0)
    with pytest.raises(MedqaError, match=r"found none for 24, e\.g\. p000"):
        build_examples(pairs, [], {}, MIX, 0, 6)


def test_no_held_out_passage_reaches_a_training_example():
    train = [make_pair(n) for n in range(30)]
    # Planted: the words of train questions under other topics, so nothing would be nearer than these.
    held_out = [
        make_pair(100 + n, f"Secret{n}", split, answer=f"{p.question} HELDOUT {split}. {p.question} HELDOUT.")
        for n, p in enumerate(train)
        for split in (["validation", "test"][n % 2],)
    ]
    encoder = WordEncoder()
    made = build_sets([*held_out, *train], to_passages, encoder, MIX, 0, 6, train_limit=None, eval_limit=8, draws=2)
    train_ids, test_ids = {p.id for p in train}, {p.id for p in held_out if p.split == "test"}
    assert len(made[0]) == 60 and len(made[1]) == 8
    for example in made[0]:
        assert example.id in train_ids and set(example.source_pairs) <= train_ids
        assert "HELDOUT" not in example.answer + "".join(s.text for s in example.sources or ())
    for example in made[1]:
        assert example.split == "validation" and not test_ids & {example.id, *example.source_pairs}
    assert not any("HELDOUT test" in text for text in encoder.seen)  # not even embedded


def test_sets_need_both_splits():
    with pytest.raises(MedqaError, match="found 1 and 0"):
        build_sets([make_pair(1)], to_passages, WordEncoder(), MIX, 0, 6, None, 8)
