"""The local model on a tiny random Phi-3: batches, streaming, the adapter switch, limits. Quality is not the point here."""

import pytest
import torch

from medqa.errors import MedqaError
from medqa.paths import PROJECT
from medqa.records import Hit, Passage
from rag.generators import Extractive, LocalModel, load_model
from rag.prompt import REFUSAL
from tests.tiny_phi3 import save_tiny_phi3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    save_tiny_phi3(path, 0)
    return path


def load(folder, adapter=None, **changed):
    limits = {"max_new_tokens": 8, "prompt_tokens": 200, "batch_size": 3} | changed
    return load_model(str(folder), adapter, quantize="none", device="cpu", offline=True, **limits)


def hit(text, dense=0.8, title=""):
    spans = tuple((m, m + len(s)) for s in text.split("|") for m in [text.index(s)])
    return Hit(Passage("p", "pair", text, spans, title=title), dense, dense=dense)


QUESTIONS = ["What is gout?", "How is asthma treated in a child who coughs at night?", "Why?", "Is it contagious?"]


def test_a_batch_gives_the_answers_of_single_questions_in_order(folder):
    torch.set_num_threads(1)
    model = load(folder)
    together = model.draft(QUESTIONS, [None] * 4)
    alone = [model.draft([q], [None])[0] for q in QUESTIONS]
    assert [d.prompt_tokens for d in together] == [d.prompt_tokens for d in alone]
    assert [d.text for d in together] == [d.text for d in alone]
    assert all(d.new_tokens <= 8 for d in together)


def test_streamed_pieces_make_the_draft(folder):
    pieces = []
    draft = load(folder).draft(["What is gout?"], [[hit("Gout hurts.")]], pieces.append)[0]
    assert "".join(pieces).strip() == draft.text


def test_looking_words_up_in_the_sources_gives_the_same_answer_in_fewer_forward_passes(monkeypatch):
    hits = [
        hit(
            "Varnel disease makes the fingertips tingle, most of all at night.|It begins between 40 and 60 years of age."
        ),
        hit("Gout is treated with rest, ice and medicines that lower uric acid.|Attacks last a week."),
    ]
    found = {}
    for lookup_tokens in (0, 10):
        model = load_model(
            str(PROJECT / "models/phi3-nano"), None, quantize="none", device="cpu", offline=True, max_new_tokens=80,
            prompt_tokens=400, batch_size=2, lookup_tokens=lookup_tokens,
        )  # fmt: skip
        passes, pieces = count_forward_passes(model, monkeypatch), []
        draft = model.draft(["What are the symptoms of Varnel disease?"], [hits], pieces.append)[0]
        assert "".join(pieces).strip() == draft.text
        found[lookup_tokens] = draft, len(passes)
    (plain, one_by_one), (guessed, fewer) = found[0], found[10]
    assert plain.text.startswith("Varnel disease makes the fingertips tingle, most of all at night. [1]")
    assert guessed == plain
    assert one_by_one == plain.new_tokens + 1  # the last one writes the end
    assert fewer < one_by_one / 2


def test_only_a_single_question_with_sources_is_looked_up(folder, monkeypatch):
    model = load(folder, lookup_tokens=10)
    asked = []
    with model.opened() as (inner, _):
        generate = inner.generate
        monkeypatch.setattr(inner, "generate", lambda **k: asked.append(k) or generate(**k))
    for hits in ([None], [[hit("Gout hurts.")]], [[hit("Gout hurts.")]] * 2):
        model.draft(["What is gout?"] * len(hits), hits)
    assert ["prompt_lookup_num_tokens" in kwargs for kwargs in asked] == [False, True, False]


def count_forward_passes(model, monkeypatch):
    passes = []
    with model.opened() as (inner, _):
        forward = inner.forward
        monkeypatch.setattr(inner, "forward", lambda *a, **k: passes.append(1) or forward(*a, **k))
    return passes


def test_what_does_not_fit_is_dropped_and_counted(folder):
    hits = [hit("word " * 60), hit("other " * 60)]
    draft = load(folder, prompt_tokens=380).draft(["Q about gout?"], [hits])[0]
    assert draft.dropped_sources == 1
    with pytest.raises(MedqaError, match="shorten it"):
        load(folder).draft(["long " * 300], [None])


def test_prompt_and_answer_must_fit_the_context(folder):
    with pytest.raises(MedqaError, match="within the model's context"):
        load(folder, prompt_tokens=100_000)


def test_a_missing_model_or_adapter_is_one_line(folder, tmp_path):
    with pytest.raises(MedqaError, match="wanted a model folder"):
        load(tmp_path / "none")
    with pytest.raises(MedqaError, match="adapter"):
        load(folder, adapter=str(tmp_path / "none"))
    with pytest.raises(MedqaError, match="no adapter loaded"):
        load(folder).variant(tuned=True)


def test_the_adapter_is_switched_off_for_the_plain_variant():
    class Switch:
        config = type("C", (), {"max_position_embeddings": 512})()
        generation_config = type("G", (), {"eos_token_id": 4})()
        device = "cpu"
        off = 0

        def disable_adapter(self):
            from contextlib import contextmanager

            @contextmanager
            def switched():
                Switch.off += 1
                yield

            return switched()

        def generate(self, input_ids, **_):
            return torch.cat([input_ids, torch.full((len(input_ids), 1), 4)], dim=1)

    from tests.tiny_phi3 import tiny_tokenizer

    model = LocalModel(Switch(), tiny_tokenizer(), max_new_tokens=4, prompt_tokens=100, batch_size=2, tuned=True)
    model.draft(["Q?"], [None])
    assert Switch.off == 0
    model.variant(tuned=False).draft(["Q?"], [None])
    assert Switch.off == 1


def test_quotes_are_whole_sentences_of_near_passages_with_their_markers():
    near = hit("Gout hurts.|It swells.", 0.8)
    also = hit("Rest helps.", 0.75)
    far = hit("Cars drive.", 0.4)
    draft = Extractive().draft(["Q?"], [[near, also, far]])[0]
    assert draft.text == "Gout hurts. [1] It swells. [1] Rest helps. [2]"
    assert Extractive().draft(["Q?"], [[]])[0].text == REFUSAL
