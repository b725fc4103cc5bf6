"""The corpus builder: examples say what their sources say, cite the right one, and refuse when nothing answers."""

import random
import re
from dataclasses import replace

import pytest

from models.recipe.evaluate import Asked, cited_sentences, is_right, made_up_questions, refused, wilson
from models.recipe.examples import Draft, Sentence, Tag, cite, grounded
from models.recipe.grammar import HELD_OUT_FILES, Grammar, held_out_grammar, parse, training_grammar
from models.recipe.library import Library
from models.recipe.mix import ANSWER, OPENING, encode, make_example
from models.recipe.patterns import match_aspect, span_questions
from models.recipe.phases import PHASES
from models.recipe.prose import chunks, sentences
from models.recipe.pseudo import Disguise, Words
from models.recipe.tokenizer import train_tokenizer
from models.recipe.world import KINDS, NEAR, World
from models.recipe.world_tasks import article_task, interview_task, reading_task, relation_task
from rag.prompt import REFUSAL, end_token_id, render, source_line
from tests.models.conftest import make_module


def _examples(library: Library, n: int):
    for phase in PHASES.values():
        for i in range(n):
            yield make_example(random.Random(f"test/{i}"), library, phase)


def test_every_quotation_stands_word_for_word_in_the_source_it_cites(library):
    quoted = 0
    for example in _examples(library, 250):
        for number, text in example.quotes:
            assert text in example.sources[number - 1].text
            quoted += 1
        if example.sources:
            assert example.answer == cite(example.quotes)
            assert (example.answer == REFUSAL) == (not example.quotes)
    assert quoted > 400


def test_the_prompt_shows_the_sources_as_the_renderer_writes_them(library):
    for example in _examples(library, 60):
        user = example.messages[1 if example.kind == "interview" else -1]["content"]
        for number, source in enumerate(example.sources, start=1):
            assert source_line(number, source) in user
        assert 0 <= len(example.sources) <= 6


def test_the_same_seed_gives_the_same_example(library):
    phase = PHASES["sharp"]
    first = [make_example(random.Random(f"a/{i}"), library, phase) for i in range(40)]
    assert first == [make_example(random.Random(f"a/{i}"), library, phase) for i in range(40)]
    assert first != [make_example(random.Random(f"b/{i}"), library, phase) for i in range(40)]


@pytest.mark.parametrize(
    ("family", "task", "share"),
    [
        ("made-up", "reading_task", 0.3),
        ("relation", "relation_task", 0.3),
        ("article", "article_task", 0.3),
        ("encyclopedia", "encyclopedia_task", 0.55),
    ],
)
def test_how_many_questions_of_the_last_phase_go_unanswered(library, monkeypatch, family, task, share):
    monkeypatch.setattr(f"models.recipe.mix.{task}", lambda world, refuse: refuse)
    phase = replace(PHASES["talk"], families={family: 1})
    refusals = [make_example(random.Random(i), library, phase) for i in range(1500)]
    assert abs(sum(refusals) / 1500 - share) < 0.03
    monkeypatch.setattr("models.recipe.mix.interview_task", lambda world, refused: refused)
    monkeypatch.setattr("models.recipe.mix.encyclopedia_interview", lambda world, refused: refused)
    for interview, chance in {"interview": 0.3, "encyclopedia interview": 0.7}.items():
        phase = replace(phase, families={interview: 1})
        assert make_example(random.Random(0), library, phase) == pytest.approx(chance)


def test_a_made_up_refusal_has_no_sentence_that_answers(library):
    for i in range(150):
        for task in (reading_task, relation_task):
            world = World(random.Random(f"refuse/{i}"), library, PHASES["sharp"])
            example = task(world, True)
            assert example.answer == REFUSAL
            assert example.quotes == ()
            assert example.sources


def test_made_up_answers_come_from_every_place_and_number_of_sources(library):
    examples = [reading_task(World(random.Random(i), library, PHASES["wide"]), False) for i in range(300)]
    assert {len(e.sources) for e in examples} == {1, 2, 3, 4, 5, 6}
    assert {number for e in examples for number, _ in e.quotes} >= {1, 2, 3, 4, 5}
    assert len({number for number, _ in max(examples, key=lambda e: len(e.quotes)).quotes}) >= 1
    assert {bool(e.sources[0].title) for e in examples} == {True, False}


