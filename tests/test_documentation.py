"""Every command of the README and docs exists, and the README's `medqa` lines work in order in a fresh folder.

Lines that need a GPU or a browser are parsed only.
"""

import re
import shlex
from pathlib import Path

import pytest

from medqa.cli import build_parser, main
from medqa.paths import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/**/*.md"))]
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEEDS_GPU_OR_BROWSER = ("phi3-mini", "medqa chat", "review page")


def commands():
    """(page, command) of every console line, continuation lines joined, comments and prompts taken off."""
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                text = line.split("  #")[0].strip().removeprefix("$ ")
                if text and not text.startswith("#"):
                    yield page.name, text


COMMANDS = list(commands())


def test_there_are_commands():
    assert len([c for _, c in COMMANDS if c.startswith("medqa ")]) >= 10


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda x: x[:60])
def test_every_command_is_one_that_exists(page, command):
    program, *arguments = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets
    elif program == "medqa":
        build_parser().parse_args(arguments)
    elif program == "torchrun":  # -m medqa.cli VERB ...
        build_parser().parse_args(arguments[arguments.index("medqa.cli") + 1 :])
    else:
        assert program in ("git", "cd", ".venv/bin/pre-commit", "source", "python", "streamlit"), (
            f"unknown program {program}"
        )


@pytest.mark.slow
def test_the_readmes_commands_run_in_order_in_a_fresh_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_own_data(tmp_path)
    tried = 0
    for page, command in COMMANDS:
        program, *arguments = shlex.split(command)
        if page != "README.md" or program != "medqa" or any(word in command for word in NEEDS_GPU_OR_BROWSER):
            continue
        keys = ("finetune.max_steps=2", "finetune.warmup_steps=1", "finetune.eval_steps=2", "eval.questions=3")
        small = [word for key in keys for word in ("--set", key)]
        shrink = [*small, "--set", "generator.max_new_tokens=32"] if takes_settings(arguments) else []
        assert main([*arguments, *shrink]) == 0, f"{page}: {command}\n{capsys.readouterr().err}"
        tried += 1
    assert tried >= 8


def takes_settings(arguments):
    return arguments[:2] in (["finetune", "generator"], ["eval", "run"]) or arguments[0] in ("ask", "predict")


def write_own_data(folder: Path):
    """What the README calls the reader's own files."""
    rows = ["question,answer,topic"]
    for n in range(60):
        name = f"Condition{n}"
        rows.append(
            f"What is {name}?,{name} is a made-up condition number {n} that affects organ {n} in adults.,{name}"
        )
        rows.append(
            f"How is {name} treated?,{name} is treated with rest and with made-up remedy {n} for some days.,{name}"
        )
    (folder / "my.csv").write_text("\n".join(rows) + "\n")
    rows.append("What is Newitis?,Newitis is another made-up condition that affects the elbow only.,Newitis")
    (folder / "my-new.csv").write_text("\n".join(rows) + "\n")
    (folder / "questions.jsonl").write_text('{"id": "1", "question": "What is Condition7?"}\n')
