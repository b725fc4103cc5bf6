"""Losses against a loop that asks the model for one token at a time."""

import math

import pytest

from eval.lm import reference_losses, text_losses
from eval.set_measures import set_measures
from rag.generators import LocalModel
from rag.prompt import plain_messages, render
from tests.tiny_phi3 import tiny_model, tiny_tokenizer

QUESTIONS = ["What is asthma?", "Is it serious?", "Why?"]
ANSWERS = ["The airways are swollen and narrow.", "No.", "Because the lungs of <|end|> people are: 1, 2, 3! " * 9]


@pytest.fixture(scope="module")
def parts():
    return tiny_model().eval(), tiny_tokenizer()


def direct_loss(model, prompt, ids):
    """-ln p of each token, each from a forward pass of its own over everything before it."""
    import torch

    nats = 0.0
    for n, token in enumerate(ids):
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *ids[:n]]])).logits[0, -1].double()
        nats -= float(torch.log_softmax(logits, dim=-1)[token])
    return nats


def test_equal_to_a_direct_loop(parts):
    model, tokenizer = parts
    prompts = [render(tokenizer, plain_messages(q)) for q in QUESTIONS]
    found = text_losses(model, tokenizer, prompts, ANSWERS, max_tokens=2048, batch_size=2, chunk=7)
    for loss, prompt, answer in zip(found, prompts, ANSWERS, strict=True):
        safe = answer.replace("<|end|>", "<¦end¦>")  # a control token in the text is none of the model's
        ids = tokenizer(safe, add_special_tokens=False)["input_ids"]
        wanted = direct_loss(model, prompt, ids)
        assert loss.tokens == len(ids)
        assert loss.bytes == len(safe.encode())
        assert not loss.truncated
        assert loss.nats / loss.tokens == pytest.approx(wanted / len(ids), abs=1e-4)
        assert math.exp(loss.nats / loss.tokens) == pytest.approx(math.exp(wanted / len(ids)), rel=1e-4)


def test_batches_and_chunks_change_nothing(parts):
    model, tokenizer = parts
    prompts = [render(tokenizer, plain_messages(q)) for q in QUESTIONS]
    one = text_losses(model, tokenizer, prompts, ANSWERS, max_tokens=2048, batch_size=1)
    all_at_once = text_losses(model, tokenizer, prompts, ANSWERS, max_tokens=2048, batch_size=3, chunk=1)
    assert [x.nats for x in one] == pytest.approx([x.nats for x in all_at_once], abs=1e-3)


def test_a_long_text_is_cut_and_marked_and_an_empty_one_has_no_tokens(parts):
    model, tokenizer = parts
    prompt = render(tokenizer, plain_messages(QUESTIONS[0]))
    room = 5
    cut, empty, no_room = text_losses(
        model, tokenizer, [prompt, prompt, prompt * 2], [ANSWERS[2], "", ANSWERS[0]],
        max_tokens=len(prompt) + room, batch_size=3,
    )  # fmt: skip
    ids = tokenizer(ANSWERS[2].replace("<|end|>", "<¦end¦>"), add_special_tokens=False)["input_ids"][:room]
    assert (cut.tokens, cut.truncated, cut.bytes) == (room, True, len(tokenizer.decode(ids).encode()))
    assert cut.nats == pytest.approx(direct_loss(model, prompt, ids), abs=1e-3)
    assert (empty.nats, empty.tokens, empty.bytes, empty.truncated) == (0.0, 0, 0, False)
    assert (no_room.nats, no_room.tokens, no_room.truncated) == (0.0, 0, True)


def test_the_prompt_is_the_one_that_answers(parts):
    model, tokenizer = parts
    local = LocalModel(model, tokenizer, max_new_tokens=4, prompt_tokens=512, batch_size=2, tuned=False)
    through = reference_losses(local, QUESTIONS[:1], [None], ANSWERS[:1], batch_size=1)[0]
    prompt = render(tokenizer, plain_messages(QUESTIONS[0]))
    assert through == text_losses(model, tokenizer, [prompt], ANSWERS[:1], max_tokens=2048, batch_size=1)[0]


def rows(*losses):
    return [{"answer": "a", "reference": "b", "lm": loss} for loss in losses]


def test_long_references_weigh_by_their_tokens():
    found, missing = set_measures(
        rows({"nats": 2.0, "tokens": 2, "bytes": 8}, {"nats": 18.0, "tokens": 3, "bytes": 12})
    )
    sums = found["loss"].statistics.sum(axis=0)
    assert found["loss"].value(sums) == pytest.approx(20 / 5)  # not the mean of 1 and 6
    assert found["perplexity"].value(sums) == pytest.approx(math.exp(4))
    assert found["bits_per_byte"].value(sums) == pytest.approx(20 / math.log(2) / 20)
    assert missing == {}


def test_a_loss_that_is_missing_somewhere_is_null_with_the_reason():
    _, none = set_measures(rows(None, None))
    assert none["loss"] == "the loss of the references was not measured"
    _, some = set_measures(rows({"nats": 1.0, "tokens": 1, "bytes": 1}, None))
    assert some["perplexity"] == "1 of 2 references have no loss"
    _, no_room = set_measures(rows({"nats": 0.0, "tokens": 0, "bytes": 0}))
    assert no_room["loss"] == "no reference had room behind its prompt"
