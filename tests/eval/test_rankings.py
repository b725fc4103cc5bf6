"""Rankings of a run out to TREC files and back in."""

import json

import pytest

from eval.rankings import export_rankings, score_ranking
from medqa.cli import main
from medqa.errors import MedqaError
from medqa.manifest import write_manifest
from tests.eval.scored_rows import row


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        row(1, retrieved=["p9", "p1"], relevant=["p1"]),
        row(2, retrieved=["p2"], relevant=["p2"]),
        row(3, retrieved=["p8"], relevant=[]),
        row(1, name="many passages", retrieved=["p1"], relevant=["p1"]),
        row(2, name="many passages", retrieved=[], relevant=["p2"]),
        row(3, name="many passages", retrieved=[], relevant=[]),
        row(1, index="held-out", relevant=[]),
        row(1, variant="plain"),
    ]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    write_manifest(folder, "evaluation", {}, {}, {})
    return folder


def test_out_and_back_in(run, tmp_path):
    out = tmp_path / "trec"
    done = export_rankings(run, out)
    assert done["files"] == ["open-book.many_passages.run", "open-book.qrels", "open-book.tuned+rag.run"]
    assert done["left_out"]["held-out"] == 1
    found = score_ranking(out / "open-book.tuned+rag.run", out / "open-book.qrels", "linear", 200, 0)
    assert found["queries"] == 2
    assert found["metrics"]["mrr@10"]["mean"] == 0.75
    assert found["metrics"]["hit@1"]["mean"] == 0.5


def test_the_verbs(run, tmp_path, capsys):
    out = tmp_path / "trec"
    assert main(["eval", "export", str(run), "--out", str(out)]) == 0
    files = ["--run", str(out / "open-book.tuned+rag.run"), "--qrels", str(out / "open-book.qrels")]
    capsys.readouterr()
    assert main(["eval", "ranking", *files, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["recall@10"]["mean"] == 1.0
    assert main(["eval", "export", str(run), "--out", str(out)]) == 2  # not over other files
    assert "choose another --out" in capsys.readouterr().err


def test_queries_without_relevant_documents_are_counted(tmp_path):
    (tmp_path / "run").write_text("q1 Q0 d1 1 2.0 x\nq2 Q0 d1 1 2.0 x\n")
    (tmp_path / "qrels").write_text("q1 0 d1 1\nq2 0 d1 0\n")
    found = score_ranking(tmp_path / "run", tmp_path / "qrels", "exponential", 100, 0)
    assert (found["queries"], found["nothing_to_find"], found["metrics"]["hit@1"]["mean"]) == (2, 1, 1.0)
    (tmp_path / "qrels").write_text("q1 0 d1 0\nq2 0 d1 0\n")
    with pytest.raises(MedqaError, match="at least one query"):
        score_ranking(tmp_path / "run", tmp_path / "qrels", "exponential", 100, 0)
    (tmp_path / "qrels").write_text("q1 0 d1 1\n")
    with pytest.raises(MedqaError, match="1 without grades"):
        score_ranking(tmp_path / "run", tmp_path / "qrels", "exponential", 100, 0)
