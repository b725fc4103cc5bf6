"""``medqa ask``, ``medqa predict`` and ``medqa chat``: questions to answers with their sources."""

import argparse
import json

from medqa.verbs.shared import settings_of, show


def ask(args: argparse.Namespace) -> int:
    """``medqa ask``."""
    settings = settings_of(args, index=args.index)
    from rag.command import ask as answer
    from rag.output import answer_row, answer_text

    result = answer(settings, args.question, args.variant)
    print(json.dumps(answer_row("", result), ensure_ascii=False, indent=2) if args.json else answer_text(result))
    return 0


def predict(args: argparse.Namespace) -> int:
    """``medqa predict``."""
    settings = settings_of(args, index=args.index)
    from rag.command import predict_file

    show(args, predict_file(settings, args.queries, args.variant, args.out, args.limit))
    return 0


def chat(args: argparse.Namespace) -> int:
    """``medqa chat``."""
    settings = settings_of(args, index=args.index)
    from ui.command import chat as serve

    return serve(settings, args.port)
