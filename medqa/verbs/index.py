"""``medqa index ...`` and ``medqa search``: a corpus to an index, and questions to it."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.settings import Settings
from medqa.verbs.shared import settings_of, show


def index_build(args: argparse.Namespace) -> int:
    """``medqa index build``."""
    from retrieval.command import build

    settings = _index_settings(args)
    summary = build(locate(settings.corpus), Path(settings.index), settings, limit=args.limit)
    show(args, summary if args.json else _flat(summary))
    return 0


def index_update(args: argparse.Namespace) -> int:
    """``medqa index update``."""
    from retrieval.command import update

    settings = _index_settings(args)
    summary = update(
        locate(settings.corpus),
        Path(settings.index),
        settings,
        prune=args.prune,
        force=args.force,
        dry_run=args.dry_run,
        limit=args.limit,
    )
    show(args, summary if args.json else _flat(summary))
    return 0


def index_verify(args: argparse.Namespace) -> int:
    """``medqa index verify``: exit 1 when something is wrong with it."""
    from retrieval.command import verify

    settings = settings_of(args, index=args.index)
    summary = verify(locate(settings.index), settings)
    show(args, summary)
    return 1 if summary["problems"] else 0


def index_stats(args: argparse.Namespace) -> int:
    """``medqa index stats``."""
    from retrieval.command import stats

    show(args, stats(locate(settings_of(args, index=args.index).index)))
    return 0


def index_rollback(args: argparse.Namespace) -> int:
    """``medqa index rollback``."""
    from retrieval.command import rollback

    show(args, rollback(Path(settings_of(args, index=args.index).index)))
    return 0


def search(args: argparse.Namespace) -> int:
    """``medqa search``: one question to the terminal, or a file of them to a run file."""
    overrides = {"retrieval.k": args.k} if args.k is not None else {}
    settings = settings_of(args, index=args.index, **overrides)
    if (args.question is None) == (args.queries is None):
        raise MedqaError('wanted either a "question" or --queries Q.jsonl --out RUN.jsonl; see: medqa search --help')
    if args.queries is not None and args.out is None:
        raise MedqaError("wanted --out RUN.jsonl beside --queries, found none")
    from retrieval.command import search as search_one
    from retrieval.command import search_file
    from retrieval.filters import make_filters

    index, filters = locate(settings.index), make_filters(args.source, args.topic, args.question_type)
    if args.queries is not None:
        show(
            args,
            search_file(index, args.queries, args.out, settings, unit=args.unit, filters=filters, limit=args.limit),
        )
        return 0
    found = search_one(index, args.question, settings, unit=args.unit, filters=filters)
    if args.json:
        show(args, found)
        return 0
    for number, hit in enumerate(found["hits"], start=1):
        title = f"{hit['title']}: " if hit["title"] else ""
        print(f"{number:2}. {hit['score']:.3f}  {hit['pair_id']}  {title}{hit['text']}")
    return 0


def _index_settings(args: argparse.Namespace) -> Settings:
    splits = f"[{args.splits}]" if args.splits else None
    return settings_of(args, index=args.index, corpus=args.corpus, splits=splits)


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """An index' summary for people: the calibration in one line."""
    c = summary["calibration"]
    if c["threshold"] is None:
        said = f"never by similarity: {c['reason']}"
    else:
        said = (
            f"below similarity {c['threshold']:.3f} (on {c['n']} questions: {c['wrong_answers']:.0%} of absent topics "
            f"answered, {c['wrong_refusals']:.0%} of present ones refused)"
        )
    return {**{k: v for k, v in summary.items() if k != "calibration"}, "abstains": said}
