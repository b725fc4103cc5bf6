"""``medqa finetune merge``: settings become plain arguments here, and nowhere below."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.inputs import load_corpus, load_examples
from finetune.masking import Encoded, encode_all
from finetune.merge import Form, load_adapted, load_form, merge_weights, save_merged
from finetune.parity import Parity, gate, measure_parity
from finetune.row_scores import RowScore, score_rows
from medqa.adapter import WEIGHTS, AdapterFacts, check_adapter, read_adapter
from medqa.base_model import base_fingerprint, load_tokenizer, resolve_model
from medqa.errors import MedqaError
from medqa.files import sha256_file, staged_folder
from medqa.hardware import pick_device, pick_dtype
from medqa.manifest import write_manifest
from medqa.paths import locate
from medqa.processes import refuse_several, say
from medqa.settings import Settings

KIND = "merged model"
DISTRACTOR_PAIRS = 200
"""Train pairs that lend distractors to the validation rows: enough for varied ones, and embedded in seconds."""


def merge(settings: Settings, adapter: Path, out: Path) -> dict[str, Any]:
    """Write the base model with ``adapter`` merged in to ``out``, once validation rows have shown that it is the same model.

    The reference is base plus adapter on the base precision that it was trained on and will be served in
    (``merge.serve``): NF4 if either is, else the serving precision.

    Raises:
        MedqaError: no adapter or base model there, they do not belong together, or no validation rows.
        GateFailed: the merged model differs beyond ``merge.max_loss_difference`` or ``merge.min_agreement``; nothing is
            written.
    """
    refuse_several("medqa finetune merge")
    ms = settings.merge
    adapter = locate(adapter)
    facts = read_adapter(adapter)
    named = "model" in settings.generator.model_fields_set  # a base given by hand wins; it must still be the right one
    folder = resolve_model(settings.generator.model if named else facts.base, settings.offline)
    check_adapter(adapter, folder)
    tokenizer = load_tokenizer(adapter if (adapter / "tokenizer_config.json").is_file() else folder)
    served = serving_form(ms.serve, pick_device(settings.generator.device))
    reference_form = Form(served.dtype, "nf4" if "nf4" in (facts.quantize, served.quantize) else "none", served.device)
    dequantised = facts.quantize == "nf4" if ms.weights == "trained" else ms.weights == "dequantised"
    rows = validation_rows(settings, tokenizer, ms.rows)
    say(f"comparing on {len(rows)} validation rows; reference: {facts.base} in {reference_form} plus the adapter")

    reference = _score_adapted(folder, adapter, reference_form, rows)
    merged = merge_weights(folder, adapter, served, dequantised)
    with staged_folder(out) as stage:
        save_merged(stage, merged, tokenizer, folder)
        del merged  # the check below loads what was written, as a server would
        parity = measure_parity(reference, score_rows(load_form(stage, served), rows, "merged"))
        gate(
            parity,
            ms.max_loss_difference,
            ms.min_agreement,
            f"{reference_form} plus adapter",
            _remedy(ms.weights, facts),
        )
        recipe = {"serve": str(served), "dequantised": dequantised, "reference": str(reference_form)}
        inputs = {"base": base_fingerprint(folder), "adapter": sha256_file(adapter / WEIGHTS)}
        figures = {"fingerprint": base_fingerprint(stage), "parity": parity.as_dict()}
        write_manifest(stage, KIND, inputs, recipe, figures)
    return _summary(out, recipe, parity)


def serving_form(serve: str, device: str) -> Form:
    """``merge.serve`` on ``device``: ``auto`` is the fastest precision it computes in, ``nf4`` that with weights in 4 bits."""
    if serve == "nf4":
        return Form(pick_dtype(device), "nf4", device)
    return Form(pick_dtype(device) if serve == "auto" else serve, "none", device)


def validation_rows(settings: Settings, tokenizer: Any, limit: int) -> list[Encoded]:
    """At most ``limit`` encoded validation examples, closed-book, grounded and refusal in the recipe's shares.

    Raises:
        MedqaError: neither a corpus nor examples to take them from.
    """
    finetune = settings.finetune.model_copy(update={"eval_examples": limit})
    wanted = settings.model_copy(update={"finetune": finetune})
    corpus = load_corpus(wanted)
    _, examples = load_examples(wanted, corpus, DISTRACTOR_PAIRS)
    rows = encode_all(tokenizer, examples, finetune.max_length).rows
    if not rows:
        raise MedqaError("wanted validation rows to compare on, found none; give --config with the adapter's corpus")
    return list(rows)


def _score_adapted(folder: Path, adapter: Path, form: Form, rows: Sequence[Encoded]) -> list[RowScore]:
    """Scores of base plus adapter; the model is gone from memory when this returns."""
    return score_rows(load_adapted(load_form(folder, form), adapter), rows, "base plus adapter")


def _remedy(weights: str, facts: AdapterFacts) -> str:
    if weights == "original" and facts.quantize == "nf4":
        return "set merge.weights=trained, which merges into the 4-bit values that the adapter was trained on"
    return "serve the adapter unmerged, or another precision (merge.serve)"


def _summary(out: Path, recipe: dict[str, Any], parity: Parity) -> dict[str, Any]:
    return {"model": str(out), **recipe, **parity.as_dict()}
