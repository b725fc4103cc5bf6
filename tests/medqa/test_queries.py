import pytest

from medqa.errors import MedqaError
from medqa.queries import Query, read_queries


def test_lines_in_order_blank_ones_passed_over(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('\ufeff{"id": "b", "question": "x\u2028y"}\n\n{"id": 7, "question": "z"}\n', encoding="utf-8")
    assert read_queries(file) == [Query("b", "x\u2028y"), Query("7", "z")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "found none"),
        ('{"id": "a"}', "line 1"),
        ('{"id": "a", "question": "x"}\nnot json', "line 2"),
        ('{"id": "a", "question": "  "}', "not empty"),
        ('{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}', "twice"),
        ("[1, 2]", "line 1"),
    ],
)
def test_bad_query_files_are_named_by_line(tmp_path, content, complaint):
    file = tmp_path / "q.jsonl"
    file.write_text(content)
    with pytest.raises(MedqaError, match=complaint):
        read_queries(file)


def test_missing_query_file(tmp_path):
    with pytest.raises(MedqaError, match="wanted a queries file"):
        read_queries(tmp_path / "none.jsonl")
