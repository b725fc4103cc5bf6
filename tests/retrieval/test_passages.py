import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieval_toys import ToyEncoder, pair

from medqa.errors import MedqaError
from retrieval.passages import header_parts, make_passages

count = ToyEncoder().count_tokens


def make(pairs, parts=(), max_tokens=8, limit=20):
    return make_passages(pairs, parts, count, max_tokens, limit)


def test_whole_sentences_are_packed_until_the_limit():
    answer = "One two three. Four five.\n\n  Six seven eight nine. Ten."  # 3 + 2 | 4 + 1, five to a passage
    made = make([pair("a", answer, topic="Topic", source="S", url="u", question_type="causes")], max_tokens=5)
    assert [p.text for p in made] == ["One two three. Four five.", "Six seven eight nine. Ten."]
    assert [[p.text[a:b] for a, b in p.sentences] for p in made] == [
        ["One two three.", "Four five."],
        ["Six seven eight nine.", "Ten."],
    ]
    assert {(p.pair_id, p.title, p.source, p.url, p.question_type, p.header) for p in made} == {
        ("a", "Topic", "S", "u", "causes", "")
    }


def test_a_long_sentence_is_cut_between_words_and_nothing_is_lost():
    words = [f"w{i}" for i in range(21)]
    made = make([pair("a", " ".join(words))])
    assert [len(p.text.split()) for p in made] == [5, 5, 5, 6]  # 21 halved twice: 10 + 11 -> 5 + 5 + 5 + 6
    assert " ".join(p.text for p in made).split() == words


def test_a_word_longer_than_the_limit_is_cut_inside():
    by_letter = lambda texts: [len(t) for t in texts]  # noqa: E731
    made = make_passages([pair("a", "abcdefghij")], (), by_letter, 4, 8)
    assert "".join(p.text for p in made) == "abcdefghij"
    assert all(len(p.text) <= 4 for p in made)


def test_header_holds_the_asked_parts_and_is_capped():
    one = pair("a", "It is rare.", question="What is X?", topic="X", synonyms=("Y", "Z z"))
    assert make([one], ("question", "topic", "synonyms"))[0].header == "What is X? | X | Y, Z z"
    assert make([one], ("synonyms",))[0].embedded_text == "Y, Z z\nIt is rare."
    assert make([pair("a", "It is rare.")], ("topic",))[0].embedded_text == "It is rare."
    capped = make([pair("a", "It is rare.", question=" ".join(f"q{i}" for i in range(30)))], ("question",), 8, 20)
    assert capped[0].header == " ".join(f"q{i}" for i in range(12))  # 20 - 8 tokens are left for it


def test_ids_follow_from_content():
    pairs = [pair("a", "One two three. " * 5), pair("b", "Other words.")]
    made = make(pairs, ("topic",))
    assert make(list(reversed(pairs)), ("topic",))[0] == made[-1]
    assert made[1].id == "a:1:" + hashlib.sha256(made[1].embedded_text.encode()).hexdigest()[:8]
    assert len({p.id for p in made}) == len(made)  # equal texts of one pair differ by their place
    assert make(pairs, ("question",))[0].id != made[0].id


def test_a_passage_that_would_be_truncated_fails_the_build():
    def sticky(texts):  # tokens of a join are more than those of its parts
        return [len(t.split()) + 20 * t.count(". ") for t in texts]

    with pytest.raises(MedqaError, match=r"at most 20 tokens .* found 27 in a:0:\w+; lower passages.max_tokens"):
        make_passages([pair("a", "One two three. Four five six seven.")], (), sticky, 8, 20)
    with pytest.raises(MedqaError, match=r"at most 20 .* found 21"):
        make([pair("a", "One.")], (), 21)


@pytest.mark.parametrize("setting", ["topics", "question+", "question+question", "", "question,topic"])
def test_bad_header_names_the_valid_parts(setting):
    with pytest.raises(MedqaError, match="question, topic, synonyms joined by"):
        header_parts(setting)


def test_header_setting():
    assert header_parts("none") == ()
    assert header_parts("question + topic") == ("question", "topic")


@given(st.text(max_size=300), st.text(max_size=60), st.integers(1, 12))
def test_any_text_keeps_its_characters_within_the_limits(answer, topic, max_tokens):
    made = make([pair("a", answer, topic=topic)], ("topic",), max_tokens, max_tokens + 3)
    assert "".join("".join(p.text.split()) for p in made) == "".join(answer.split())
    for p in made:
        assert count([p.text])[0] <= max_tokens
        assert count([p.embedded_text])[0] <= max_tokens + 3
        assert " ".join(p.text[a:b] for a, b in p.sentences) == p.text
