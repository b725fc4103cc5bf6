"""The verbs ``medqa index ...`` and ``medqa search``: settings in, plain dicts out."""

import json
from pathlib import Path
from typing import Any

from ingest.corpus import Corpus, read_corpus
from medqa.errors import MedqaError
from medqa.files import write_atomically
from medqa.queries import Query, read_queries
from medqa.records import Hit
from medqa.settings import RetrievalSettings, Settings
from retrieval import generations
from retrieval.adapters import encoder_hash
from retrieval.aspects import load_aspects
from retrieval.build import build_index, update_index
from retrieval.encoder import SentenceEncoder, load_encoder
from retrieval.filters import Filters
from retrieval.index import Index
from retrieval.ranking import Ranking
from retrieval.rerank import load_reranker
from retrieval.search import Unit
from retrieval.stores import Storage
from retrieval.verify import index_stats, verify_index

_BATCH = 256
"""Queries searched at once: large enough for the encoder, small enough for a progress bar to move."""


def build(
    corpus: Path,
    index: Path,
    settings: Settings,
    *,
    reuse: bool = True,
    share: tuple[Path, ...] = (),
    limit: int | None = None,
) -> dict[str, Any]:
    """``medqa index build``: an index of exactly the corpus' pairs of ``settings.splits``."""
    read = _limited(read_corpus(corpus), limit)
    return build_index(
        read.pairs,
        read.fingerprint,
        index,
        _encoder(settings),
        splits=settings.splits,
        header=settings.passages.header,
        max_tokens=settings.passages.max_tokens,
        keep_generations=settings.retrieval.keep_generations,
        reuse=reuse,
        seed=settings.seed,
        storage=storage_of(settings.retrieval),
        share=share,
    )


def update(
    corpus: Path,
    index: Path,
    settings: Settings,
    *,
    prune: bool = False,
    force: bool = False,
    dry_run: bool = False,
    limit: int | None = None,
) -> dict[str, Any]:
    """``medqa index update``: embed what is new, delete what is gone, tell the difference."""
    generations.current(index)  # a missing index is told before the encoder is loaded
    read = _limited(read_corpus(corpus), limit)
    return update_index(
        read.pairs,
        read.fingerprint,
        index,
        _encoder(settings),
        splits=settings.splits,
        header=settings.passages.header,
        max_tokens=settings.passages.max_tokens,
        keep_generations=settings.retrieval.keep_generations,
        seed=settings.seed,
        storage=storage_of(settings.retrieval),
        prune=prune,
        force=force,
        dry_run=dry_run,
    )


def verify(index: Path, settings: Settings) -> dict[str, Any]:
    """``medqa index verify``: the generation's problems; it is sound when there are none."""
    generation = generations.current(index).name
    problems = verify_index(index, _encoder(settings))
    return {"index": str(index), "generation": generation, "sound": not problems, "problems": problems}


def stats(index: Path) -> dict[str, Any]:
    """``medqa index stats``: counts, settings, size, generations."""
    return index_stats(index)


def rollback(index: Path) -> dict[str, Any]:
    """``medqa index rollback``: the generation before the current one becomes current."""
    left, now = generations.rollback(index)
    return {"index": str(index), "from": left, "generation": now}


def open_index(index: Path, settings: Settings) -> Index:
    """The index with the encoder of the settings."""
    generations.current(index)  # a missing index is told before the encoder is loaded
    return Index.open(index, _encoder(settings))


def load_ranking(options: RetrievalSettings, encoder: str) -> Ranking:
    """The way of ranking that the settings ask for, its models loaded; ``encoder`` is the fingerprint of the index's."""
    ranking = Ranking(
        candidates=options.candidates,
        lexical_weight=options.lexical_weight,
        fusion=options.fusion,
        aspects=load_aspects(options.aspects, encoder_hash(options.encoder, encoder)),
        aspect_weight=options.aspect_weight,
        topic_weight=options.topic_weight,
        variety=options.variety,
        reranker=None if options.reranker is None else load_reranker(options.reranker),
        rerank=options.rerank,
        rerank_weight=options.rerank_weight,
    )
    ranking.shares()  # a contradiction is told before anything is searched
    return ranking


def search(
    index: Path, question: str, settings: Settings, *, unit: Unit = "pair", filters: Filters | None = None
) -> dict[str, Any]:
    """``medqa search "question"``: ``settings.retrieval.k`` hits that ``filters`` admit, with how each came about."""
    if not question.strip():
        raise MedqaError("wanted a question, found an empty one; give it in quotes")
    opened = open_index(index, settings)
    ranking = load_ranking(settings.retrieval, opened.encoder)
    [hits] = opened.search([question], settings.retrieval.k, unit, ranking=ranking, filters=filters)
    return {"question": question, "unit": unit, "hits": [_shown(hit) for hit in hits]}


def search_file(
    index: Path,
    queries: Path,
    out: Path,
    settings: Settings,
    *,
    unit: Unit = "pair",
    filters: Filters | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """``medqa search --queries Q.jsonl --out RUN.jsonl``: one line per query, in input order, written all or nothing; the
    first ``limit`` queries only, if given."""
    from tqdm import tqdm

    wanted = read_queries(queries)[:limit]
    opened = open_index(index, settings)
    ranking = load_ranking(settings.retrieval, opened.encoder)
    lines: list[str] = []
    with tqdm(total=len(wanted), desc="search", unit="question", disable=None) as bar:
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            asked = [query.question for query in batch]
            found = opened.search(asked, settings.retrieval.k, unit, ranking=ranking, filters=filters)
            lines += [_run_line(query, hits) for query, hits in zip(batch, found, strict=True)]
            bar.update(len(batch))
    write_atomically(out, "".join(lines))
    return {"queries": len(wanted), "out": str(out), "index": str(index), "generation": opened.generation, "unit": unit}


def _run_line(query: Query, hits: list[Hit]) -> str:
    shown = [
        {"pair_id": h.passage.pair_id, "passage_id": h.passage.id, "score": h.score, "text": h.passage.text}
        for h in hits
    ]
    return json.dumps({"id": query.id, "question": query.question, "hits": shown}, ensure_ascii=False) + "\n"


def _shown(hit: Hit) -> dict[str, Any]:
    passage = hit.passage
    return {
        "pair_id": passage.pair_id,
        "passage_id": passage.id,
        "score": hit.score,
        "dense": hit.dense,
        "dense_rank": hit.dense_rank,
        "nearest": hit.nearest,
        "lexical": hit.lexical,
        "lexical_rank": hit.lexical_rank,
        "aspect": hit.aspect,
        "rerank": hit.rerank,
        "rerank_rank": hit.rerank_rank,
        "title": passage.title,
        "source": passage.source,
        "url": passage.url,
        "text": passage.text,
    }


def _encoder(settings: Settings) -> SentenceEncoder:
    options = settings.retrieval
    return load_encoder(options.encoder, options.batch_size, options.devices)


def storage_of(options: RetrievalSettings) -> Storage:
    """The store that the settings ask for."""
    return Storage(options.store, options.exact_up_to, options.recall, options.uri)


def _limited(corpus: Corpus, limit: int | None) -> Corpus:
    """The first ``limit`` pairs, for a smoke run; their fingerprint says so."""
    if limit is None or limit >= len(corpus.pairs):
        return corpus
    return Corpus(corpus.pairs[:limit], f"{corpus.fingerprint}:first-{limit}")
