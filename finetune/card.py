"""What a reader of the adapter's folder sees first: the model card and the training curve."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CURVE = "training_curve.png"


def model_card(base: str, facts: Mapping[str, Any], settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """README.md of an adapter: how to load it, its figures, what it was trained on; all numbers come from the run."""
    return f"""---
base_model: {base}
library_name: peft
pipeline_tag: text-generation
tags: [lora, medical-question-answering]
---

# Adapter for {base}

LoRA matrices that teach `{base}` to answer health questions from numbered sources with `[n]` after each sentence, and to say
so when the sources hold no answer. Not a medical device: it can be wrong, and it is no substitute for professional advice.

Load it with stock peft:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained("{base}")
model = PeftModel.from_pretrained(base, "path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")  # with the chat template it was trained with
```

## Figures

{_table(_rows(facts))}

Loss is in nats per supervised token (answer and `<|end|>` only), on validation examples that share no topic with training.
By step: `trainer_state.json`{f", `{CURVE}`" if facts.get("curve") else ""}.

## Trained on

{_table([(name, f"`{value}`") for name, value in inputs.items()])}

Only pairs of the train split, and passages of these pairs; the hashes are SHA-256.

## Settings

{_table(list(settings.items()))}
"""


def save_curve(history: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Training and validation loss by step as a PNG. False, and no file, where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)  # no pyplot: it would choose a window system and keep global state
    axes = figure.add_subplot(xlabel="optimiser step", ylabel="loss (nats per supervised token)")
    for key, label, style in (("loss", "train", "-"), ("eval_loss", "validation", "o-")):
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)
    return True


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    counts = ", ".join(f"{kind} {n}" for kind, n in facts["examples"]["by_kind"].items())
    return [
        ("validation loss before", _number(facts["base_eval_loss"])),
        (
            "validation loss, best",
            f"{_number(facts['best_eval_loss'])} at step {facts['best_step']} of {facts['steps']}",
        ),
        ("training examples", f"{facts['examples']['train']} ({counts})"),
        ("validation examples", facts["examples"]["validation"]),
        ("tokens per epoch, supervised", f"{facts['examples']['tokens']}, {facts['examples']['supervised']}"),
        ("trainable parameters", f"{facts['trainable']} in {facts['modules']} modules"),
        ("speed", f"{_number(facts['tokens_per_second'])} tokens per second on {facts['compute']}"),
    ]


def _table(rows: Sequence[tuple[str, Any]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"
