"""The recipe's own reading tasks as fine-tuning examples: rehearsed beside a corpus', they are not unlearned.

    python -m models.recipe.rehearsal --texts modules.jsonl.xz --examples 39000 --out rehearsal.jsonl

The file is what ``finetune.rehearsal`` names. A model that goes on learning from one corpus alone comes to expect sources and
answers that look like that corpus' (catastrophic forgetting; rehearsal: Robins 1995, "Catastrophic forgetting, rehearsal and
pseudorehearsal", Connection Science 7).
"""

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

from finetune.examples import Example, Kind
from finetune.jsonl import write_examples
from models.recipe.corpus import build_library
from models.recipe.examples import Example as Task
from models.recipe.library import Library
from models.recipe.mix import make_example
from models.recipe.phases import PHASES
from rag.prompt import REFUSAL

_BRACKETED = re.compile(r"\[\d+\]")

PHASE = "talk"
"""The last phase: what the shipped weights were trained on at the end."""


def rehearsal(library: Library, n: int, seed: int) -> Iterator[Example]:
    """``n`` tasks of ``PHASE`` that show sources; of a conversation its last question, which names what it asks about.

    Draw ``i`` depends on ``seed`` and ``i`` alone. Passed over are tasks without sources, of which a corpus has its own, and
    those that quote a bracketed number of the text ("In [1980]"): fine-tuning takes one for a marker.
    """
    made = drawn = 0
    while made < n:
        task = make_example(random.Random(f"rehearsal/{seed}/{drawn}"), library, PHASES[PHASE])
        if task.sources and not any(_BRACKETED.search(text) for _, text in task.quotes):
            yield as_example(task, f"rehearsal-{seed}-{drawn}")
            made += 1
        drawn += 1


def as_example(task: Task, name: str) -> Example:
    """``task`` as fine-tuning sees it."""
    kind: Kind = "refusal" if task.answer == REFUSAL else "grounded"
    return Example(
        name, task.question, task.sources, task.answer, kind, "train", source_pairs=("",) * len(task.sources)
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="the textbook modules")
    parser.add_argument("--examples", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    write_examples(args.out, rehearsal(build_library(args.texts), args.examples, args.seed))


if __name__ == "__main__":
    main()
