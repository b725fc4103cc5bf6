"""How well does the embedded model read? MedQuAD's test questions with sources at hand, taken away, and made-up diseases.

    python benchmarks/nano.py --corpus runs/medquad/corpus --index runs/medquad/index-topic
        --texts ../shared/data/openstax-ccby/modules.jsonl.xz [--model FOLDER] [--adapter FOLDER] [--parts medquad,...]

The index is one whose text leaves the questions out (``medqa index build --set passages.header=topic``). Of every question
the product's three passages are shown; where none of them belongs to the pair, its first passage takes the place of the
third: reading is measured, not search. "Answer removed" shows three passages that do not answer: the nearest of other topics,
or of the same topic on another aspect. Every figure has its 95 % interval (means: bootstrap over questions; shares: Wilson)
and its target. Answers are kept with ``--out``. ``--save-sheets FILE`` writes questions and passages and ends; ``--sheets
FILE`` asks those, on a machine that holds neither corpus nor index.
"""

import argparse
import json
import lzma
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.nano_speed import speed
from benchmarks.retrieval_sets import in_own_words
from eval.bootstrap import bootstrap_mean
from eval.questions import pick_questions, references
from eval.rouge import rouge_scores
from eval.text_metrics import strip_markers
from finetune.examples import sentences_of
from finetune.negatives import other_aspect, relation_keys
from ingest.corpus import read_corpus
from medqa.environment import prepare
from medqa.hardware import pick_device, pick_dtype
from medqa.paths import PROJECT
from medqa.records import Passage, QAPair
from medqa.settings import RetrievalSettings
from models.recipe.evaluate import Asked, answer_all, copy_counts, evaluate_made_up, refused, wilson
from models.recipe.examples import Example
from models.recipe.prose import Lexicon, build_lexicon, read_modules, training_modules
from rag.generators import load_model
from rag.prompt import Source, fit_sources, grounded_messages
from retrieval.command import load_ranking
from retrieval.encoder import load_encoder
from retrieval.index import Index

