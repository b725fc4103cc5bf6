"""What training for retrieval leaves behind: weights, model card and manifest, complete or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medqa.files import staged_folder, write_atomically, write_json
from medqa.manifest import write_manifest

HISTORY = "history.json"
BASE = "sentence-transformers/all-MiniLM-L6-v2"
"""The embedded encoder's name on the hub."""
Table = Mapping[str, Mapping[str, float]]


def publish(
    out: Path,
    kind: str,
    save: Callable[[Path], None],
    card: str,
    history: list[dict[str, float]],
    inputs: Mapping[str, str],
    recipe: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Fill ``out`` in one step: what ``save`` writes, README.md, the losses by step if any, the manifest last; returns that."""
    with staged_folder(out) as stage:
        save(stage)
        write_atomically(stage / "README.md", card)
        if history:
            write_json(stage / HISTORY, [{k: round(v, 5) for k, v in entry.items()} for entry in history])
        return write_manifest(stage, kind, inputs, recipe, facts)


def card(
    title: str,
    what: str,
    load: str,
    tables: Mapping[str, Table],
    inputs: Mapping[str, str],
    recipe: Mapping[str, Any],
    library: str = "peft",
    base: str = BASE,
) -> str:
    """README.md in the hub's form; every figure comes from the run."""
    licence = ", Apache-2.0" if base == BASE else " (see there)"
    chose = "validation pairs" + (" and the gate's questions" if "gate" in inputs else "")
    tags = ", ".join([*(["lora"] if library == "peft" else []), "medical", "retrieval"])
    shown = "\n\n".join(f"{caption}\n\n{_table(rows)}" for caption, rows in tables.items())
    return f"""---
base_model: {base}
library_name: {library}
license: cc-by-4.0
language: en
tags: [{tags}]
---

# {title}

{what}

Not a medical device: it finds passages, it does not judge them.

```python
{load.strip()}
```

## Figures

{shown}

## Trained on

{_rows({name: f"`{value}`" for name, value in inputs.items()}, ("input", "SHA-256"))}

Only pairs of the corpus' train split and passages of their answers, asked in surface forms that `finetune/augment.py` makes of
their questions; {chose} chose among settings and weights; the test split had no part in it.

- The corpus shipped with: **MedQuAD**, CC BY 4.0, Asma Ben Abacha and Dina Demner-Fushman, "A Question-Entailment Approach to
  Question Answering", BMC Bioinformatics 20, 511 (2019), https://github.com/abachaa/MedQuAD; cleaned, cut into passages and
  split by `medqa ingest`.
- The base model: {base}{licence}.

## Settings

{_rows(recipe, ("setting", "value"))}
"""


def _table(rows: Table) -> str:
    columns = list(dict.fromkeys(name for values in rows.values() for name in values))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{values[c]:.3f}" if c in values else "" for c in columns) + " |")
    return "\n".join(lines)


def _rows(values: Mapping[str, Any], head: tuple[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {value} |" for name, value in values.items())]
    return "\n".join(lines)
