"""The finished adapter: a plain PEFT folder that stock peft loads, with everything that made it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.card import CURVE, model_card, save_curve
from finetune.train import TrainOutcome
from medqa.adapter import CONFIG, KIND
from medqa.files import read_json, write_atomically, write_json
from medqa.manifest import write_manifest


def save_result(
    folder: Path,
    model: Any,
    tokenizer: Any,
    base: Mapping[str, str],
    outcome: TrainOutcome,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
    weights: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Fill ``folder`` (empty, staged) and return its manifest.

    Args:
        folder: where to write.
        model: the PEFT model with the best weights.
        tokenizer: saved beside them, with the chat template.
        base: ``name`` (portable) and ``fingerprint`` of the base model.
        outcome: of the run; its figures go into card and manifest.
        inputs: name -> hash of what it was made from.
        settings: what decides the content.
        facts: more figures for card and manifest (``finetune.command`` has the list).
        weights: the adapter's tensors where they are spread over processes and were gathered; None takes the model's.
    """
    # Looking for resized embeddings, peft would ask the hub for the base's configuration; ours are never resized.
    model.save_pretrained(folder, save_embedding_layers=False, state_dict=weights)
    config = read_json(folder / CONFIG)
    config["base_model_name_or_path"] = base["name"]
    write_json(folder / CONFIG, config)
    tokenizer.save_pretrained(folder)
    write_json(folder / "trainer_state.json", outcome.state)
    figures = {
        "base": dict(base),
        "base_eval_loss": outcome.base_eval_loss,
        "best_eval_loss": outcome.best_eval_loss,
        "best_step": outcome.best_step,
        "steps": outcome.step,
        "tokens_per_second": outcome.tokens_per_second,
        "train_seconds": outcome.seconds,
        "first_step_seconds": outcome.first_step_seconds,
        **facts,
        "curve": CURVE if save_curve(outcome.state["log_history"], folder / CURVE) else None,
    }
    write_atomically(folder / "README.md", model_card(base["name"], figures, settings, inputs))
    for file in folder.rglob("*"):
        os.chmod(file, 0o755 if file.is_dir() else 0o644)  # safetensors writes 0600, unreadable to a service account
    return write_manifest(folder, KIND, inputs, settings, figures)
