"""Fold an adapter into its base model, and prove that the merged model still is the adapted one.

Merging rounds ``W + BA`` to the precision that serves, so it is never exact: the gate says how far it may be off. The
result is an ordinary transformers folder.
"""

import os
import sys
from pathlib import Path
from typing import Any

from medqa.adapter import KIND, MAKE, check_adapter
from medqa.base_model import base_fingerprint, load_tokenizer, resolve_model
from medqa.errors import GateFailed
from medqa.files import staged_folder
from medqa.hardware import pick_device, pick_dtype
from medqa.manifest import read_manifest, write_manifest
from medqa.paths import locate
from rag.prompt import Source, messages_for, render

MAX_LOSS_DIFFERENCE = 0.02
"""Nats per token on the prompts below: about the spread between two evaluations of one model in bf16 with other batches."""
MIN_AGREEMENT = 0.9
"""Share of positions whose most likely token is the same: bf16 turns near-ties, and nothing else, around."""

_PROMPTS: tuple[tuple[str, tuple[Source, ...] | None, str], ...] = (
    (
        "What is a sprain?",
        (
            Source("A sprain is a stretched or torn ligament. Ankles are sprained most often.", "Sprain"),
            Source("Ice and rest bring the swelling down.", "Swelling"),
        ),
        "A sprain is a stretched or torn ligament. [1] Ankles are sprained most often. [1]",
    ),
    (
        "How is hay fever treated?",
        (
            Source("A cold is caused by a virus.", "Common cold"),
            Source("Hay fever is treated with antihistamines and nasal sprays.", "Hay fever"),
        ),
        "Hay fever is treated with antihistamines and nasal sprays. [2]",
    ),
    ("What are the symptoms of dehydration?", None, "Thirst, dark urine, tiredness and dizziness are common."),
)


def merge(adapter: Path, out: Path) -> dict[str, Any]:
    """Write the base model with ``adapter`` merged in to ``out``, in the precision this machine serves in.

    Raises:
        MedqaError: no adapter there, or its base model is not.
        GateFailed: the merged model differs from base plus adapter beyond the bounds above; nothing is written.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = locate(adapter)
    made_on = read_manifest(adapter, KIND, MAKE)["base"]
    folder = resolve_model(made_on["name"], offline=False)
    check_adapter(adapter, folder)
    tokenizer = load_tokenizer(adapter)
    device = pick_device("auto")
    dtype = pick_dtype(device)

    def load(path: Path, kind: str) -> Any:
        return AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, kind), device_map={"": device}).eval()

    reference = _answers(PeftModel.from_pretrained(load(folder, dtype), str(adapter)).eval(), tokenizer)
    # Summed in fp32, rounded once.
    merged = (
        PeftModel.from_pretrained(load(folder, "float32"), str(adapter)).merge_and_unload().to(getattr(torch, dtype))
    )
    with staged_folder(out) as stage:
        merged.save_pretrained(stage)
        tokenizer.save_pretrained(stage)
        parity = compare(reference, _answers(load(stage, dtype), tokenizer))
        gate(parity)
        for file in stage.iterdir():
            os.chmod(file, 0o644)
        weights = {"base": made_on["fingerprint"], "adapter": read_manifest(adapter, KIND, MAKE)["key"]}
        write_manifest(
            stage, "merged model", weights, {"dtype": dtype}, {"fingerprint": base_fingerprint(stage), **parity}
        )
    print(f"merged in {dtype}: {parity}", file=sys.stderr, flush=True)
    return {"model": str(out), "dtype": dtype, **parity}


def compare(reference: list[tuple[float, list[int]]], merged: list[tuple[float, list[int]]]) -> dict[str, float]:
    """Largest loss difference and share of equal greedy tokens between two models' ``(loss, greedy ids)`` per prompt."""
    pairs = list(zip(reference, merged, strict=True))
    same = [a == b for (_, left), (_, right) in pairs for a, b in zip(left, right, strict=True)]
    return {
        "loss_difference": round(max(abs(a - b) for (a, _), (b, _) in pairs), 6),
        "greedy_agreement": round(sum(same) / len(same), 4),
    }


def gate(parity: dict[str, float]) -> None:
    """Raise GateFailed where ``compare``'s figures are beyond the bounds."""
    if parity["loss_difference"] > MAX_LOSS_DIFFERENCE or parity["greedy_agreement"] < MIN_AGREEMENT:
        raise GateFailed(
            f"wanted the merged model within {MAX_LOSS_DIFFERENCE} nats and {MIN_AGREEMENT:.0%} equal tokens of base plus "
            f"adapter, found {parity['loss_difference']} and {parity['greedy_agreement']:.0%}; serve the adapter unmerged"
        )


def _answers(model: Any, tokenizer: Any) -> list[tuple[float, list[int]]]:
    """Loss of the fixed answers and the most likely token at each of their positions, per prompt."""
    import torch

    found = []
    for question, sources, answer in _PROMPTS:
        prompt = render(tokenizer, messages_for(question, sources))
        target = tokenizer(answer, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([prompt + target], device=model.device)
        with torch.inference_mode():
            logits = (
                model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
            )  # (answer, vocabulary)
        loss = torch.nn.functional.cross_entropy(logits, ids[0, len(prompt) :])
        found.append((float(loss), logits.argmax(-1).tolist()))
    return found
