"""``medqa ingest``: raw files to a corpus, new or brought up to date."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.settings import Settings
from medqa.verbs.shared import settings_of, show

_DIFF_LINES = 20
"""Rows of each kind that an update prints."""


def ingest(args: argparse.Namespace) -> int:
    """``medqa ingest``."""
    if args.update is None and (flag := next((f for f in ("dry_run", "prune", "force") if getattr(args, f)), "")):
        raise MedqaError(
            f"wanted --update CORPUS with --{flag.replace('_', '-')}, found none; give the corpus to update"
        )
    if args.update is not None and args.out is not None:
        raise MedqaError("wanted --out or --update, found both; --update writes into the corpus that it names")
    settings = settings_of(args, **{"corpus": args.out, "ingest.phi": args.phi})
    sources = [locate(source) for source in args.sources]
    embed = _passage_embedder(settings) if settings.ingest.semantic is not None else None
    if args.update is not None:
        return _ingest_update(args, sources, settings, embed)
    from ingest.command import ingest as run

    summary = run(sources, Path(settings.corpus), settings, args.limit, embed)
    show(args, summary if args.json else _corpus_lines(summary))
    return 0


def _ingest_update(args: argparse.Namespace, sources: list[Path], settings: Settings, embed: Any) -> int:
    from ingest.updating import update

    summary = update(
        sources,
        args.update,
        settings,
        prune=args.prune,
        force=args.force,
        dry_run=args.dry_run,
        limit=args.limit,
        embed=embed,
        announce=(lambda difference: None) if args.json else _print_diff,
    )
    shown = {k: v for k, v in summary.items() if k != "diff"}
    show(args, summary if args.json else _corpus_lines(shown) if "test_train" in shown else shown)
    return 0


def _print_diff(difference: Mapping[str, Any]) -> None:
    """The first rows of each kind, one a line: + added, ~ changed, - removed."""
    for sign, kind in (("+", "added"), ("~", "changed"), ("-", "removed")):
        rows = difference["diff"][kind]
        for row in rows[:_DIFF_LINES]:
            print(f"{sign} {row['id']}  {row.get('split', ''):<10} {row['question']}")
        if len(rows) > _DIFF_LINES:
            print(f"{sign} and {len(rows) - _DIFF_LINES:,} more; --json lists all")


def _passage_embedder(settings: Settings) -> Any:
    """Texts -> unit vectors, by the encoder of the settings: ingest itself knows no encoder."""
    from retrieval.encoder import load_encoder

    encoder = load_encoder(settings.retrieval.encoder, settings.retrieval.batch_size)
    return lambda texts: encoder.encode_passages(texts, progress=True)


def _corpus_lines(summary: Mapping[str, Any]) -> dict[str, Any]:
    """An ingest summary for people: the certificate in one line, beside a random split of the same sizes."""
    found, chance = summary["test_train"], summary["test_train_random_split"]
    leakage = (
        f"test and train share {found['pairs_sharing_question']} questions, {found['pairs_sharing_answer']} answers, "
        f"{found['pairs_sharing_topic']} topics, {found['near_duplicate_pairs']} near-duplicates; a random split leaks "
        f"{chance['share_of_rows_sharing_question_or_answer']:.1%} of the test rows"
    )
    shown = {k: v for k, v in summary.items() if v != [] and not k.startswith(("test_train", "closest"))}
    return {**shown, "leakage": leakage}
