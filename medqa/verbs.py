"""What each verb does with its arguments: settings from file and flags, one call into the stage, one summary out."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medqa.environment import prepare
from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.processes import is_main, leave
from medqa.settings import Settings, load_settings

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
    settings = _settings(args, **{"corpus": args.out, "ingest.phi": args.phi})
    sources = [locate(source) for source in args.sources]
    embed = _passage_embedder(settings) if settings.ingest.semantic is not None else None
    if args.update is not None:
        return _ingest_update(args, sources, settings, embed)
    from ingest.command import ingest as run

    summary = run(sources, Path(settings.corpus), settings, args.limit, embed)
    _show(args, summary if args.json else _corpus_lines(summary))
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
    _show(args, summary if args.json else _corpus_lines(shown) if "test_train" in shown else shown)
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


def index_build(args: argparse.Namespace) -> int:
    """``medqa index build``."""
    from retrieval.command import build

    settings = _index_settings(args)
    summary = build(locate(settings.corpus), Path(settings.index), settings, limit=args.limit)
    _show(args, summary if args.json else _flat(summary))
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
    _show(args, summary if args.json else _flat(summary))
    return 0


def index_verify(args: argparse.Namespace) -> int:
    """``medqa index verify``: exit 1 when something is wrong with it."""
    from retrieval.command import verify

    settings = _settings(args, index=args.index)
    summary = verify(locate(settings.index), settings)
    _show(args, summary)
    return 1 if summary["problems"] else 0


def index_stats(args: argparse.Namespace) -> int:
    """``medqa index stats``."""
    from retrieval.command import stats

    _show(args, stats(locate(_settings(args, index=args.index).index)))
    return 0


def index_rollback(args: argparse.Namespace) -> int:
    """``medqa index rollback``."""
    from retrieval.command import rollback

    _show(args, rollback(Path(_settings(args, index=args.index).index)))
    return 0


def search(args: argparse.Namespace) -> int:
    """``medqa search``: one question to the terminal, or a file of them to a run file."""
    overrides = {"retrieval.k": args.k} if args.k is not None else {}
    settings = _settings(args, index=args.index, **overrides)
    if (args.question is None) == (args.queries is None):
        raise MedqaError('wanted either a "question" or --queries Q.jsonl --out RUN.jsonl; see: medqa search --help')
    if args.queries is not None and args.out is None:
        raise MedqaError("wanted --out RUN.jsonl beside --queries, found none")
    from retrieval.command import search as search_one
    from retrieval.command import search_file
    from retrieval.filters import make_filters

    index, filters = locate(settings.index), make_filters(args.source, args.topic, args.question_type)
    if args.queries is not None:
        _show(
            args,
            search_file(index, args.queries, args.out, settings, unit=args.unit, filters=filters, limit=args.limit),
        )
        return 0
    found = search_one(index, args.question, settings, unit=args.unit, filters=filters)
    if args.json:
        _show(args, found)
        return 0
    for number, hit in enumerate(found["hits"], start=1):
        title = f"{hit['title']}: " if hit["title"] else ""
        print(f"{number:2}. {hit['score']:.3f}  {hit['pair_id']}  {title}{hit['text']}")
    return 0


def finetune_generator(args: argparse.Namespace) -> int:
    """``medqa finetune generator``."""
    from finetune.command import train_generator

    _show(args, train_generator(_settings(args), args.config, args.limit, args.export))
    leave()
    return 0


def finetune_merge(args: argparse.Namespace) -> int:
    """``medqa finetune merge``: exit 1 when the merged model is not the same one."""
    settings = _settings(args)
    from finetune.merge_command import merge

    _show(args, merge(settings, args.adapter, args.out))
    return 0


def finetune_retriever(args: argparse.Namespace) -> int:
    """``medqa finetune retriever``: exit 1 when its gate fails."""
    settings = _settings(args)
    from finetune.retriever import train_retriever

    _show(args, train_retriever(settings, args.limit))
    return 0


def finetune_aspects(args: argparse.Namespace) -> int:
    """``medqa finetune aspects``: exit 1 when its gate fails."""
    settings = _settings(args)
    from finetune.aspects import train_aspects

    _show(args, train_aspects(settings, args.limit))
    return 0


def finetune_reranker(args: argparse.Namespace) -> int:
    """``medqa finetune reranker``: exit 1 when its gate fails."""
    settings = _settings(args)
    from finetune.reranker import train_reranker

    _show(args, train_reranker(settings, args.limit))
    return 0


def finetune_search(args: argparse.Namespace) -> int:
    """``medqa finetune search``."""
    settings = _settings(args)
    from finetune.search import search

    summary, report = search(settings, args.config, args.limit)
    if args.json or report is None:
        _show(args, summary)
    else:
        print(report)
    return 0


def ask(args: argparse.Namespace) -> int:
    """``medqa ask``."""
    settings = _settings(args, index=args.index)
    from rag.command import ask as answer
    from rag.output import answer_row, answer_text

    result = answer(settings, args.question, args.variant)
    print(json.dumps(answer_row("", result), ensure_ascii=False, indent=2) if args.json else answer_text(result))
    return 0


def predict(args: argparse.Namespace) -> int:
    """``medqa predict``."""
    settings = _settings(args, index=args.index)
    from rag.command import predict_file

    _show(args, predict_file(settings, args.queries, args.variant, args.out, args.limit))
    return 0


def eval_run(args: argparse.Namespace) -> int:
    """``medqa eval run``."""
    overrides = {"eval.out": args.out} if args.out is not None else {}
    settings = _settings(args, **overrides)
    from eval.command import run

    summary, report = run(settings, args.limit)
    if args.json:
        _show(args, summary)
    else:
        print(report)
    return 0


def eval_compare(args: argparse.Namespace) -> int:
    """``medqa eval compare``."""
    settings = _settings(args)
    from eval.comparing import compare

    summary, report = compare(
        args.run_a,
        args.run_b,
        settings,
        fail_on_regression=args.fail_on_regression,
        queries=args.queries,
        variant=args.variant,
        limit=args.limit,
        out=args.out,
    )
    if args.json:
        _show(args, summary)
    else:
        print(report)
    return 1 if args.fail_on_regression and summary.get("regressions") else 0


def eval_export(args: argparse.Namespace) -> int:
    """``medqa eval export``."""
    from eval.rankings import export_rankings

    _show(args, export_rankings(args.run, args.out))
    return 0


def eval_ranking(args: argparse.Namespace) -> int:
    """``medqa eval ranking``."""
    settings = _settings(args)
    from eval.rankings import score_ranking

    _show(args, score_ranking(args.run, args.qrels, args.gain, settings.eval.bootstrap, settings.seed))
    return 0


def eval_review_export(args: argparse.Namespace) -> int:
    """``medqa eval review export``."""
    settings = _settings(args)
    from eval.reviewing import export

    systems = [name for name in args.systems.split(",") if name]
    _show(args, export(args.run, args.out, settings, systems=systems, index=args.index, number=args.limit))
    return 0


def eval_review_page(args: argparse.Namespace) -> int:
    """``medqa eval review page``."""
    settings = _settings(args)
    from ui.command import review

    return review(args.folder, args.rater, settings, args.port)


def eval_review_judge(args: argparse.Namespace) -> int:
    """``medqa eval review judge``."""
    settings = _settings(args)
    from eval.reviewing import judge_sheet

    summary = judge_sheet(args.folder, settings, args.limit)
    _show(args, summary if args.json else {k: v for k, v in summary.items() if k != "failed"})
    return 0


def eval_review_import(args: argparse.Namespace) -> int:
    """``medqa eval review import``."""
    settings = _settings(args)
    from eval.reviewing import import_grades

    summary, report = import_grades(args.folder, args.grades, settings, args.out)
    if args.json:
        _show(args, summary)
    else:
        print(report)
    return 0


def chat(args: argparse.Namespace) -> int:
    """``medqa chat``."""
    settings = _settings(args, index=args.index)
    from ui.command import chat as serve

    return serve(settings, args.port)


def doctor(args: argparse.Namespace) -> int:
    """``medqa doctor``: exit 1 when something that the default use needs is missing."""
    settings = _settings(args)
    from medqa.doctor import diagnose, format_checks

    checks = diagnose(settings)
    if args.json:
        print(
            json.dumps([{"name": c.name, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in checks], indent=2)
        )
    else:
        print(format_checks(checks))
    return 1 if any(c.ok is False for c in checks) else 0


def _settings(args: argparse.Namespace, **flags: Any) -> Settings:
    """Settings from ``--config`` and ``--set``, then the verb's own flags (None: not given), which win."""
    overrides = list(args.set)
    overrides += [f"{key}={value}" for key, value in flags.items() if value is not None]
    if args.seed is not None:
        overrides.append(f"seed={args.seed}")
    if args.offline:
        overrides.append("offline=true")
    if args.limit is not None and args.limit < 1:
        raise MedqaError(f"wanted --limit of at least 1, found {args.limit}")
    settings = load_settings(locate(args.config) if args.config else None, overrides)
    prepare(settings.offline)
    return settings


def _index_settings(args: argparse.Namespace) -> Settings:
    splits = f"[{args.splits}]" if args.splits else None
    return _settings(args, index=args.index, corpus=args.corpus, splits=splits)


def _show(args: argparse.Namespace, summary: Mapping[str, Any]) -> None:
    """A summary as JSON, or as aligned ``key  value`` lines; of several processes the main one prints."""
    if not is_main():
        return
    if args.json:
        json.dump(summary, sys.stdout, ensure_ascii=False, indent=2, default=str)
        print()
        return
    width = max(map(len, summary), default=0)
    for key, value in summary.items():
        print(f"{key:<{width}}  {_plain(value)}")


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


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
