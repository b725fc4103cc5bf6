"""The QLoRA recipe on Phi-3-mini's true shape: does it run, how fast, in how much memory?

    python benchmarks/phi3_mini_shape.py --examples EXAMPLES.jsonl
    python benchmarks/phi3_mini_shape.py                             serving alone: what a guess of ten tokens costs to check

Needs a CUDA GPU, no network: the 3.8B parameters are random, so speed and memory mean something and answers do not. Trains a
few steps by ``configs/phi3-mini-qlora.yaml``, loads the adapter on the 4-bit base as serving does, and answers a question.
``EXAMPLES.jsonl`` comes from ``medqa finetune generator --export``. Prints one JSON line; it goes into RESULTS.md.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medqa.environment import prepare
from medqa.paths import PROJECT
from medqa.settings import GeneratorSettings

# microsoft/Phi-3-mini-4k-instruct's config.json.
SHAPE = {
    "vocab_size": 32_064,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "max_position_embeddings": 4096,
    "original_max_position_embeddings": 4096,
}
NANO = PROJECT / "models" / "phi3-nano"


def save_random_model(folder: Path) -> None:
    """A model of Phi-3-mini's shape with random bf16 weights, and the embedded model's tokenizer (its ids fit)."""
    import torch
    from transformers import AutoTokenizer, Phi3Config, Phi3ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(NANO)
    ids = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = Phi3ForCausalLM(Phi3Config(**SHAPE, **ids, tie_word_embeddings=False))
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder, max_shard_size="4GB")
    tokenizer.save_pretrained(folder)
    del model
    torch.cuda.empty_cache()


def pass_ms(model: Any, prompt: int, new: int, repeats: int = 30) -> float:
    """Milliseconds (median) of a forward pass over ``new`` tokens, one or a guess to check, after ``prompt`` tokens."""
    import torch

    ids = torch.randint(10, 8000, (1, prompt + new), device=model.device)
    times = []
    with torch.inference_mode():
        cache = model(input_ids=ids[:, :prompt], use_cache=True, logits_to_keep=1).past_key_values
        for _ in range(repeats):
            torch.cuda.synchronize()
            began = time.perf_counter()
            model(input_ids=ids[:, prompt:], past_key_values=cache, use_cache=True)
            torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - began))
            cache.crop(prompt)
    return statistics.median(times)


def serve(base: Path, adapter: Path | None) -> tuple[Any, dict[str, Any]]:
    """The 4-bit model as the chat loads it, and what a forward pass of one token and of a guess takes."""
    import torch

    from rag.generators import load_model

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    model = load_model(
        str(base), str(adapter) if adapter else None, quantize="nf4", device="cuda", max_new_tokens=64,
        prompt_tokens=1536, batch_size=1, offline=True,
    )  # fmt: skip
    loaded = time.perf_counter() - began
    guess = GeneratorSettings().lookup_tokens + 1  # and the token that follows whatever is accepted of it
    with model.opened() as (inner, _):
        passes = {str(n): round(pass_ms(inner, 800, n), 2) for n in (1, guess)}
    return model, {"serve_load_s": round(loaded, 1), "serve_ms_per_pass_of_tokens": passes}


def run(examples: Path, work: Path, steps: int) -> dict[str, Any]:
    """Train and answer; the figures."""
    import torch

    from finetune.command import train_generator
    from medqa.settings import load_settings

    base, adapter = work / "phi3-mini-random", work / "adapter"
    began = time.perf_counter()
    save_random_model(base)
    made = time.perf_counter() - began
    overrides = {
        "offline": True,
        "generator.model": base,
        "finetune.out": adapter,
        "finetune.examples": examples,
        "finetune.max_steps": steps,
        "finetune.eval_steps": steps,
        "finetune.eval_examples": 16,
        "finetune.warmup_steps": 2,
    }
    settings = load_settings(PROJECT / "configs/phi3-mini-qlora.yaml", [f"{k}={v}" for k, v in overrides.items()])
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    summary = train_generator(
        settings, None, limit=steps * settings.finetune.batch_size * settings.finetune.accumulation
    )
    trained = time.perf_counter() - began
    train_peak = torch.cuda.max_memory_allocated()
    model, figures = serve(base, adapter)
    began = time.perf_counter()
    draft = model.draft(["What is asthma?"], [None])[0]
    return {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "make_random_model_s": round(made, 1),
        "train_s_in_all": round(trained, 1),
        "train_tokens_per_s": summary["tokens_per_second"],
        "train_peak_gib": round(train_peak / 2**30, 2),
        "loss_before": summary["base_eval_loss"],
        "loss_after": summary["best_eval_loss"],
        **figures,
        "serve_peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "serve_tokens_per_s_batch_1": round(draft.new_tokens / (time.perf_counter() - began), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="QLoRA on Phi-3-mini's shape with random weights.")
    parser.add_argument("--examples", type=Path, help="to train on; without them only serving is measured")
    parser.add_argument("--steps", type=int, default=12)
    chosen = parser.parse_args()
    prepare(offline=True)
    folder = Path(tempfile.mkdtemp(prefix="phi3-mini-"))
    try:
        if chosen.examples:
            figures = run(chosen.examples, folder, chosen.steps)
        else:
            save_random_model(folder / "base")
            figures = serve(folder / "base", None)[1]
        print(json.dumps(figures))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
