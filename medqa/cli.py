"""The command line: parser and exit codes. Stages are imported inside the verb that needs them: ``--help`` needs no torch.

Exit 0 done; 1 a gate failed; 2 bad usage, configuration or input. An error is one line on stderr; ``--debug`` adds the
traceback.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from medqa import __version__
from medqa.errors import MedqaError
from medqa.processes import end, is_main, rank
from medqa.records import VARIANTS


class _Parser(argparse.ArgumentParser):
    """argparse with the project's manners: one line instead of the usage text and a line."""

    def error(self, message: str) -> NoReturn:
        raise MedqaError(f"{message}; see: {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        args = build_parser().parse_args(arguments)
        from medqa.environment import prepare

        prepare(args.offline)
        from medqa import verbs

        return int(getattr(verbs, args.verb)(args) or 0)
    except MedqaError as error:
        return _fail(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing finished was lost, and the same command goes on or starts again", 130, debug)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away (| head): not an error worth a line
        return 0
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _fail(
            f"wanted to read or write{where}, found: {error.strerror or error}; "
            "free space, fix the permissions or choose another place (existing artefacts are untouched)",
            2,
            debug,
        )


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    who = "medqa" if is_main() else f"medqa, process {rank()}"
    print(f"{who}: {' '.join(message.split())}", file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    common = _common()
    parser = _Parser(prog="medqa", description="Medical question answering you can check.")
    parser.add_argument("--version", action="version", version=f"medqa {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)

    def verb(parent: "argparse._SubParsersAction[_Parser]", name: str, function: str, text: str) -> _Parser:
        added = parent.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(verb=function)
        return added

    def group(name: str, text: str) -> "argparse._SubParsersAction[_Parser]":
        added = verbs.add_parser(name, help=text, description=text)
        return added.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)

    ingest = verb(verbs, "ingest", "ingest", "clean raw question/answer files and split them without leakage")
    ingest.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="csv, tsv, jsonl, parquet (also .gz, .xz), MedQuAD XML, Hugging Face id",
    )
    ingest.add_argument("--out", type=Path, help="corpus folder (default: settings' corpus)")
    ingest.add_argument(
        "--update", type=Path, metavar="CORPUS", help="bring this corpus up to date; no row changes split"
    )
    ingest.add_argument("--dry-run", action="store_true", help="with --update: print the difference and stop")
    ingest.add_argument("--prune", action="store_true", help="with --update: also remove what SOURCE no longer has")
    ingest.add_argument("--force", action="store_true", help="with --update: allow the removal of more than a tenth")
    ingest.add_argument("--phi", choices=("none", "report", "mask", "drop"), help="rows that look like personal data")

    index = group("index", "build and look after the search index")
    for name, text in {
        "build": "embed the corpus' passages into a new generation",
        "update": "embed only what changed",
        "verify": "check every hash, count and id",
        "stats": "what is in the index",
        "rollback": "go back to the generation before",
    }.items():
        sub = verb(index, name, f"index_{name}", text)
        sub.add_argument("--index", type=Path, help="index folder (default: settings' index)")
        if name in ("build", "update"):
            sub.add_argument("--corpus", type=Path, help="corpus folder, or a plain CSV (default: settings' corpus)")
            sub.add_argument("--splits", help="comma-separated: train,validation,test (default: all)")
        if name == "update":
            sub.add_argument("--dry-run", action="store_true", help="print the diff and stop")
            sub.add_argument("--prune", action="store_true", help="also remove what is gone from the corpus")
            sub.add_argument("--force", action="store_true", help="allow the removal of more than a tenth")

    search = verb(verbs, "search", "search", "find passages")
    search.add_argument("question", nargs="?")
    search.add_argument("--index", type=Path)
    search.add_argument("-k", type=int, help="hits per question")
    search.add_argument(
        "--unit", choices=("pair", "passage"), default="pair", help="pair: each pair once, by its best passage"
    )
    search.add_argument("--queries", type=Path, help='JSONL of {"id", "question"}')
    search.add_argument("--out", type=Path, help="JSONL, one line per query")
    for flag, field in {"--source": "source", "--topic": "topic", "--question-type": "question type"}.items():
        search.add_argument(
            flag,
            action="append",
            default=[],
            metavar="X",
            help=f"only passages with this {field}; repeatable: any of them",
        )

    finetune = group("finetune", "train the generator, the retriever or the reranker")
    generator = verb(finetune, "generator", "finetune_generator", "LoRA or QLoRA on the corpus' train split")
    generator.add_argument("--export", type=Path, help="write the training examples as JSONL and stop")
    merge = verb(finetune, "merge", "finetune_merge", "fold an adapter into its base model, checked for parity")
    merge.add_argument("--adapter", type=Path, required=True)
    merge.add_argument("--out", type=Path, required=True)
    for name, text in {
        "retriever": "adapt the encoder to the corpus, without loss on other questions",
        "reranker": "train a small cross-encoder on the retriever's lists",
        "aspects": "learn what questions ask about their topic and what passages tell, in minutes on a CPU",
        "search": "try LoRA settings at equal tokens and rank them; goes on after an interruption",
    }.items():
        verb(finetune, name, f"finetune_{name}", text)

    ask = verb(verbs, "ask", "ask", "answer one question with its sources")
    ask.add_argument("question")
    predict = verb(verbs, "predict", "predict", "answer a file of questions; goes on after an interruption")
    predict.add_argument("--queries", type=Path, required=True, help='JSONL of {"id", "question"}')
    predict.add_argument("--out", type=Path, required=True)
    for sub in (ask, predict):
        sub.add_argument("--variant", choices=VARIANTS, help="default: the best that the artefacts at hand allow")
        sub.add_argument("--index", type=Path)

    evaluation = group("eval", "compare plain, fine-tuned and retrieval variants")
    run = verb(evaluation, "run", "eval_run", "answer the test questions with every variant and score them")
    run.add_argument("--out", type=Path, help="run folder (default: settings' eval.out)")
    compare = verb(
        evaluation,
        "compare",
        "eval_compare",
        "differences of two runs, with intervals; or what changed between two generations of an index",
    )
    compare.add_argument("run_a", type=Path, metavar="RUN_A", help="run folder, index, or one generation of an index")
    compare.add_argument("run_b", type=Path, metavar="RUN_B")
    compare.add_argument("--fail-on-regression", action="store_true", help="exit 1 if RUN_B is worse than RUN_A")
    compare.add_argument("--queries", type=Path, help="questions for two generations (default: those of eval run)")
    compare.add_argument("--variant", choices=VARIANTS, help="who answers them (default: the best at hand)")
    compare.add_argument("--out", type=Path, help="folder for comparison.md and comparison.json")

    export = verb(evaluation, "export", "eval_export", "the rankings of a run as TREC files")
    export.add_argument("run", type=Path, metavar="RUN")
    export.add_argument("--out", type=Path, required=True, help="folder for INDEX.qrels and INDEX.SYSTEM.run")
    ranking = verb(evaluation, "ranking", "eval_ranking", "score a TREC run, ours or another program's")
    ranking.add_argument("--run", type=Path, required=True)
    ranking.add_argument("--qrels", type=Path, required=True)
    ranking.add_argument("--gain", choices=("exponential", "linear"), default="exponential", help="of grades, in nDCG")

    review = evaluation.add_parser("review", help="have people grade answers side by side, blinded")
    reviews = review.add_subparsers(required=True, metavar="VERB", parser_class=_Parser)
    export = verb(reviews, "export", "eval_review_export", "a blinded sheet of a run's answers, and its key")
    export.add_argument("run", type=Path, metavar="RUN")
    export.add_argument("--out", type=Path, required=True, help="new folder; the key lies beside it")
    export.add_argument("--systems", default="", help="comma-separated names (default: all of the index)")
    export.add_argument("--index", default="open-book", help="which table's answers (default: open-book)")
    page = verb(reviews, "page", "eval_review_page", "grade in the browser")
    page.add_argument("--rater", required=True, help="your name; grades go to FOLDER/grades/NAME.csv")
    page.add_argument("--port", type=int, default=8502)
    grader = verb(
        reviews, "judge", "eval_review_judge", "have the language model of eval.judge grade the sheet as one more rater"
    )
    grades = verb(reviews, "import", "eval_review_import", "unblind the grades: means, differences, agreement")
    grades.add_argument(
        "grades", type=Path, nargs="*", metavar="GRADES", help="one file per rater (default: FOLDER/grades)"
    )
    grades.add_argument("--out", type=Path, help="folder of the result (default: FOLDER-result)")
    for sub in (page, grader, grades):
        sub.add_argument("--folder", type=Path, required=True, help="what export made")

    chat = verb(verbs, "chat", "chat", "open the chat in the browser")
    chat.add_argument("--port", type=int, default=8501)
    chat.add_argument("--index", type=Path)
    verb(verbs, "doctor", "doctor", "check this machine and the artefacts, and say what makes what is missing")
    return parser


def _common() -> _Parser:
    common = _Parser(add_help=False)
    group = common.add_argument_group("everywhere")
    group.add_argument("--config", type=Path, help="YAML of settings")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting; repeatable"
    )
    group.add_argument("--seed", type=int)
    group.add_argument("--offline", action="store_true", help="never contact a hub")
    group.add_argument("--json", action="store_true", help="machine-readable output")
    group.add_argument("--limit", type=int, metavar="N", help="only the first N items: a smoke run")
    group.add_argument("--debug", action="store_true", help="add the traceback to an error")
    return common


if __name__ == "__main__":
    end(main())
