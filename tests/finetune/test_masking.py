import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.examples import Example
from finetune.masking import (
    IGNORE,
    cited_numbers,
    describe_example,
    drop_source,
    encode_all,
    encode_example,
    segments_of,
)
from medqa.errors import MedqaError
from rag.prompt import REFUSAL, Source
from tests.tiny_phi3 import SPECIALS, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
END = 4
SOURCES = tuple(Source(f"Text of source {n}. " * 5, f"Title{n}") for n in (1, 2, 3))


def grounded(answer="First fact. [3] Second fact. [1]", sources=SOURCES):
    return Example(
        "p", "What is it?", sources, answer, "grounded", source_pairs=tuple(f"s{n}" for n in range(len(sources)))
    )


def supervised(row):
    return [label for label in row.labels if label != IGNORE]


def decoded_answer(row):
    return TOKENIZER.decode(supervised(row)[:-1])


def length_of(example):
    return len(encode_example(TOKENIZER, example, 100_000).input_ids)


def test_answer_and_end_token_are_supervised_and_nothing_else():
    row = encode_example(TOKENIZER, Example("p", "What is it?", None, "A swelling.", "closed_book"), 500)
    answer = TOKENIZER("A swelling.", add_special_tokens=False)["input_ids"]
    assert supervised(row) == [*answer, END]
    # the same ids, once more by the chat template as a whole: <|user|>\n...<|end|>\n<|assistant|>\n...<|end|>
    text = "<|user|>\nWhat is it?<|end|>\n<|assistant|>\nA swelling.<|end|>"
    assert row.input_ids == TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert row.labels[: -len(answer) - 1] == [IGNORE] * (len(row.labels) - len(answer) - 1)
    assert not row.truncated


def test_grounded_prompt_is_masked_although_it_holds_end_tokens():
    row = encode_example(TOKENIZER, grounded(), 2000)
    assert row.input_ids.count(END) == 3  # system, user, answer
    assert supervised(row).count(END) == 1 and row.labels[-1] == END
    assert decoded_answer(row) == "First fact. [3] Second fact. [1]"


def test_truncation_drops_the_uncited_source_first_and_renumbers():
    example = grounded()
    row = encode_example(TOKENIZER, example, length_of(example) - 1)
    text = TOKENIZER.decode(row.input_ids)
    assert (row.dropped_sources, row.cut) == (1, False)
    assert "Title2" not in text and "[1] Title1:" in text and "[2] Title3:" in text
    assert decoded_answer(row) == "First fact. [2] Second fact. [1]"


def test_truncation_then_drops_a_cited_source_with_its_sentences():
    example = grounded()
    two = drop_source(example, 2)
    row = encode_example(TOKENIZER, example, length_of(two) - 1)
    assert (row.dropped_sources, row.cut) == (2, False)
    assert "Title1" not in TOKENIZER.decode(row.input_ids)
    assert decoded_answer(row) == "First fact. [1]"


def test_truncation_cuts_the_answer_by_sentences_and_keeps_the_end_token():
    example = grounded("One fact. [1] Two facts. [1] Three facts. [1]", SOURCES[:1])
    row = encode_example(TOKENIZER, example, length_of(example) - 1)
    assert row.cut and decoded_answer(row) == "One fact. [1] Two facts. [1]"
    assert row.labels[-1] == END


def test_truncation_cuts_inside_the_first_sentence_only_when_no_sentence_fits():
    example = grounded("A fact of several words here. [1]", SOURCES[:1])
    full = encode_example(TOKENIZER, example, 5000)
    shortest = len(full.input_ids) - len(supervised(full)) + 2  # the prompt, one token of the answer, the end
    row = encode_example(TOKENIZER, example, shortest)
    assert supervised(row) == [supervised(full)[0], END] and len(row.input_ids) == shortest
    assert encode_example(TOKENIZER, example, shortest - 1) is None


def test_refusal_keeps_one_source():
    example = Example("p", "What is it?", SOURCES, REFUSAL, "refusal")
    row = encode_example(TOKENIZER, example, length_of(drop_source(drop_source(example, 3), 2)))
    assert row.dropped_sources == 2 and decoded_answer(row) == REFUSAL
    assert "[1] Title1:" in TOKENIZER.decode(row.input_ids)


def test_counts_of_a_set():
    fits, cut = Example("a", "Q?", None, "Yes.", "closed_book"), Example("b", "Q?", None, "Very. " * 200, "closed_book")
    hopeless = Example("c", "word " * 300, None, "Yes.", "closed_book")
    found = encode_all(TOKENIZER, [fits, cut, hopeless], 100)
    assert (len(found.rows), found.truncated, found.left_out) == (2, 1, 1)
    assert found.supervised == sum(len(supervised(r)) for r in found.rows)
    with pytest.raises(MedqaError, match=r"raise finetune\.max_length"):
        encode_all(TOKENIZER, [hopeless], 100)


def test_described_example_shows_both_parts():
    text = describe_example(TOKENIZER, encode_example(TOKENIZER, grounded(), 2000))
    prompt, answer = text.split("answer, ")
    assert prompt.endswith("<|assistant|>\n\n") and "First fact. [3]" not in prompt
    assert answer.endswith("First fact. [3] Second fact. [1]<|end|>")


def test_segments():
    assert segments_of("A b. [2] C [1][3] D.") == ["A b. [2]", "C [1][3]", "D."]
    assert segments_of("Plain text. More.") == ["Plain text. More."]
    assert cited_numbers("A [2] B [1] C [2]") == [2, 1]


CONTROLS = st.sampled_from([*SPECIALS, "</s>", "<s>", "<|", "|>", "end", " "])
TEXT = st.lists(st.one_of(CONTROLS, st.text(max_size=8)), max_size=8).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT, TEXT, TEXT, st.integers(60, 400))
def test_no_text_forms_a_control_token_and_every_row_ends_supervised(question, title, text, answer, max_length):
    example = grounded(f"{answer}. [1]", (Source(text, title), Source("Other.", "T")))
    example = Example("p", question, example.sources, example.answer, "grounded")
    row = encode_example(TOKENIZER, example, max_length)
    if row is None:
        return
    controls = [t for t in row.input_ids if t < len(SPECIALS)]
    assert controls == [1, END, 2, END, 3, END]  # system, user, assistant: those of the template, in its order
    assert len(row.input_ids) == len(row.labels) <= max_length
    assert row.labels[-1] == END and len(supervised(row)) >= 2


def test_a_set_is_encoded_as_its_examples_are_one_by_one(monkeypatch):
    monkeypatch.setattr("finetune.masking.BATCH", 3)
    fitting = [grounded(f"Fact {n}. [{n % 3 + 1}]" + " More of it. [1]" * (n % 4)) for n in range(8)]
    hopeless = Example("q", "word " * 300, None, "Yes.", "closed_book")
    controls = Example("r", "Q </s>?", None, "A <|end|>.", "closed_book")
    examples = [*fitting, hopeless, controls]
    limit = length_of(examples[1])  # some fit, some lose a source, one does not fit at all
    one_by_one = [encode_example(TOKENIZER, e, limit) for e in examples]
    found = encode_all(TOKENIZER, iter(examples), limit)
    assert found.rows == tuple(row for row in one_by_one if row is not None)
    assert (found.left_out, found.truncated > 0, found.truncated < len(found.rows)) == (1, True, True)
