"""``medqa finetune ...``: training on the corpus' train split, the search for its settings, the merge of its result."""

import argparse

from medqa.processes import leave
from medqa.verbs.shared import settings_of, show


def finetune_generator(args: argparse.Namespace) -> int:
    """``medqa finetune generator``."""
    from finetune.command import train_generator

    show(args, train_generator(settings_of(args), args.config, args.limit, args.export))
    leave()
    return 0


def finetune_merge(args: argparse.Namespace) -> int:
    """``medqa finetune merge``: exit 1 when the merged model is not the same one."""
    settings = settings_of(args)
    from finetune.merge_command import merge

    show(args, merge(settings, args.adapter, args.out))
    return 0


def finetune_retriever(args: argparse.Namespace) -> int:
    """``medqa finetune retriever``: exit 1 when its gate fails."""
    settings = settings_of(args)
    from finetune.retriever import train_retriever

    show(args, train_retriever(settings, args.limit))
    return 0


def finetune_aspects(args: argparse.Namespace) -> int:
    """``medqa finetune aspects``: exit 1 when its gate fails."""
    settings = settings_of(args)
    from finetune.aspects import train_aspects

    show(args, train_aspects(settings, args.limit))
    return 0


def finetune_reranker(args: argparse.Namespace) -> int:
    """``medqa finetune reranker``: exit 1 when its gate fails."""
    settings = settings_of(args)
    from finetune.reranker import train_reranker

    show(args, train_reranker(settings, args.limit))
    return 0


def finetune_search(args: argparse.Namespace) -> int:
    """``medqa finetune search``."""
    settings = settings_of(args)
    from finetune.search import search

    summary, report = search(settings, args.config, args.limit)
    if args.json or report is None:
        show(args, summary)
    else:
        print(report)
    return 0