def test_an_interview_asks_several_things_of_the_same_sources(library):
    refusals = answers = 0
    for i in range(60):
        example = interview_task(World(random.Random(f"interview/{i}"), library, PHASES["broad"]), 0.3)
        turns = [m for m in example.messages if m["role"] == "user"]
        assert 3 <= len(turns) <= 6
        assert all(turn["content"].startswith("Question: ") for turn in turns[1:])
        said = [m["content"] for m in example.messages if m["role"] == "assistant"] + [example.answer]
        assert len(said) == len(turns)
        for answer in said:
            refusals += answer == REFUSAL
            for text, number in cited_sentences(answer):
                assert text in example.sources[number - 1].text
                answers += 1
    assert refusals > 20 and answers > 100


def test_an_article_is_quoted_by_whole_passages(library):
    for i in range(80):
        world = World(random.Random(f"article/{i}"), library, PHASES["broad"])
        example = article_task(world, refuse=False)
        for number in {n for n, _ in example.quotes[:-1]} - {example.quotes[-1][0]}:
            assert " ".join(text for n, text in example.quotes if n == number) == example.sources[number - 1].text
        assert article_task(world, refuse=True).answer == REFUSAL


def test_every_answer_of_a_conversation_is_learned_from(library):
    tokenizer = train_tokenizer(["The sources do not answer this question. What causes a fever? 0123456789"] * 3, 400)
    for example in _examples(library, 25):
        ids, kinds = encode(tokenizer, example)
        whole = render(tokenizer, example.messages)
        answer = tokenizer(example.answer, add_special_tokens=False)["input_ids"]
        assert ids == [*whole, *answer, end_token_id(tokenizer)]
        assert len(kinds) == len(ids)
        learned = tokenizer.decode([i for i, kind in zip(ids, kinds, strict=True) if kind in (ANSWER, OPENING)])
        said = [m["content"] for m in example.messages if m["role"] == "assistant"] + [example.answer]
        assert learned == "".join(text + "<|end|>" for text in said)


def test_grounded_quotes_wanted_sentences_only_in_source_order():
    wanted = Tag("gout", "cause")
    drafts = [
        Draft([Sentence("A.", frozenset({wanted})), Sentence("B.", frozenset({Tag("gout", "symptom")}))]),
        Draft([Sentence("C.", frozenset({Tag("lupus", "cause")})), Sentence("D.", frozenset({wanted}))]),
    ]
    example = grounded(random.Random(0), "x", "What causes gout?", drafts, frozenset({wanted}))
    assert sorted(text for _, text in example.quotes) == ["A.", "D."]
    assert [number for number, _ in example.quotes] == [1, 2]
    assert re.fullmatch(r"[AD]\. \[1\] [AD]\. \[2\]", example.answer)


def test_a_disguise_changes_a_word_everywhere_alike_and_leaves_common_words():
    disguise = Disguise(Words(random.Random(1)), lambda word: word == "ledger", share=1.0)
    text = disguise("The ledger of 1823: a Ledger, two ledgers, LEDGER.")
    new = re.match(r"The (\S+) of", text)
    assert new and new.group(1) != "ledger"
    word = new.group(1)
    assert f"a {word.capitalize()}, two {word}s, {word.upper()}." in text
    assert "1823" not in text
    assert disguise.known_only("ledger kept in 1999") == f"{word} kept in 1999"


def test_every_aspect_can_be_told_asked_and_filled():
    forms = training_grammar().forms
    for aspect in {a for aspects in KINDS.values() for a in aspects}:
        assert {f"{aspect}.{part}" for part in ("sentence", "question", "fact")} <= set(forms)
    assert {a for group in NEAR for a in group} <= {a for aspects in KINDS.values() for a in aspects}


