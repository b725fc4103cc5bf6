"""What a generator is trained on: examples built from the corpus or ready-made, and those that it rehearses."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.examples import Example, Shares
from finetune.jsonl import read_examples, refuse_held_out, write_examples
from finetune.more_frames import read_frames
from ingest.corpus import Corpus, read_corpus
from medqa.adapter import MAKE
from medqa.errors import MedqaError
from medqa.files import sha256_file
from medqa.paths import locate
from medqa.processes import say
from medqa.settings import Settings

if TYPE_CHECKING:
    from retrieval.encoder import Encoder


def export_examples(settings: Settings, limit: int | None, export: Path) -> dict[str, Any]:
    """Write the examples of the corpus to ``export``; those that are rehearsed are a file already. Returns what was made."""
    train_examples, eval_examples = _of_the_corpus(settings, load_corpus(settings), limit)
    write_examples(export, [*train_examples, *eval_examples])
    return {"examples": str(export), "train": len(train_examples), "validation": len(eval_examples)}


def load_corpus(settings: Settings) -> Corpus | None:
    """The corpus; None where ready-made examples travelled without it."""
    path = locate(settings.corpus)
    if settings.finetune.examples is not None and not path.exists():
        say(f"no corpus at {path}: the examples cannot be checked for held-out pairs here")
        return None
    return read_corpus(path)


def recipe_inputs(settings: Settings, corpus: Corpus | None, base: str) -> dict[str, str]:
    """Name -> hash of what a run reads: base model, the corpus and further frames or ready-made examples, those rehearsed.

    Raises:
        MedqaError: a file of examples that is not there.
    """
    fs = settings.finetune
    inputs = {"base": base}
    if fs.examples is not None:
        inputs["examples"] = _hash(
            locate(fs.examples), "examples", f"write them with: {MAKE} --export {locate(fs.examples)}"
        )
    else:
        assert corpus is not None  # only ready-made examples do without
        inputs["corpus"] = corpus.fingerprint
        if fs.frames is not None:
            inputs["frames"] = _hash(locate(fs.frames), "frames", "name another file or set finetune.frames=null")
    if fs.rehearsal is not None:
        inputs["rehearsal"] = _hash(
            locate(fs.rehearsal), "examples to rehearse", "name another file or set finetune.rehearsal=null"
        )
    return inputs


def _hash(path: Path, what: str, hint: str) -> str:
    if not path.is_file():
        raise MedqaError(f"wanted {what} at {path}, found none; {hint}")
    return sha256_file(path)


def load_examples(settings: Settings, corpus: Corpus | None, limit: int | None) -> tuple[list[Example], list[Example]]:
    """(training, validation) examples of the recipe: the ready-made ones, or built from ``corpus``; then those rehearsed.

    Args:
        settings: the recipe.
        corpus: to build from and to check for held-out pairs; None where ready-made examples travelled without it.
        limit: train pairs used, and examples rehearsed; None for all.
    """
    train_examples, eval_examples = _of_the_corpus(settings, corpus, limit)
    if settings.finetune.rehearsal is not None:
        train_examples = [*train_examples, *_rehearsed(locate(settings.finetune.rehearsal), corpus)[:limit]]
    return train_examples, eval_examples


def _of_the_corpus(settings: Settings, corpus: Corpus | None, limit: int | None) -> tuple[list[Example], list[Example]]:
    fs = settings.finetune
    if fs.examples is not None:
        return _ready_made(locate(fs.examples), corpus, limit, fs.eval_examples)
    from finetune.sets import build_sets
    from retrieval.encoder import load_encoder
    from retrieval.passages import header_parts, make_passages
    from retrieval.reuse import ReusingEncoder

    assert corpus is not None  # only ready-made examples do without
    parts = header_parts(settings.passages.header)
    plain: Encoder = load_encoder(settings.retrieval.encoder, settings.retrieval.batch_size)
    encoder = ReusingEncoder(plain, [locate(settings.index)])
    return build_sets(
        corpus.pairs,
        lambda pairs: make_passages(
            pairs, parts, encoder.count_tokens, settings.passages.max_tokens, encoder.max_tokens
        ),
        encoder,
        Shares(fs.closed_book, fs.grounded, fs.refusal),
        settings.seed,
        fs.max_answer_sentences,
        limit,
        fs.eval_examples,
        fs.draws,
        fs.people,
        None if fs.frames is None else read_frames(locate(fs.frames)),
    )


def _ready_made(
    path: Path, corpus: Corpus | None, limit: int | None, eval_limit: int
) -> tuple[list[Example], list[Example]]:
    examples = read_examples(path)
    train_examples = [e for e in examples if e.split == "train"][:limit]
    eval_examples = [e for e in examples if e.split == "validation"][:eval_limit]
    if not train_examples or not eval_examples:
        raise MedqaError(
            f"wanted examples of train and of validation in {path}, found {len(train_examples)} and {len(eval_examples)}; "
            f"write both with: {MAKE} --export {path}"
        )
    if corpus is not None:
        refuse_held_out(train_examples, corpus.of(("validation", "test")))
        refuse_held_out(eval_examples, corpus.of(("test",)))
    return train_examples, eval_examples


def _rehearsed(path: Path, corpus: Corpus | None) -> list[Example]:
    examples = [e for e in read_examples(path) if e.split == "train"]
    if not examples:
        raise MedqaError(f"wanted training examples to rehearse in {path}, found none; set finetune.rehearsal=null")
    if corpus is not None:
        refuse_held_out(examples, corpus.of(("validation", "test")))
    return examples
