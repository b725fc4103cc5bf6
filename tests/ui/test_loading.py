import threading
from dataclasses import replace

from medqa.records import Passage
from ui import loading


def passage(pair: str, question: str, title: str, kind: str) -> Passage:
    return Passage(f"{pair}:0:0", pair, "text", ((0, 4),), f"{question} | {title}", title, question_type=kind)


def test_examples_differ_in_title_and_type():
    passages = [
        passage("a", "What is asthma?", "Asthma", "information"),
        passage("b", "What are the symptoms of asthma?", "Asthma", "symptoms"),
        passage("c", "What is a cold?", "Cold", "information"),
        passage("d", "How is a cold treated?", "Cold", "treatment"),
    ]
    assert loading.example_questions(passages, 5) == ("What is asthma?", "How is a cold treated?")


def test_examples_fall_back_to_the_title_and_leave_out_what_fits_no_button():
    titled = replace(passage("a", "x", "Asthma", "t"), header="")
    long = passage("b", f"{'why ' * 40}?", "Long", "u")
    untitled = replace(passage("c", "x", "", "v"), header="")
    assert loading.example_questions([titled, long, untitled], 3) == ("What should I know about Asthma?",)
    assert loading.example_questions([], 3) == ()


def test_facts_name_the_embedded_encoder():
    manifest = {"pairs": 1234, "passages": 5678, "created": "2026-01-02T03:04:05+00:00"}
    assert loading.index_facts(manifest, "embedded") == [
        ("Question/answer pairs", "1,234"),
        ("Passages", "5,678"),
        ("Built", "2026-01-02 03:04 UTC"),
        ("Encoder", "all-MiniLM-L6-v2 (embedded)"),
    ]


def test_sessions_take_turns_at_the_model(loaded, model):
    """The written model fails on two calls at once."""
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(20):
                loaded.answer("What is asthma?", "plain+rag", 2, lambda piece: None)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(model.calls) == 80
