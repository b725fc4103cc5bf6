"""What the model sees, token by token; and that nobody's text can speak with the template's voice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa.errors import MedqaError
from rag.prompt import (
    GROUNDED_SYSTEM,
    Source,
    end_token_id,
    fit_sources,
    grounded_messages,
    messages_for,
    neutralise,
    plain_messages,
    render,
)
from tests.tiny_phi3 import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
CONTROL = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
CONTROL_IDS = {TOKENIZER.convert_tokens_to_ids(t) for t in CONTROL}
PIECES = st.sampled_from(
    [*CONTROL, "<|", "|>", "<", ">", "|", "end", "</s>", "<s>", "asthma", " ", "\n", "<|<|end|>|>"]
)


def text_of(ids):
    return TOKENIZER.decode(ids, skip_special_tokens=False)


def test_the_grounded_prompt_to_the_letter():
    ids = render(
        TOKENIZER, grounded_messages("What is gout? ", [Source("Gout hurts.", "Gout"), Source("Rest  helps.")])
    )
    assert text_of(ids) == (
        f"<|system|>\n{GROUNDED_SYSTEM}<|end|>\n<|user|>\n[1] Gout: Gout hurts.\n[2] Rest helps.\n\n"
        "Question: What is gout?<|end|>\n<|assistant|>\n"
    )


def test_the_closed_book_prompt_is_the_question_and_nothing_else():
    assert (
        text_of(render(TOKENIZER, messages_for("What is gout?", None)))
        == "<|user|>\nWhat is gout?<|end|>\n<|assistant|>\n"
    )


@given(st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map("".join))
def test_no_text_ever_becomes_a_control_token(question, source):
    # The template's own tokens: system, user and assistant once each, and an end behind the first two turns.
    ids = render(TOKENIZER, grounded_messages(question, [Source(source, source)]))
    assert sum(i in CONTROL_IDS for i in ids) == 5
    assert sum(i in CONTROL_IDS for i in render(TOKENIZER, plain_messages(question))) == 3


@given(st.text(max_size=60))
def test_ordinary_text_is_left_alone_and_neutralising_twice_changes_nothing(text):
    assert neutralise(neutralise(text)) == neutralise(text)
    if "<" not in text:
        assert neutralise(text) == text


@pytest.mark.parametrize("text", ["a < b and c > d", "<b>bold</b>", "p<0.05", "x <- y |> z"])
def test_other_angle_brackets_stay(text):
    assert neutralise(text) == text


def test_whole_sources_are_dropped_from_the_end_until_the_prompt_fits():
    sources = [Source("word " * 40, f"T{n}") for n in range(5)]
    full = len(render(TOKENIZER, grounded_messages("Q?", sources)))
    ids, kept, dropped = fit_sources(TOKENIZER, "Q?", sources, full - 1)
    assert [s.title for s in kept] == ["T0", "T1", "T2", "T3"]
    assert dropped == 1
    assert ids == render(TOKENIZER, grounded_messages("Q?", sources[:4]))
    assert fit_sources(TOKENIZER, "Q?", sources, full)[2] == 0


def test_a_prompt_that_cannot_fit_is_an_error():
    with pytest.raises(MedqaError, match="at most 20 tokens"):
        fit_sources(TOKENIZER, "Q?", [Source("word " * 40)], 20)


def test_a_tokenizer_without_the_end_token_is_refused():
    class Other:
        name_or_path = "other"
        unk_token_id = 0

        def convert_tokens_to_ids(self, _):
            return 0

    with pytest.raises(MedqaError, match="Phi-3"):
        end_token_id(Other())
