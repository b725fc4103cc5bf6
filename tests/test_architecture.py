"""Dependencies point one way (docs/architecture.md), and imports do no work."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from medqa.paths import PROJECT

# What each package may import of ours. Of rag, finetune needs the prompt alone: the one chat renderer.
ALLOWED = {
    "medqa": {"medqa"},
    "ingest": {"medqa", "ingest"},
    "retrieval": {"medqa", "ingest", "retrieval"},
    "rag": {"medqa", "ingest", "retrieval", "rag"},
    "finetune": {"medqa", "ingest", "retrieval", "finetune", "rag.prompt"},
    "eval": {"medqa", "ingest", "retrieval", "rag", "eval"},
    "ui": {"medqa", "ingest", "retrieval", "rag", "ui"},
}
# The front door opens every stage, inside its verbs only; doctor looks at each.
DOORS = [*sorted((PROJECT / "medqa" / "verbs").glob("*.py")), PROJECT / "medqa" / "doctor.py"]
HEAVY = {
    "torch",
    "transformers",
    "pandas",
    "pyarrow",
    "faiss",
    "sentence_transformers",
    "streamlit",
    "peft",
    "datasets",
}


def imports_of(file: Path, top_level_only: bool = False):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def files_of(package):
    return sorted((PROJECT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ALLOWED)
def test_dependencies_point_one_way(package):
    files = [f for f in files_of(package) if f not in DOORS]
    assert files
    wrong = [
        (file.name, name)
        for file in files
        for name in imports_of(file)
        if name.split(".")[0] in ALLOWED and not {name, name.split(".")[0]} & ALLOWED[package]
    ]
    assert wrong == []


def test_the_front_door_imports_stages_inside_its_verbs_only():
    assert len(DOORS) > 2
    for file in DOORS:
        at_the_top = {n.split(".")[0] for n in imports_of(file, top_level_only=True)}
        assert at_the_top & ALLOWED.keys() <= {"medqa"}


@pytest.mark.parametrize(
    "module",
    [
        "ingest.command",
        "ingest.corpus",
        "rag.pipeline",
        "rag.prompt",
        "rag.generators",
        "finetune.examples",
        "eval.compare",
        "eval.score",
    ],
)
def test_importing_a_stage_loads_no_heavy_library(module):
    code = f"import sys, {module}\nprint(*({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.split() == []
