"""How much does a random split flatter? The same questions, once with the split by topic and once with a random one.

    python benchmarks/eval_leakage.py --config configs/nano-cpu.yaml --out runs/leakage

Both sides fine-tune an adapter on their own train split and answer the same questions over an index of it (held-out); all else
is equal. Prints the paired differences (random minus by topic) with 95 % intervals and writes them to ``OUT/leakage.md``.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from eval.command import run as evaluate
from eval.effects import effects
from eval.leakage import random_split
from eval.questions import pick_questions
from eval.report import interval
from eval.rows import by_cell
from eval.run import read_rows
from finetune.command import train_generator
from ingest.corpus import read_corpus, write_pairs
from medqa.environment import prepare
from medqa.files import write_atomically
from medqa.paths import locate
from medqa.records import SPLITS, QAPair
from medqa.settings import Settings, load_settings

METRICS = ("rouge1", "rougeL", "bleu", "refused", "refusal_right", "perplexity")
SIDES = ("topic", "random")


def main(config: Path, out: Path, overrides: list[str], questions: int) -> str:
    """Both sides, trained and asked; the table as Markdown."""
    settings = load_settings(locate(config), overrides)
    prepare(settings.offline)
    corpus = read_corpus(locate(settings.corpus))
    asked = pick_questions(corpus, "test", questions, settings.seed)
    splits = {
        "topic": list(corpus.pairs),
        "random": random_split(corpus.pairs, {p.id for p in asked}, settings.seed),
    }
    rows = {side: _side(side, pairs, asked, out, settings) for side, pairs in splits.items()}
    report = _table({side: by_cell(read_rows(folder / "predictions.jsonl")) for side, folder in rows.items()}, settings)
    write_atomically(out / "leakage.md", report)
    return report


def _side(side: str, pairs: list[QAPair], asked: list[QAPair], out: Path, settings: Settings) -> Path:
    """The run folder of one side. Only the questions asked stay in its test split, so that both sides ask the same ones."""
    ids = {p.id for p in asked}
    kept = [p for p in pairs if p.split != "test" or p.id in ids]
    file = out / side / "corpus.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        write_pairs(stream, [p for split in SPLITS for p in kept if p.split == split])
    # The bar is the same on both sides: what is measured is what stands behind it.
    threshold = -1.0 if settings.rag.threshold is None else settings.rag.threshold
    own = settings.model_copy(
        update={
            "corpus": str(file),
            "finetune": settings.finetune.model_copy(update={"out": str(out / side / "adapter")}),
            "generator": settings.generator.model_copy(update={"adapter": str(out / side / "adapter")}),
            "eval": settings.eval.model_copy(
                update={"out": str(out / side / "eval"), "indexes": ("held-out",), "language": True}
            ),
            "rag": settings.rag.model_copy(update={"threshold": threshold}),
        }
    )
    train_generator(own, None)
    evaluate(own)
    return out / side / "eval"


def _table(cells: dict[str, dict], settings: Settings) -> str:
    lines = [
        "Random split minus split by topic: the same questions, paired; 95 % intervals.",
        "",
        "| variant | " + " | ".join(METRICS) + " |",
        "|---" * (len(METRICS) + 1) + "|",
    ]
    for cell in cells["topic"]:
        pair = {side: cells[side][cell] for side in SIDES}
        found = effects(pair, {"leak": {"random": 1, "topic": -1}}, settings.eval.bootstrap, settings.seed)
        by_metric = {e.metric: {"mean": e.mean, "low": e.low, "high": e.high} for e in found}
        lines.append(f"| {cell[1]} | " + " | ".join(interval(by_metric[m], sign="+") for m in METRICS) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/nano-cpu.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/leakage"))
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    print(main(chosen.config, chosen.out, chosen.set, chosen.questions))
    sys.exit(0)
