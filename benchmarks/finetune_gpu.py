"""QLoRA on Phi-3-mini's true shape, one call on one GPU: tokens per second, memory, time to the first step, all in one run.

    python benchmarks/finetune_gpu.py --rows ROWS.json.xz --out FIGURES.json --variants trl_sft_packing,overhead

Needs a CUDA GPU and bitsandbytes (one variant trl and datasets too), no network: the 3.8B parameters are random, so speed and
memory mean something and losses do not. ``ROWS.json.xz`` comes from benchmarks/finetune_rows.py (lengths of MedQuAD's rows;
their content is random here). Each variant trains some steps; the first ones, with compilation, are not timed. The reference
and the 12 GB recipe always run, first. A variant that fails becomes null with its reason, and figures are written after each.
``--tiny`` runs everything on a CPU with a toy shape, to see that it runs.
"""

import argparse
import importlib.util
import json
import lzma
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.finetune_bench import Bench
from benchmarks.finetune_variants import ALWAYS, VARIANTS
from medqa.environment import prepare


def chosen_variants(text: str) -> list[str]:
    """The names in ``text``, between commas, with those that always run, in the order of ``VARIANTS``."""
    names = {name.strip() for name in text.split(",") if name.strip()} | set(ALWAYS)
    unknown = sorted(names - VARIANTS.keys())
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    return [name for name in VARIANTS if name in names]


def nothing(reason: str) -> dict[str, Any]:
    """The figures of a variant that gave none."""
    return {"tokens_per_s": None, "reason": reason}


def attempt(variant: Callable[[Bench], dict[str, Any]], bench: Bench) -> dict[str, Any]:
    """The figures of ``variant``, or why there are none: one variant's failure is a result, and the others go on."""
    try:
        return variant(bench)
    except Exception as error:
        return nothing(f"{type(error).__name__}: {' '.join(str(error).split())[:400]}")


def table(found: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Lines of RESULTS.md's table; ratios are to the reference of the same run."""
    base = found[ALWAYS[0]].get("tokens_per_s")
    lines = []
    for name in names:
        rate = found[name].get("tokens_per_s")
        ratio = f"{rate / base:.2f}" if base and rate else "null"
        lines.append(
            f"| {name} | {rate} | {ratio} | {found[name].get('peak_gib')} | {found[name].get('first_step_s')} |"
        )
    return lines


def software(tiny: bool) -> dict[str, Any]:
    """What the figures were made with."""
    import torch
    import transformers

    return {
        "card": "CPU" if tiny else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bitsandbytes": importlib.util.find_spec("bitsandbytes") is not None,
    }


def main() -> None:
    """Run the variants and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=chosen_variants, default=list(VARIANTS), help="names between commas")
    parser.add_argument(
        "--budget", type=float, default=420, metavar="SECONDS", help="no variant begins later than this"
    )
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    began = time.perf_counter()
    prepare(offline=True)
    lengths = json.loads(lzma.decompress(chosen.rows.read_bytes()))["lengths"]
    found = software(chosen.tiny) | {"mean_length": round(sum(map(sum, lengths)) / len(lengths), 1)}
    found |= {name: nothing("the run ended before") for name in chosen.variants}
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(lengths, chosen.tiny, Path(work))
        for name in chosen.variants:
            late = time.perf_counter() - began > chosen.budget
            found[name] = nothing("no time left") if late else attempt(VARIANTS[name], bench)
            chosen.out.write_text(json.dumps(found, indent=1))
            print(f"{time.perf_counter() - began:6.0f} s  {name}: {json.dumps(found[name])}", flush=True)
    print("\n".join(table(found, chosen.variants)))


if __name__ == "__main__":
    main()
