"""What helps the embedded model on MedQuAD: mix of data, packing, order of rows; every cell our own training run, on one GPU.

    medqa finetune generator --config configs/nano-medquad.yaml --export medquad-examples.jsonl       (once, on any machine)
    python benchmarks/finetune_nano.py --examples medquad-examples.jsonl --out NANO.json

Every cell trains by configs/nano-medquad.yaml for one pass over rows drawn with its seed until they hold ``--supervised``
tokens with loss; cells of one seed and mix see the same rows. A finished cell is written at once, and the same command goes
on where it was stopped; ``--budget 0`` only prints the tables. Cells run side by side, as one of them keeps a GPU waiting;
the speeds come last and alone. ``--tiny`` runs everything on a CPU with a few rows, to see that it runs.
"""

import argparse
import json
import lzma
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.finetune_nano_cell import Cell, Setup, Variant, run_cell
from benchmarks.finetune_nano_tables import tables
from medqa.environment import prepare
from medqa.files import write_atomically
from medqa.paths import PROJECT

VARIANTS = {
    "mixed": Variant("mixed", "dynamic", "random"),
    "closed_book": Variant("closed_book", "dynamic", "random"),
    "grounded": Variant("grounded", "dynamic", "random"),
    "easy_first": Variant("mixed", "dynamic", "easy_first"),
    "short_first": Variant("mixed", "dynamic", "short_first"),
    "by_length": Variant("mixed", "dynamic", "length"),
    "packed": Variant("mixed", "packed", "random"),
    "padded": Variant("mixed", "padded", "random"),
}
SPEED = {name: VARIANTS[name] for name in ("padded", "mixed", "by_length", "packed")}
SPEED["packed_compiled"] = Variant("mixed", "packed", "random", compiled=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many cells run at once (0: one, in this process) and when the last one may begin."""

    workers: int
    budget: float
    began: float

    def allows(self, seconds: float) -> bool:
        """Whether a cell of ``seconds`` would end within the budget."""
        return time.perf_counter() - self.began + seconds < self.budget


def all_cells(seeds: int) -> list[Cell]:
    """The cells of all seeds, whole seeds first, so that a budget that ends early leaves pairs to compare."""
    return [Cell(name, variant, seed) for seed in range(seeds) for name, variant in VARIANTS.items()]


def speed_cells(device: str) -> list[Cell]:
    """Short runs of seed 0 whose losses nobody needs; the recipe compiles for CUDA alone."""
    chosen = {k: v for k, v in SPEED.items() if device == "cuda" or not v.compiled}
    return [Cell(name, variant, 0, speed=True) for name, variant in chosen.items()]


def attempt(setup: Setup, cell: Cell) -> dict[str, Any]:
    """The cell's figures, or the reason why there are none: one cell's failure is a result, the others go on."""
    began = time.perf_counter()
    try:
        found = run_cell(setup, cell)
    except Exception as error:
        found = {"reason": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return found | {"wall_s": round(time.perf_counter() - began, 1)}


def run_cells(
    setup: Setup, cells: list[Cell], limits: Limits, at_once: int, pool: Any, note: Callable[[Cell, dict], None]
) -> None:
    """Run ``cells``, ``at_once`` of them side by side, and ``note`` each as it ends; none begins that the budget would cut."""
    waiting, running, longest = deque(cells), dict[Future, Cell](), 0.0
    while waiting or running:
        while waiting and len(running) < max(1, at_once) and limits.allows(longest):
            cell = waiting.popleft()
            running[pool(setup, cell)] = cell
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            found = future.result()
            longest = max(longest, found["wall_s"])
            note(running.pop(future), found)


def at_once_in_this_process(setup: Setup, cell: Cell) -> Future:
    """As a pool's ``submit`` of ``attempt``, without a pool."""
    future: Future = Future()
    future.set_result(attempt(setup, cell))
    return future


def load_results(path: Path, setup: Setup) -> dict[str, Any]:
    """What an earlier run of the same set-up found; a new one where there is none."""
    wanted = {k: v for k, v in asdict(setup).items() if k not in ("examples", "work", "model")}
    if not path.is_file():
        return {"setup": wanted, "cells": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found["setup"] != wanted:
        raise SystemExit(f"wanted results of {wanted} in {path}, found {found['setup']}; give another --out")
    return found


def machine(tiny: bool) -> dict[str, str]:
    """The card and the versions that decide the figures."""
    import torch
    import transformers

    card = "CPU" if tiny else torch.cuda.get_device_name()
    return {"card": card, "torch": torch.__version__, "transformers": transformers.__version__}


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=Path, required=True, help="JSONL of --export, also compressed (.xz)")
    parser.add_argument("--out", type=Path, required=True, help="JSON of all cells; an existing one is gone on with")
    parser.add_argument("--model", type=Path, default=PROJECT / "models/phi3-nano")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--supervised", type=int, default=700_000, help="tokens with loss in each cell")
    parser.add_argument("--workers", type=int, default=8, help="cells side by side; 0: one after the other, in here")
    parser.add_argument("--budget", type=float, default=420, help="seconds after which no cell begins")
    parser.add_argument("--no-speed", action="store_true", help="leave out the runs that are alone on the device")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args(given)


def make_setup(chosen: argparse.Namespace, work: Path) -> Setup:
    """The set-up of all cells, with the examples as plain text in ``work``."""
    text = chosen.examples.read_bytes()
    plain = work / "examples.jsonl"
    plain.write_bytes(lzma.decompress(text) if chosen.examples.suffix == ".xz" else text)
    paths = {"examples": plain, "work": work, "model": chosen.model}
    if chosen.tiny:
        return Setup(**paths, device="cpu", supervised=400, batch=4, max_length=256, validation=8, warmup=1)
    return Setup(
        **paths, device="cuda", supervised=chosen.supervised, batch=16, max_length=1280, validation=256, warmup=20
    )


def main(given: list[str] | None = None) -> None:
    """Run what is missing and print the tables."""
    chosen = arguments(given)
    limits = Limits(chosen.workers, chosen.budget, time.perf_counter())
    prepare(offline=True)
    with tempfile.TemporaryDirectory(prefix="finetune-nano-") as work:
        setup = make_setup(chosen, Path(work))
        found = load_results(chosen.out, setup)
        cells = found["cells"]

        def note(cell: Cell, figures: dict[str, Any]) -> None:
            cells[cell.key] = figures
            write_atomically(chosen.out, json.dumps(found, indent=1))
            shown = {k: v for k, v in figures.items() if k != "evals"}
            print(f"{time.perf_counter() - limits.began:6.0f} s  {cell.key}: {json.dumps(shown)}", flush=True)

        def missing(wanted: list[Cell]) -> list[Cell]:
            return [c for c in wanted if "reason" in cells.get(c.key, {"reason": "not run"})]

        if limits.budget > 0:
            found |= machine(chosen.tiny)
            with ProcessPoolExecutor(max(1, limits.workers), mp_context=get_context("spawn")) as executor:

                def submit(setup: Setup, cell: Cell) -> Future:
                    return executor.submit(attempt, setup, cell)

                pool = submit if limits.workers else at_once_in_this_process
                run_cells(setup, missing(all_cells(chosen.seeds)), limits, limits.workers, pool, note)
                if not chosen.no_speed:
                    run_cells(setup, missing(speed_cells(setup.device)), limits, 1, pool, note)
    print(tables(found))


if __name__ == "__main__":
    main()
