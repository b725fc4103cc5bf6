"""``medqa eval ...``: variants answered, scored and compared, by measures and by people."""

import argparse

from medqa.verbs.shared import settings_of, show


def eval_run(args: argparse.Namespace) -> int:
    """``medqa eval run``."""
    overrides = {"eval.out": args.out} if args.out is not None else {}
    settings = settings_of(args, **overrides)
    from eval.command import run

    summary, report = run(settings, args.limit)
    if args.json:
        show(args, summary)
    else:
        print(report)
    return 0


def eval_compare(args: argparse.Namespace) -> int:
    """``medqa eval compare``."""
    settings = settings_of(args)
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
        show(args, summary)
    else:
        print(report)
    return 1 if args.fail_on_regression and summary.get("regressions") else 0


def eval_export(args: argparse.Namespace) -> int:
    """``medqa eval export``."""
    from eval.rankings import export_rankings

    show(args, export_rankings(args.run, args.out))
    return 0


def eval_ranking(args: argparse.Namespace) -> int:
    """``medqa eval ranking``."""
    settings = settings_of(args)
    from eval.rankings import score_ranking

    show(args, score_ranking(args.run, args.qrels, args.gain, settings.eval.bootstrap, settings.seed))
    return 0


def eval_review_export(args: argparse.Namespace) -> int:
    """``medqa eval review export``."""
    settings = settings_of(args)
    from eval.reviewing import export

    systems = [name for name in args.systems.split(",") if name]
    show(args, export(args.run, args.out, settings, systems=systems, index=args.index, number=args.limit))
    return 0


def eval_review_page(args: argparse.Namespace) -> int:
    """``medqa eval review page``."""
    settings = settings_of(args)
    from ui.command import review

    return review(args.folder, args.rater, settings, args.port)


def eval_review_judge(args: argparse.Namespace) -> int:
    """``medqa eval review judge``."""
    settings = settings_of(args)
    from eval.reviewing import judge_sheet

    summary = judge_sheet(args.folder, settings, args.limit)
    show(args, summary if args.json else {k: v for k, v in summary.items() if k != "failed"})
    return 0


def eval_review_import(args: argparse.Namespace) -> int:
    """``medqa eval review import``."""
    settings = settings_of(args)
    from eval.reviewing import import_grades

    summary, report = import_grades(args.folder, args.grades, settings, args.out)
    if args.json:
        show(args, summary)
    else:
        print(report)
    return 0
