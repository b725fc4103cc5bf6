"""How long does it take to score 2,000 predictions with every offline measure, and are the numbers the same twice?

    python benchmarks/eval_scoring.py --corpus runs/medquad/corpus [--predictions 2000] [--no-encoder] [--twice]

The predictions are made from MedQuAD itself: two to six sentences, half from the reference's own answer and half from another
one, each with a marker, checked against three passages as the pipeline does, a tenth of them refusals. So their text is
about as long as a model's (some 80 words) and their references are MedQuAD's (median 138 words, up to 4,281).

Prints one JSON object: wall-clock and processor seconds per part. Wall-clock includes whatever else the machine does; with
``OMP_NUM_THREADS=2`` all but the encoder uses one core.
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

from eval.effects import default_contrasts, effects
from eval.grounding import grounding_scores
from eval.groups import FACTORS
from eval.health.agreement import f1
from eval.health.negation import contradicted_share
from eval.health.quantities import numbers, quantities
from eval.health.readability import grade
from eval.health.terms import find_conditions, find_drugs, find_genes, term_list
from eval.rows import ask_about, make_row
from eval.score import NO_TOOLS, Tools, score_rows
from eval.set_measures import set_measures
from eval.similarity import similarities
from eval.text_metrics import rouge_scores
from ingest.corpus import read_corpus
from medqa.environment import prepare
from medqa.records import Answer, Passage, QAPair
from rag.citations import verify
from rag.prompt import REFUSAL
from retrieval.encoder import EMBEDDED, load_encoder
from retrieval.sentences import split_sentences

LIMIT_S = 90
"""The most that 2,000 predictions may take on two cores."""
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
    return Answer(
        pair.question, checked.text, variant,  # type: ignore[arg-type]
        citations=checked.citations, unsupported=checked.unsupported,
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
    asked = ask_about(rng.sample(pairs, args.predictions), pairs)
    by_variant = {
        variant: [
            make_row("open-book", variant, a, predict(a.pair, pairs, variant, rng), [a.pair.id], [a.pair.id])
            for a in asked
        ]
        for variant in ("plain+rag", "tuned+rag")
    }
    rows = by_variant["tuned+rag"]
    encoder = None if args.no_encoder else load_encoder(EMBEDDED, 32)
    once: dict[str, Any] = {}
    terms = timed(once, "term list of the corpus", lambda: term_list(pairs))
    tools = Tools(terms=terms, encoder=encoder, support=SUPPORT)

    total: dict[str, Any] = {}
    figures = timed(total, "all measures and their intervals", lambda: score_rows(rows, RESAMPLES, 0, tools))
    score_rows(by_variant["plain+rag"], RESAMPLES, 0, NO_TOOLS)
    contrasts = default_contrasts(list(by_variant))
    timed(total, "effects of one contrast, four factors", lambda: effects(by_variant, contrasts, RESAMPLES, 0, FACTORS))

    answers, references = [r["answer"] for r in rows], [r["reference"] for r in rows]
    both = [*answers, *references]
    parts: dict[str, Any] = {}
    timed(parts, "ROUGE", lambda: rouge_scores(answers, references))
    timed(parts, "BLEU, chrF", lambda: set_measures(rows))
    timed(parts, "grounding", lambda: [grounding_scores(r, SUPPORT) for r in rows])
    timed(parts, "terms", lambda: [f(t, terms) for f in (find_conditions, find_drugs, find_genes) for t in both])
    timed(parts, "numbers and quantities", lambda: [f1(f(t), f(t)) for f in (numbers, quantities) for t in both])
    timed(parts, "negation", lambda: [contradicted_share(a, r) for a, r in zip(answers, references, strict=True)])
    timed(parts, "reading grade", lambda: [grade(a) for a in answers])
    if encoder is not None:
        timed(parts, "embedding similarity", lambda: similarities(answers, references, encoder))

    seconds = total["all measures and their intervals"]["wall_s"]
    report: dict[str, Any] = {
        "predictions": len(rows),
        "words per answer": round(sum(len(a.split()) for a in answers) / len(answers)),
        "words per reference": round(sum(len(r.split()) for r in references) / len(references)),
        "seconds": total | once,
        "share of the limit": round(seconds / LIMIT_S, 2),
        "parts": parts,
        "rougeL": figures["metrics"]["rougeL"]["mean"],
    }
    if args.twice:
        again = [{k: v for k, v in row.items() if k not in ("scores", "score_reasons")} for row in rows]
        same = score_rows(again, RESAMPLES, 0, tools) == figures and [r["scores"] for r in again] == [
            r["scores"] for r in rows
        ]
        report["the same numbers twice"] = same
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
