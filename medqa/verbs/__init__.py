"""What each verb does with its arguments: settings from file and flags, one call into the stage, one summary out."""

from medqa.verbs.answering import ask, chat, predict
from medqa.verbs.corpus import ingest
from medqa.verbs.evaluation import (
    eval_compare,
    eval_export,
    eval_ranking,
    eval_review_export,
    eval_review_import,
    eval_review_judge,
    eval_review_page,
    eval_run,
)
from medqa.verbs.index import index_build, index_rollback, index_stats, index_update, index_verify, search
from medqa.verbs.machine import doctor
from medqa.verbs.training import (
    finetune_aspects,
    finetune_generator,
    finetune_merge,
    finetune_reranker,
    finetune_retriever,
    finetune_search,
)

__all__ = [
    "ask",
    "chat",
    "doctor",
    "eval_compare",
    "eval_export",
    "eval_ranking",
    "eval_review_export",
    "eval_review_import",
    "eval_review_judge",
    "eval_review_page",
    "eval_run",
    "finetune_aspects",
    "finetune_generator",
    "finetune_merge",
    "finetune_reranker",
    "finetune_retriever",
    "finetune_search",
    "index_build",
    "index_rollback",
    "index_stats",
    "index_update",
    "index_verify",
    "ingest",
    "predict",
    "search",
]
