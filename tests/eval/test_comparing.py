"""``eval compare`` as a command: what it is given decides what it does."""

import json
from pathlib import Path

from eval.score import score_rows
from medqa.cli import main
from medqa.files import write_json
from medqa.manifest import write_manifest
from tests.eval.scored_rows import row

FEW = ("--set", "eval.bootstrap=200")


def make_run(folder, answer, questions=12):
    folder.mkdir()
    rows = [row(n, answer) for n in range(questions)]
    score_rows(rows, 100, 0)
    for r in rows:
        r["tokens"] = {"prompt": 10, "new": 5, "truncated": False}
    (folder / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    write_json(folder / "metrics.json", {})
    write_manifest(folder, "evaluation", {}, {}, {})
    return str(folder)


def test_a_regression_ends_with_exit_1_only_when_asked_to(tmp_path, capsys):
    good, bad = make_run(tmp_path / "good", "one two three four [1]"), make_run(tmp_path / "bad", "five [1]")
    assert main(["eval", "compare", good, bad, *FEW]) == 0
    assert "Regressions found: open-book tuned+rag rouge1;" in capsys.readouterr().out
    assert main(["eval", "compare", good, bad, *FEW, "--fail-on-regression"]) == 1
    assert main(["eval", "compare", bad, good, *FEW, "--fail-on-regression"]) == 0
    assert main(["eval", "compare", good, bad, *FEW, "--json", "--out", str(tmp_path / "out")]) == 0
    shown = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert shown["cells"][0]["differences"]["rouge1"]["mean"] == -1.0
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_what_cannot_be_compared_is_one_line_and_exit_2(tmp_path, capsys):
    run = make_run(tmp_path / "run", "one [1]")
    index = tmp_path / "index"
    index.mkdir()
    write_manifest(index, "index", {}, {}, {})
    old = make_run(tmp_path / "old", "one [1]")
    file = tmp_path / "old" / "predictions.jsonl"
    file.write_text(file.read_text().replace('"name"', '"was"'))
    cases = {
        "found an older one's rows": [run, old],
        "wanted two runs or two index generations, found a evaluation": [run, str(index)],
        "found no manifest.json": [run, str(tmp_path / "none")],
        "found two runs; leave them out": [run, run, "--variant", "extractive"],
        "they have no scores to regress": [str(index), str(index), "--fail-on-regression"],
        "wanted the same questions": [run, make_run(tmp_path / "fewer", "one [1]", 11)],
        "a variant that reads an index": [
            str(index),
            str(index),
            "--variant",
            "plain",
            "--queries",
            str(tmp_path / "q"),
        ],
    }
    (tmp_path / "q").write_text('{"id": "1", "question": "What?"}\n')
    for words, arguments in cases.items():
        capsys.readouterr()
        assert main(["eval", "compare", *arguments]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


def test_two_generations_of_an_index(tmp_path, monkeypatch, capsys):
    """With the real encoder: one answer changes, the other questions see nothing new."""
    monkeypatch.chdir(tmp_path)
    names = ("asthma", "gout", "migraine")
    texts = ("narrows the airways of the lungs", "hurts the big toe at night", "brings a throbbing headache")
    rows = [f"x{n},What is {name}?,{name.title()} {texts[n]}.,{name.title()}" for n, name in enumerate(names)]
    corpus = tmp_path / "mine.csv"
    corpus.write_text("\n".join(["id,question,answer,topic", *rows]) + "\n")
    build = ["--corpus", str(corpus), "--index", "index", "--offline", "--json"]
    assert main(["index", "build", *build]) == 0
    rows[1] = "x1,What is gout?,Gout is a swelling of joints by crystals.,Gout"
    corpus.write_text("\n".join(["id,question,answer,topic", *rows]) + "\n")
    assert main(["index", "update", *build]) == 0
    queries = [{"id": f"q{n}", "question": f"What is {name}?"} for n, name in enumerate(names)]
    Path("q.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    one = ["--set", "rag.passages=1", "--variant", "extractive", "--queries", "q.jsonl", "--offline", "--json"]
    capsys.readouterr()
    assert main(["eval", "compare", "index/generations/000001", "index", *one, "--out", "changes"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answered_again"] == ["q1"]
    assert found["changed_answers"] == ["q1"]
    assert found["changed_citations"] == ["q1"]
    [change] = found["changes"]
    assert change["before"] == "Gout hurts the big toe at night. [1]"
    assert change["after"] == "Gout is a swelling of joints by crystals. [1]"
    assert "1 of 3 questions" in Path("changes/comparison.md").read_text()
