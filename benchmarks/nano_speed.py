"""The part "speed" of benchmarks/nano.py: the embedded model's tokens a second, one question at a time."""

import csv
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medqa.paths import PROJECT
from medqa.records import Hit, Passage
from medqa.settings import GeneratorSettings
from rag.generators import LocalModel

ALONE = 40
"""Questions asked one at a time for their speed: some 4,000 tokens of answers."""
SHOWN = 3
NEW_TOKENS = 256


def speed(model: Any, tokenizer: Any, device: str, dtype: str, seconds: float, folders: Sequence[Path]) -> None:
    """Tokens a second at batch 1, load time, size on disk."""
    import torch

    ids = torch.tensor([(tokenizer("The patient was seen at the clinic. " * 100)["input_ids"])[:400]], device=device)

    def once(new: int) -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(input_ids=ids, min_new_tokens=new, max_new_tokens=new, do_sample=False)
        assert out.shape[1] == 400 + new
        return time.perf_counter() - started

    once(100)
    whole = statistics.median(once(100) for _ in range(5))
    first = statistics.median(once(1) for _ in range(5))
    print(
        f"{dtype} on {device}: prompt of 400 tokens in {first:.2f} s; {99 / (whole - first):.0f} new tokens/s after it,"
    )
    print(f"{100 / whole:.0f} with it (target 200 in bf16 on two cores); loaded in {seconds:.1f} s (target 2)")
    alone(model, tokenizer)
    size = sum(p.stat().st_size for folder in folders for p in folder.iterdir() if p.is_file())
    print(f"files {size / 1e6:.1f} MB (target 36)")


def alone(model: Any, tokenizer: Any) -> None:
    """Questions of the sample corpus one at a time, as chat asks them, with their answer and two others as sources."""
    with (PROJECT / "data/sample/health.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rng = random.Random(0)
    asked = rng.sample(rows, ALONE)
    hits = []
    for row in asked:
        shown = [row, *rng.sample([r for r in rows if r["topic"] != row["topic"]], SHOWN - 1)]
        rng.shuffle(shown)
        hits.append([Hit(Passage(r["id"], r["id"], r["answer"], (), title=r["topic"]), 1.0) for r in shown])
    said, rates = {}, {}
    for lookup_tokens in (0, GeneratorSettings().lookup_tokens):
        reader = LocalModel(
            model, tokenizer, max_new_tokens=NEW_TOKENS, prompt_tokens=1536, batch_size=1, tuned=True,
            lookup_tokens=lookup_tokens,
        )  # fmt: skip
        reader.draft([asked[0]["question"]], hits[:1])
        started = time.perf_counter()
        said[lookup_tokens] = [reader.draft([r["question"]], [h])[0] for r, h in zip(asked, hits, strict=True)]
        rates[lookup_tokens] = sum(d.new_tokens for d in said[lookup_tokens]) / (time.perf_counter() - started)
    (plain, slow), (guessed, fast) = zip(said.values(), rates.values(), strict=True)
    prompt = statistics.mean(d.prompt_tokens for d in plain)
    same = sum(a == b for a, b in zip(plain, guessed, strict=True))
    print(
        f"{ALONE} sample questions one at a time, prompts of {prompt:.0f} tokens included: {slow:.0f} tokens/s, looked up in"
    )
    print(f"the sources {fast:.0f} ({fast / slow:.1f} times as fast; {same} of {ALONE} answers the same; target 200)")