def test_every_form_can_be_said():
    grammar = training_grammar()
    rng = random.Random(0)
    words = Words(rng)
    slots = dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "slot")
    for forms in (grammar.forms, *(held_out_grammar(name).forms for name in HELD_OUT_FILES)):
        for section in forms:
            for form in forms[section]:
                said = Grammar(forms).say(rng, form, slots, words.make)
                assert "$" not in said and "{" not in said and "@" not in said, said


def test_a_form_with_a_missing_brace_is_refused():
    with pytest.raises(ValueError, match="brace"):
        parse("What {causes|triggers @X?")
    with pytest.raises(ValueError, match="brace"):
        parse("What causes} @X?")


@pytest.mark.parametrize("file", HELD_OUT_FILES)
def test_no_held_out_form_can_be_made_by_a_training_form(file):
    training, held_out = training_grammar(), held_out_grammar(file)
    counts = {"sentence": 0, "question": 0}
    for kind in counts:
        patterns = [
            re.compile(training.pattern(form), re.IGNORECASE)
            for section, forms in training.forms.items()
            if section.endswith(f".{kind}")
            for form in forms
        ]
        assert any(p.fullmatch("What causes @X?" if kind == "question" else "@X is caused by @F.") for p in patterns)
        for section, forms in held_out.forms.items():
            for form in forms if section.endswith(f".{kind}") else []:
                text = "".join(part if isinstance(part, str) else f"@{part.name}" for part in form)
                assert not any(p.fullmatch(text) for p in patterns), text
                counts[kind] += 1
    assert counts["sentence"] >= 60
    assert counts["question"] >= {"held_out.txt": 30, "fresh.txt": 25}[file]


@pytest.mark.parametrize("file", HELD_OUT_FILES)
def test_the_reading_test_plants_one_holder_of_each_fact(library, file):
    asked = made_up_questions(Library(library.modules, library.lexicon, held_out_grammar(file)), 20, seed=5)
    assert len(asked) == 60
    for a in asked:
        if a.fact:
            assert is_right(Asked(a.example, a.fact, a.example.answer))
        else:
            assert a.example.answer == REFUSAL


def test_a_wrong_marker_is_not_right():
    wanted = Tag("gout", "cause")
    drafts = [Draft([Sentence("Gout comes from salt.", frozenset({wanted}))]), Draft([Sentence("Other words.")])]
    example = grounded(random.Random(0), "x", "What causes gout?", drafts, frozenset({wanted}))
    right = example.quotes[0][0]
    assert is_right(Asked(example, "salt", f"Gout comes from salt. [{right}]"))
    assert not is_right(Asked(example, "salt", f"Gout comes from salt. [{3 - right}]"))
    assert not is_right(Asked(example, "salt", "Gout comes from salt."))
    assert not is_right(Asked(example, "salt", REFUSAL))


def test_cited_sentences_and_refusals_are_read_from_answers():
    assert cited_sentences("One. [2] Two, three. [1]") == [("One.", 2), ("Two, three.", 1)]
    assert refused(REFUSAL) and refused(f" {REFUSAL} ") and not refused("Salt. [1]")


def test_wilson_interval_of_a_known_case():
    low, high = wilson(8, 10)  # 0.490 to 0.943, as in published tables
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)


def test_sentences_are_not_split_at_abbreviations():
    assert sentences("Dr. Smith left. He was E. Jones. It rained!") == [
        "Dr. Smith left.",
        "He was E. Jones.",
        "It rained!",
    ]


def test_passages_keep_their_length_and_their_section():
    for target in (40, 90):
        for chunk in chunks(make_module(0), target):
            assert 20 <= len(chunk.text.split()) <= 130
            assert chunk.section.split()[1].lower() in chunk.text


def test_aspects_and_questions_are_read_off_sentences():
    assert match_aspect("Gout is usually caused by uric acid.") == ("Gout", "cause")
    assert match_aspect("Symptoms of gout include pain.") == ("gout", "symptom")
    assert match_aspect("It is caused by salt.") is None
    assert "What can Gout cause?" in span_questions("Gout can cause severe pain.")


def test_held_out_modules_are_few_and_fixed():
    held = [m for m in (make_module(i) for i in range(2000)) if m.held_out]
    assert 0.03 < len(held) / 2000 < 0.07
