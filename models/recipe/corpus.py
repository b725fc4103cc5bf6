"""What training draws on: the modules that are not held out, their words, the forms; and the tokenizer made from them.

    python -m models.recipe.corpus --texts modules.jsonl.xz --out models/phi3-nano

trains the tokenizer (seconds, no GPU). It comes before ``models.recipe.train``.
"""

import argparse
import random
from pathlib import Path
from typing import Any

from models.recipe.articles import read_articles
from models.recipe.grammar import training_grammar
from models.recipe.library import Library
from models.recipe.mix import make_example
from models.recipe.phases import PHASES
from models.recipe.prose import build_lexicon, read_modules, running_text, training_modules
from models.recipe.tokenizer import save_tokenizer, train_tokenizer

TOKENIZER_EXAMPLES = 3000


def build_library(texts: Path) -> Library:
    """Training modules, their words, the forms and the articles."""
    modules = list(training_modules(read_modules(texts)))
    return Library(modules, build_lexicon(modules), training_grammar(), read_articles())


def build_tokenizer(library: Library, seed: int) -> Any:
    """Trained on the prose and on some examples of the mix."""
    rngs = (random.Random(f"tokenizer/{seed}/{i}") for i in range(TOKENIZER_EXAMPLES))
    examples = (make_example(rng, library, PHASES["wide"]) for rng in rngs)
    tasks = [f"{e.messages[-1]['content']} {e.answer}" for e in examples]
    return train_tokenizer([*(running_text(m) for m in library.modules), *tasks])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    save_tokenizer(build_tokenizer(build_library(args.texts), args.seed), args.out)


if __name__ == "__main__":
    main()
