import json

from medqa.records import Answer
from ui.conversation import Turn, as_json, as_markdown

TURNS = [
    Turn("What is asthma?", "extractive", Answer("What is asthma?", "A disease. ```", "extractive")),
    Turn("And # this?", "plain", error="too long"),
    Turn("Stopped?", "plain"),
]


def test_json_holds_every_turn_in_the_shape_of_predictions():
    turns = json.loads(as_json(TURNS))["turns"]
    assert [(t["id"], t["question"], t["variant"], t["answer"]) for t in turns] == [
        ("1", "What is asthma?", "extractive", "A disease. ```"),
        ("2", "And # this?", "plain", None),
        ("3", "Stopped?", "plain", None),
    ]
    assert [t["reason"] for t in turns] == ["", "too long", "stopped"]


def test_markdown_fences_are_longer_than_any_in_the_text():
    text = as_markdown(TURNS)
    assert "````text\nA disease. ```\n````" in text
    assert "```text\nAnd # this?\n```" in text
    assert text.count("\n## Question ") == 3 and "(stopped)" in text
