"""How long does it take to score 2,000 predictions with every offline measure, and are the numbers the same twice?

    python benchmarks/eval_scoring.py --corpus runs/medquad/corpus [--predictions 2000] [--no-encoder] [--twice]

The predictions are made from MedQuAD itself: two to six sentences, half from the reference's own answer and half from another
one, each with a marker, checked against three passages as the pipeline does, a tenth of them refusals. So their text is
about as long as a model's (some 80 words) and their references are MedQuAD's (median 138 words, up to 4,281). They are
of four systems over the same questions.

Prints one JSON object: wall-clock and processor seconds per part. Wall-clock includes whatever else the machine does; with
``OMP_NUM_THREADS=2`` all but the encoder uses one core; with ``OMP_NUM_THREADS=1`` processor seconds are what the work costs,
without the threads' waiting for each other.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from eval.effects import effects
from eval.grounding import grounding_scores
from eval.groups import FACTORS
from eval.health.agreement import f1
from eval.health.negation import contradicted_share
from eval.health.quantities import numbers, quantities
from eval.health.readability import grade
from eval.health.terms import find_conditions, find_drugs, find_genes
from eval.rouge import rouge_scores
from eval.rows import ask_about, make_row
from eval.score import score_rows, tools_for
from eval.set_measures import set_measures
from eval.similarity import similarities
from ingest.corpus import read_corpus
from medqa.environment import prepare
from medqa.records import Answer, Hit, Passage, QAPair
from rag.citations import verify
from rag.prompt import REFUSAL
from retrieval.encoder import EMBEDDED, load_encoder
from retrieval.sentences import split_sentences

LIMIT_S = 90
"""The most that 2,000 predictions may take on two cores."""
SYSTEMS = 4
"""Systems that answer the same questions: references are shared, as in every run."""
SUPPORT = 0.6
RESAMPLES = 2000


def passage_of(pair: QAPair) -> Passage:
    """The first sentences of an answer, about as long as an index's passages."""
    text = " ".join(pair.answer.split())
    spans = split_sentences(text)[:8]
    return Passage(f"{pair.id}:0", pair.id, text[: spans[-1][1]], tuple(spans), title=pair.topic)


def predict(pair: QAPair, pairs: Sequence[QAPair], variant: str, rng: random.Random) -> Answer:
    """A made-up answer of a variant, verified as the pipeline does."""
    shown = [passage_of(p) for p in (pair, *rng.sample(pairs, 2))]
    if rng.random() < 0.1:
        return Answer(pair.question, REFUSAL, variant, abstained=True)  # type: ignore[arg-type]
    parts = []
    for _ in range(rng.randint(2, 6)):
        place = rng.choice([0, 0, 1, 2])
        start, end = rng.choice(shown[place].sentences)
        parts.append(f"{shown[place].text[start:end]} [{place + 1}]")
    checked = verify(" ".join(parts), shown, SUPPORT)
    cited = {c.marker for c in checked.citations}
    return Answer(
        pair.question, checked.text, variant,  # type: ignore[arg-type]
        citations=checked.citations, unsupported=checked.unsupported,
        uncited=tuple(Hit(p, 0.5) for n, p in enumerate(shown, start=1) if n not in cited),
    )  # fmt: skip


def timed(parts: dict[str, Any], name: str, work: Callable[[], Any]) -> Any:
    """Run ``work`` and note its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    parts[name] = {"wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(time.process_time() - cpu, 2)}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="a corpus folder, best MedQuAD's")
    parser.add_argument("--predictions", type=int, default=2000)
    parser.add_argument("--no-encoder", action="store_true", help="leave out embedding similarity")
    parser.add_argument("--twice", action="store_true", help="score again and compare every number")
    args = parser.parse_args()
    prepare(offline=True)
    if not args.corpus.exists():
        print(f"skipped: no corpus at {args.corpus}")
        return

    corpus = read_corpus(args.corpus)
    rng = random.Random(0)
    pairs = [p for p in corpus.pairs if p.answer.strip()]
    asked = ask_about(rng.sample(pairs, args.predictions // SYSTEMS), pairs)
    systems = [f"system {n}" for n in range(1, SYSTEMS + 1)]
    by_system = {
        name: [
            make_row("open-book", name, a, predict(a.pair, pairs, "tuned+rag", rng), [a.pair.id], [a.pair.id])
            for a in asked
        ]
        for name in systems
    }
    encoder = None if args.no_encoder else load_encoder(EMBEDDED, 32)
    total: dict[str, Any] = {}
    tools = timed(total, "term list of the corpus", lambda: tools_for(pairs, encoder, None, SUPPORT))
    rows = [row for part in by_system.values() for row in part]
    answers, references = [r["answer"] for r in rows], [r["reference"] for r in rows]
    if tools.encoder is not None:  # embedded here, remembered below
        embedder = tools.encoder
        timed(total, "embedding", lambda: similarities(answers, references, embedder))
    figures = timed(
        total,
        "everything else, and the intervals",
        lambda: [score_rows(part, RESAMPLES, 0, tools) for part in by_system.values()],
    )
    contrast = {"one - another": {systems[0]: 1.0, systems[1]: -1.0}}
    timed(total, "one contrast, four factors", lambda: effects(by_system, contrast, RESAMPLES, 0, FACTORS))

    both = [*answers, *references]
    parts: dict[str, Any] = {}
    timed(parts, "ROUGE", lambda: rouge_scores(answers, references))
    timed(parts, "BLEU, chrF", lambda: set_measures(rows))
    timed(parts, "grounding", lambda: [grounding_scores(r, SUPPORT) for r in rows])
    timed(parts, "terms", lambda: [f(t, tools.terms) for f in (find_conditions, find_drugs, find_genes) for t in both])
    timed(parts, "numbers and quantities", lambda: [f1(f(t), f(t)) for f in (numbers, quantities) for t in both])
    timed(parts, "negation", lambda: [contradicted_share(a, r) for a, r in zip(answers, references, strict=True)])
    timed(parts, "reading grade", lambda: [grade(a) for a in answers])

    seconds = sum(
        total[name]["wall_s"] for name in total if name in ("embedding", "everything else, and the intervals")
    )
    report: dict[str, Any] = {
        "predictions": len(rows),
        "words per answer": round(sum(len(a.split()) for a in answers) / len(answers)),
        "words per reference": round(sum(len(r.split()) for r in references) / len(references)),
        "scoring_s": round(seconds, 1),
        "seconds": total,
        "share of the limit": round(seconds / LIMIT_S, 2),
        "parts": parts,
        "rougeL": [f["metrics"]["rougeL"]["mean"] for f in figures],
    }
    if args.twice:
        first = [row.pop("scores") for row in rows]
        again = [score_rows(part, RESAMPLES, 0, tools) for part in by_system.values()]
        report["the same numbers twice"] = again == figures and [row["scores"] for row in rows] == first
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