SHOWN = 3
NEW_TOKENS = 256
CONTEXT = 2048
RESAMPLES = 2000
DEPTH = 60
"""Passages looked at for those that do not answer."""
PARTS = ("medquad", "made-up", "speed")
TARGETS = {
    "ROUGE-L, sources at hand": ">= .38, with adapter >= .50",
    "refused though at hand": "<= .05",
    "refused, removed (other topics)": ">= .85",
    "refused, removed (same topic, other aspect)": ">= .85",
    "words found in the cited source": ">= .98",
    "rare words found there": ">= .95",
    "verbatim sentences with the right marker": ">= .95",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A question with the passages of every variant; an empty variant could not be made."""

    question: str
    reference: str
    present: tuple[Passage, ...]
    other_topics: tuple[Passage, ...]
    other_aspect: tuple[Passage, ...]


def make_sheets(corpus_folder: Path, index_folder: Path, split: str, questions: int, own_words: bool) -> list[Sheet]:
    """The sheets of ``questions`` pairs of ``split``, drawn with seed 0; asked as the corpus does, or as people might."""
    corpus = read_corpus(corpus_folder)
    index = Index.open(index_folder, load_encoder(RetrievalSettings().encoder, 64))
    if "question" in index.manifest["settings"]["header"]:
        raise SystemExit("wanted an index without the questions; build it with --set passages.header=topic")
    asking = pick_questions(corpus, split, questions, 0)
    return sheets(worded(asking) if own_words else asking, {p.id: p for p in corpus.pairs}, index)


def worded(pairs: Sequence[QAPair]) -> list[QAPair]:
    """``pairs`` asked in people's words, under the topic's own name: what a source calls it otherwise is not tested here."""
    asked = in_own_words([replace(p, synonyms=()) for p in pairs], 0)
    return [replace(p, question=a.question) for p, a in zip(pairs, asked, strict=True)]


def write_sheets(path: Path, made: Sequence[Sheet]) -> None:
    """One JSON object a line, compressed if ``path`` ends on .xz."""
    with _open(path, "wt") as stream:
        stream.writelines(json.dumps(asdict(sheet), ensure_ascii=False) + "\n" for sheet in made)


def read_sheets(path: Path) -> list[Sheet]:
    """What ``write_sheets`` wrote."""
    with _open(path, "rt") as stream:
        rows = [json.loads(line) for line in stream]
    kinds = ("present", "other_topics", "other_aspect")
    return [Sheet(**row | {kind: tuple(map(_passage, row[kind])) for kind in kinds}) for row in rows]


def _passage(fields: dict[str, Any]) -> Passage:
    return Passage(**fields | {"sentences": tuple((start, end) for start, end in fields["sentences"])})


def _open(path: Path, mode: str) -> Any:
    return lzma.open(path, mode, encoding="utf-8") if path.suffix == ".xz" else path.open(mode, encoding="utf-8")


def sheets(pairs: Sequence[QAPair], owners: dict[str, QAPair], index: Index) -> list[Sheet]:
    """The passages for every pair, from one search each."""
    texts = references(pairs)
    own: dict[str, list[Passage]] = {pair.id: [] for pair in pairs}
    for passage in index.passages:  # once: every look makes the record anew from the mapped file
        if passage.pair_id in own:
            own[passage.pair_id].append(passage)
    found = []
    questions = [p.question for p in pairs]
    shown = index.search(questions, SHOWN, ranking=load_ranking(RetrievalSettings(), index.encoder))  # as the product
    around = index.search(questions, DEPTH)  # the product's own list may hold one topic and nothing else
    for pair, first, hits in zip(pairs, shown, around, strict=True):
        both = ([h.passage for h in first], [h.passage for h in hits])
        found.append(Sheet(pair.question, texts[pair.id], *variants(pair, *both, own[pair.id], owners)))
    return found


def variants(
    pair: QAPair, shown: Sequence[Passage], ranked: Sequence[Passage], own: Sequence[Passage], owners: dict[str, QAPair]
) -> tuple[tuple[Passage, ...], tuple[Passage, ...], tuple[Passage, ...]]:
    """(present, other topics, other aspect): of the passages that the product shows, and of ``ranked``, the nearest ones."""
    present = list(shown[:SHOWN])
    if not any(p.pair_id == pair.id for p in present):
        present[-1:] = own[:1]
    keys = relation_keys(pair)
    related = [bool(keys & relation_keys(owners[p.pair_id])) for p in ranked]
    elsewhere = [p for p, near in zip(ranked, related, strict=True) if not near]
    same = {key for key in keys if key[0] in ("question", "answer", "pair")}
    aside = [
        p
        for p, near in zip(ranked, related, strict=True)
        if near and other_aspect(pair, owners[p.pair_id]) and not same & relation_keys(owners[p.pair_id])
    ]
    return tuple(present), tuple(elsewhere[:SHOWN]), tuple([*aside, *elsewhere][:SHOWN]) if aside else ()


def asked(tokenizer: Any, question: str, passages: Sequence[Passage]) -> Asked:
    """The question as the product puts it."""
    sources = [Source(p.text, p.title) for p in passages]
    _, kept, _ = fit_sources(tokenizer, question, sources, CONTEXT - NEW_TOKENS)
    return Asked(Example(grounded_messages(question, kept), "", "medquad", question, tuple(kept)), "")


def medquad(model: Any, tokenizer: Any, device: str, made: Sequence[Sheet], lexicon: Lexicon, keep: Callable) -> None:
    """Answer all variants and print the figures."""

    def answers(name: str) -> list[Asked]:
        shown = [(s, passages) for s in made if (passages := getattr(s, name))]
        said = answer_all(model, tokenizer, [asked(tokenizer, s.question, p) for s, p in shown], device, NEW_TOKENS)
        keep(name, [{"question": a.example.question, "said": a.said} for a in said])
        return said

    present = answers("present")
    means("ROUGE-L, sources at hand", [a.said for a in present], [s.reference for s in made])
    for n in (1, 2):
        quoted = [" ".join(x for p in s.present[:n] for x in sentences_of(p)) for s in made]
        means(f"(the first {n} of these passages, whole)", quoted, [s.reference for s in made])
    words = statistics.mean(len(strip_markers(a.said).split()) for a in present)
    print(f"{'words per answer; per reference':60} {words:.0f}; {_words([s.reference for s in made]):.0f}")
    share("refused though at hand", sum(refused(a.said) for a in present), len(present))
    for name, label in (("other_topics", "other topics"), ("other_aspect", "same topic, other aspect")):
        removed = answers(name)
        share(f"refused, removed ({label})", sum(refused(a.said) for a in removed), len(removed))
    for name, (right, total) in copy_counts(present, lexicon).items():
        share(name, right, total)


def _words(texts: Sequence[str]) -> float:
    return statistics.mean(len(t.split()) for t in texts)


def means(name: str, said: Sequence[str], reference: Sequence[str]) -> None:
    """ROUGE-L with its interval."""
    interval = bootstrap_mean([s["rougeL"] for s in rouge_scores(said, reference)], RESAMPLES, 0)
    line(name, f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]  of {len(said)}")


def share(name: str, right: int, total: int) -> None:
    """A share with its interval."""
    low, high = wilson(right, total)
    line(name, f"{right / total:.3f} [{low:.3f}, {high:.3f}]  {right}/{total}" if total else "none asked")


def line(name: str, figure: str) -> None:
    """One line of the table."""
    print(f"{name:60} {figure:36} {TARGETS.get(name, '')}", flush=True)


def load(folder: Path, adapter: Path | None, device: str, dtype: str) -> tuple[Any, Any]:
    """(model, tokenizer), the adapter's weights added to the model's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.to(device).eval(), AutoTokenizer.from_pretrained(folder)


def product_speed(folder: Path, adapter: Path | None, device: str, dtype: str) -> None:
    """The model loaded as the product loads it, and its speed."""
    started = time.perf_counter()
    reader = load_model(
        str(folder), str(adapter) if adapter else None, quantize="none", device=device, max_new_tokens=NEW_TOKENS,
        prompt_tokens=CONTEXT - NEW_TOKENS, batch_size=1, offline=True,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    with reader.opened() as (model, tokenizer):
        speed(model, tokenizer, device, dtype, seconds, [folder, *([adapter] if adapter else [])])


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--texts", type=Path, required=True, help="the textbook modules: held-out prose, rare words")
    parser.add_argument("--model", type=Path, default=PROJECT / "models/phi3-nano")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--own-words", action="store_true", help="ask in frames that no training saw")
    parser.add_argument("--save-sheets", type=Path, metavar="FILE")
    parser.add_argument("--sheets", type=Path, metavar="FILE", help="instead of --corpus and --index")
    parser.add_argument("--parts", default=list(PARTS), type=lambda text: text.split(","), metavar=",".join(PARTS))
    parser.add_argument("--out", type=Path, help="JSON file for the answers")
    args = parser.parse_args()
    if unknown := sorted(set(args.parts) - set(PARTS)):
        parser.error(f"wanted --parts of {', '.join(PARTS)}; found {', '.join(unknown)}")
    searches = args.save_sheets or ("medquad" in args.parts and not args.sheets)
    if searches and not (args.corpus and args.index):
        parser.error("wanted --corpus and --index, or --sheets, for the part medquad; or --parts made-up,speed")
    prepare(offline=True)
    if args.save_sheets:
        write_sheets(args.save_sheets, make_sheets(args.corpus, args.index, args.split, args.questions, args.own_words))
        return
    device = pick_device("auto")
    dtype = pick_dtype(device)
    import peft  # noqa: F401  (imported before the clock starts: loading is what is timed)
    from transformers import Phi3ForCausalLM  # noqa: F401

    kept: dict[str, Any] = {}

    def keep(name: str, rows: list[dict[str, str]]) -> None:
        kept[name] = rows
        if args.out:
            args.out.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")

    if "speed" in args.parts:
        product_speed(args.model, args.adapter, device, dtype)
    if args.parts == ["speed"]:
        return
    model, tokenizer = load(args.model, args.adapter, device, dtype)
    if "medquad" in args.parts:
        made = (
            read_sheets(args.sheets)
            if args.sheets
            else make_sheets(args.corpus, args.index, args.split, args.questions, args.own_words)
        )
        lexicon = build_lexicon(training_modules(read_modules(args.texts)))
        medquad(model, tokenizer, device, made, lexicon, keep)
    if "made-up" in args.parts:
        evaluate_made_up(model, tokenizer, args.texts, device)


if __name__ == "__main__":
    main()
