"""Does the right passage come first? MedQuAD, synonyms, a published pool's size, consumers' questions; and how fast.

    python benchmarks/retrieval.py --corpus runs/medquad/corpus [--encoder FOLDER] [--reranker FOLDER]
        [--consumer ../shared/data/consumer-dev/questions.jsonl] [--parts medquad,consumer,...]
    python benchmarks/retrieval.py --corpus runs/medquad/corpus --index runs/medquad/index-topic [--encoder FOLDER]

The second form asks an index that ``medqa index build`` made: quality and latency of the product. A question never finds
itself: where the index's header holds the questions, they are asked in someone's words only (in frames never trained on).
Means carry 95 % bootstrap intervals. The quality parts need
neither faiss nor bm25s (without bm25s the lexical rows are null, with the reason) and use a GPU where there is one. Vectors
are kept in runs/benchmark-retrieval by encoder and text. Prints one JSON object; its figures go into RESULTS.md.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.retrieval_pool import Remembering, cut, embed, has_lexical, make_index, whole
from benchmarks.retrieval_sets import Asked, consumer_questions, in_own_words, pair_questions, small_pool, with_synonyms
from eval.bootstrap import bootstrap_mean
from ingest.corpus import read_corpus
from medqa.environment import prepare
from medqa.records import Passage, QAPair
from medqa.settings import RetrievalSettings
from retrieval.adapters import encoder_hash
from retrieval.aspects import Aspects, load_aspects
from retrieval.encoder import Encoder, load_encoder
from retrieval.index import Index
from retrieval.metrics import ndcg, recall, reciprocal_rank
from retrieval.ranking import Ranking
from retrieval.rerank import Reranker, load_reranker

DEPTH = 10
RESAMPLES = 2000
BATCH = 256
NO_BM25 = "bm25s is not installed here"
PARTS = ("medquad", "synonyms", "synonyms-in-header", "pool", "consumer", "latency")
Scores = dict[str, list[float]]
"""Measure -> one value per question."""


def rankings(
    reranker: Reranker | None, aspects: Aspects | None, weight: float | None, variety: float, rerank: int
) -> dict[str, Ranking | None]:
    """The rows of every table; None where it cannot be had."""
    hybrid = Ranking(lexical_weight="auto" if weight is None else weight, variety=variety)
    rows = {
        "dense": Ranking(lexical_weight=0.0),
        "bm25": Ranking(lexical_weight=1.0) if has_lexical else None,
        "hybrid": hybrid if has_lexical else None,
    }
    if aspects is not None:
        rows |= {
            f"{name}+aspects": None if rows[name] is None else replace(rows[name], aspects=aspects)
            for name in ("dense", "hybrid")
        }
    if reranker is not None:
        best = hybrid if has_lexical else rows["dense"]
        assert best is not None
        rows["hybrid+rerank" if has_lexical else "dense+rerank"] = replace(
            best, aspects=aspects, reranker=reranker, rerank=rerank
        )
    return rows


def score(index: Index, asked: Sequence[Asked], ranking: Ranking) -> Scores:
    """Every measure for every question, at pair level."""
    found: Scores = {f"nDCG@{DEPTH}": [], f"MRR@{DEPTH}": [], f"recall@{DEPTH}": [], "hit@1": []}
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        hits = index.search([a.question for a in batch], DEPTH, "pair", ranking=ranking)
        for one, ranked in zip(batch, hits, strict=True):
            grades = [one.grades.get(h.passage.pair_id, 0.0) for h in ranked]
            found[f"nDCG@{DEPTH}"].append(ndcg(grades, list(one.grades.values()), DEPTH))
            found[f"MRR@{DEPTH}"].append(reciprocal_rank(grades, DEPTH))
            found[f"recall@{DEPTH}"].append(recall(grades, len(one.grades), DEPTH))
            found["hit@1"].append(float(grades[:1] == [1.0]))
    return found


def score_judged(index: Index, asked: Sequence[Asked], ranking: Ranking) -> Scores:
    """Grade of the first answer (0 to 3) and nDCG (gain 2^grade - 1), each question among its own candidates.

    Questions without any useful answer have no nDCG and are left out of its mean; their first answer counts.
    """
    found: Scores = {"first": [], f"nDCG@{DEPTH}": []}
    for one in asked:
        [hits] = index.search(
            [one.question], DEPTH, "pair", ranking=ranking, exclude=lambda p, one=one: p.pair_id not in one.candidates
        )
        grades = [one.grades[h.passage.pair_id] for h in hits]
        found["first"].append(grades[0])
        if any(one.grades.values()):
            found[f"nDCG@{DEPTH}"].append(ndcg(grades, list(one.grades.values()), DEPTH))
    return found


def table(index: Index, asked: Sequence[Asked], rows: dict[str, Ranking | None], measure: Callable[..., Scores]) -> Any:
    """Scores per row; null with the reason where a row cannot be had."""
    return {name: NO_BM25 if ranking is None else measure(index, asked, ranking) for name, ranking in rows.items()}


def shown(scores: Any, seed: int) -> Any:
    """Means with intervals."""
    if isinstance(scores, str):
        return {"value": None, "reason": scores}
    result = {}
    for measure, values in scores.items():
        interval = bootstrap_mean(values, RESAMPLES, seed)
        result[measure] = [round(x, 4) for x in (interval.mean, interval.low, interval.high)]
    return result


def differences(rows: dict[str, Any], base: Scores, seed: int) -> dict[str, Any]:
    """Each row less ``base``, question by question, with the paired interval."""
    return {
        name: shown({m: [a - b for a, b in zip(scores[m], base[m], strict=True)] for m in base}, seed)
        for name, scores in rows.items()
        if not isinstance(scores, str)
    }


def consumer(
    file: Path, encoder: Encoder, stock: Encoder, rows: dict[str, Ranking | None], seed: int
) -> dict[str, Any]:
    """Judged candidates as the pool: our passages, beside the stock encoder on whole, truncated answers."""
    asked, answers = consumer_questions(file)
    base = score_judged(make_index(whole(answers), stock), asked, Ranking(lexical_weight=0.0))
    passages = cut(answers, "none", stock)
    stock_dense = score_judged(make_index(passages, stock), asked, Ranking(lexical_weight=0.0))
    found = table(make_index(cut(answers, "none", encoder), encoder), asked, rows, score_judged)
    return {
        "questions": len(asked),
        "best possible first": round(float(np.mean([max(a.grades.values()) for a in asked])), 4),
        "stock dense, whole answers truncated": shown(base, seed),
        "stock dense": shown(stock_dense, seed),
        "rows": {name: shown(scores, seed) for name, scores in found.items()},
        "less stock dense, whole answers truncated": differences(found, base, seed),
        "less stock dense": differences(found, stock_dense, seed),
    }


def latency(
    passages: Sequence[Passage], encoder: Encoder, asked: Sequence[Asked], rows: dict[str, Ranking | None]
) -> dict[str, Any]:
    """p50 and p95 of one question to ten passages in ms, and questions/s in batches of 100, with the stores of the product."""
    from retrieval.contents import Contents
    from retrieval.lexical import LexicalIndex
    from retrieval.vectors import ExactStore, write_vectors

    texts = [p.embedded_text for p in passages]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_vectors(folder, embed(encoder, texts))
        LexicalIndex.build(texts).save(folder / "bm25")
        store = ExactStore.open(folder)
        index = Index(folder, encoder, Contents(folder, {}, tuple(passages), store, LexicalIndex.load(folder / "bm25")))
        return {name: _timed(index, [a.question for a in asked], ranking) for name, ranking in rows.items() if ranking}


def _timed(index: Index, questions: Sequence[str], ranking: Ranking) -> dict[str, float]:
    single = []
    for question in [
        *questions[:10],
        *questions[: 50 if ranking.reranker else 200],
    ]:  # a reranker takes some 30 times as long
        began = time.perf_counter()
        index.search([question], DEPTH, ranking=ranking)
        single.append(1000 * (time.perf_counter() - began))
    p50, p95 = np.percentile(single[10:], [50, 95])  # the first ten warm it up
    found = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1)}
    if ranking.reranker is None:
        began = time.perf_counter()
        for n in range(3):
            index.search(questions[100 * n : 100 * (n + 1)], DEPTH, ranking=ranking)
        found["questions_per_s"] = round(300 / (time.perf_counter() - began), 1)
    return found


def run(args: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    pairs = sorted(read_corpus(args.corpus).pairs, key=lambda p: p.id)
    encoder: Any = Remembering(load_encoder(args.encoder, 64))
    reranker = load_reranker(args.reranker) if args.reranker else None
    aspects = load_aspects(args.aspects, encoder_hash(args.encoder, encoder.fingerprint))
    rows = rankings(reranker, aspects, args.weight, args.variety, args.rerank)
    asked = [p for p in pairs if args.split in (p.split, "all")][: args.limit]
    report: dict[str, Any] = {
        "encoder": args.encoder,
        "reranker": args.reranker,
        "aspects": None
        if aspects is None
        else {"folder": args.aspects, "weight": aspects.weight, "topic_weight": aspects.topic_weight},
        "split": args.split,
    }

    def quality(questions: Sequence[QAPair], pool: Sequence[QAPair], passages: Sequence[Passage]) -> dict[str, Any]:
        sets = pair_questions(questions, pool)
        found = table(make_index(passages, encoder), sets, rows, score)
        return {"questions": len(sets), "passages": len(passages)} | {n: shown(s, args.seed) for n, s in found.items()}

    if "medquad" in args.parts and not args.index:
        report["medquad, header topic"] = quality(asked, pairs, cut(pairs, "topic", encoder))
    renamed = with_synonyms(asked, args.seed)
    if args.index:
        opened = Index.open(args.index, load_encoder(args.encoder, 64))
        header = opened.manifest["settings"]["header"]
        forms = {"someone's words": in_own_words(asked, args.seed)}
        if "question" not in header:  # else a question would find itself
            forms |= {"questions": asked, "synonyms asked": renamed}
        for name, questions in forms.items():
            sets = pair_questions(questions, pairs)
            found = table(opened, sets, rows, score)
            report[f"{args.index.name}, {name}, header {header}"] = {
                "questions": len(sets), "passages": opened.manifest["passages"], "fitted": opened.manifest["fusion"],
            } | {n: shown(s, args.seed) for n, s in found.items()}  # fmt: skip
        questions = [p.question for p in asked[:300]]
        report["latency"] = {n: _timed(opened, questions, r) for n, r in rows.items() if r}
        return report
    for part, header in {"synonyms": "topic", "synonyms-in-header": "topic+synonyms"}.items():
        if part in args.parts:
            report[f"synonyms asked, header {header}"] = quality(renamed, pairs, cut(pairs, header, encoder))
    if "pool" in args.parts:
        pool = small_pool(pairs, args.seed)
        report["pool of 2048, whole answers truncated"] = quality(pool, pool, whole(pool))
        report["pool of 2048, passages, header topic"] = quality(pool, pool, cut(pool, "topic", encoder))
    if "consumer" in args.parts and args.consumer:
        stock: Any = encoder if args.encoder == "embedded" else Remembering(load_encoder("embedded", 64))
        report["consumer"] = consumer(args.consumer, encoder, stock, rows, args.seed)
    if "latency" in args.parts:
        report["latency"] = latency(
            cut(pairs, "topic", encoder), load_encoder(args.encoder, 64), pair_questions(asked[:300], pairs), rows
        )
    return report


def main() -> None:
    """Parse and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--encoder", default=RetrievalSettings().encoder)
    parser.add_argument("--reranker")
    parser.add_argument("--rerank", type=int, default=RetrievalSettings().rerank, help="how many hits it reads")
    parser.add_argument("--aspects", default="auto", type=lambda name: None if name == "none" else name)
    parser.add_argument("--index", type=Path, help="an index made by medqa index build")
    parser.add_argument("--consumer", type=Path, help="questions with judged answers; left out: that part is")
    parser.add_argument("--split", default="test", choices=("validation", "test", "all"))
    parser.add_argument("--parts", type=lambda text: text.split(","), metavar=",".join(PARTS))
    parser.add_argument("--weight", type=float, help="BM25's share (default: the one that ships)")
    parser.add_argument("--variety", type=float, default=Ranking().variety)
    parser.add_argument("--limit", type=int, help="only so many questions: a smoke run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.index and args.parts:
        parser.error("wanted --index or --parts, found both: an index has no parts; leave one of them out")
    args.parts = args.parts or list(PARTS)
    if unknown := sorted(set(args.parts) - set(PARTS)):
        parser.error(f"wanted --parts of {', '.join(PARTS)}; found {', '.join(unknown)}")
    prepare(offline=True)
    print(json.dumps(run(args), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
