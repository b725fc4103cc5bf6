"""The contract of the command line: verbs, exit codes, one line on stderr."""

import subprocess
import sys

import pytest

from medqa.cli import main

VERBS = [
    ["ingest"], ["index", "build"], ["index", "update"], ["index", "verify"], ["index", "stats"], ["index", "rollback"],
    ["search"], ["finetune", "generator"], ["finetune", "retriever"], ["finetune", "reranker"], ["finetune", "search"],
    ["finetune", "merge"], ["ask"], ["predict"], ["eval", "run"], ["eval", "compare"],
    ["eval", "review", "export"], ["eval", "review", "page"], ["eval", "review", "judge"], ["eval", "review", "import"],
    ["chat"], ["doctor"],
]  # fmt: skip
EVERYWHERE = ["--config", "--set", "--seed", "--offline", "--json", "--limit", "--debug"]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_the_options_that_stand_everywhere(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*verb, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in EVERYWHERE)


BAD = {
    "no verb": [],
    "unknown verb": ["serch", "x"],
    "unknown option": ["ask", "q", "--no-such"],
    "search without a question": ["search"],
    "queries without out": ["search", "--queries", "q.jsonl"],
    "unknown setting": ["ask", "q", "--set", "retrieval.kk=1"],
    "missing config": ["ask", "q", "--config", "none.yaml"],
    "limit of zero": ["ask", "q", "--limit", "0"],
    "missing source": ["ingest", "no-such.csv", "--out", "corpus"],
    "missing corpus": ["index", "build", "--corpus", "no-corpus", "--index", "index"],
    "missing index": ["search", "question", "--index", "no-index"],
    "missing model": ["ask", "q", "--variant", "plain", "--set", "generator.model=./no-model"],
    "missing adapter": ["ask", "q", "--variant", "tuned", "--set", "generator.adapter=./no-adapter"],
    "missing queries": ["predict", "--queries", "none.jsonl", "--out", "p.jsonl", "--variant", "plain"],
    "missing run": ["eval", "compare", "no-a", "no-b"],
    "not there yet": ["finetune", "search"],
    "bad split": ["index", "build", "--splits", "train,exam"],
    "evaluation index with questions": ["eval", "run", "--set", "eval.header=question+topic"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_bad_usage_is_one_line_and_exit_2(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("medqa: ")
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_debug_adds_the_traceback(capsys):
    assert main(["search", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom medqa.cli import build_parser\nbuild_parser().format_help()\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'faiss', 'streamlit', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
