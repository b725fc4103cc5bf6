"""The body of ``medqa ingest``, where settings become plain arguments: read, clean, group, split, certify, write."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from ingest.build import Cleaned, Link, SplitPlan, clean, split_and_certify
from ingest.hub import hub_revision, is_hub_id
from ingest.raw import RawRow
from ingest.readers import read_rows
from ingest.report import ordered_reasons
from ingest.rules import Rules
from ingest.screen import count_rows
from ingest.semantic import Embed, link_semantic
from ingest.spool import Spool
from ingest.writing import write_corpus
from medqa.errors import MedqaError
from medqa.files import sha256_file, sha256_tree, staged_folder
from medqa.manifest import MANIFEST, is_current, read_manifest, recipe_key, write_manifest
from medqa.settings import IngestSettings, Settings, SplitSettings

KIND = "corpus"


def ingest(
    sources: Sequence[Path], out: Path, settings: Settings, limit: int | None = None, embed: Embed | None = None
) -> dict[str, Any]:
    """Make the corpus ``out`` from ``sources`` and return a summary; an unchanged corpus is reused.

    ``limit`` takes the first rows only, over all sources. ``embed`` is needed for ``ingest.semantic``. A run that fails
    leaves ``out`` as it was.

    Raises:
        MedqaError: unreadable input, nothing left after cleaning, or ``out`` is something other than a corpus, or one that
            was updated since it was made.
    """
    if not sources:
        raise MedqaError("wanted at least one input, found none; run: medqa ingest SOURCE... --out CORPUS")
    check_target(out)
    inputs = fingerprints(sources)
    recipe = {
        "ingest": settings.ingest.model_dump(),
        "split": settings.split.model_dump(),
        "seed": settings.seed,
        "limit": limit,
    }
    if is_current(out, KIND, recipe_key(KIND, inputs, recipe)):
        return {**read_manifest(out, KIND, "medqa ingest")["summary"], "corpus": str(out), "reused": True}
    _refuse_updated(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        cleaned = read_and_clean(sources, settings.ingest, limit, out.parent, stack)
        if not cleaned.rows.ids:
            raise MedqaError(_nothing_left(sources, cleaned))
        made = split_and_certify(cleaned, split_plan(settings), semantic_link(settings.ingest, embed))
        made.report["phi"] = count_rows(cleaned.screened, settings.ingest.phi)
        summary = summarise(made.report)
        with staged_folder(out) as stage:
            write_corpus(stage, made, cleaned.screened)
            write_manifest(stage, KIND, inputs, recipe, {"summary": summary})
    return {**summary, "corpus": str(out), "reused": False}


def read_and_clean(
    sources: Sequence[Path],
    settings: IngestSettings,
    limit: int | None,
    folder: Path,
    stack: ExitStack,
    own_ids: bool = True,
) -> Cleaned:
    """The cleaned rows of ``sources``, on spools in ``folder`` that ``stack`` closes.

    ``own_ids`` may forbid the data's own ids.
    """
    kept, drops, screened = (stack.enter_context(Spool[Any](folder)) for _ in range(3))
    rows = islice(_all_rows(sources, settings.columns), limit)
    return clean(
        rows, cleaning_rules(settings), settings.phi, settings.drop_exact_duplicates, own_ids, kept, drops, screened
    )


def cleaning_rules(settings: IngestSettings) -> Rules:
    """The section ``ingest`` as the cleaning rules take it."""
    return Rules(
        unicode=settings.unicode,
        markup=settings.markup,
        whitespace=settings.whitespace,
        lowercase=settings.lowercase,
        unwanted=re.compile(settings.unwanted) if settings.unwanted else None,
        drop_placeholders=settings.drop_placeholders,
        drop_ambiguous=settings.drop_ambiguous,
        min_question_words=settings.min_question_words,
        min_answer_words=settings.min_answer_words,
        drop_question_as_answer=settings.drop_question_as_answer,
    )


def split_plan(settings: Settings) -> SplitPlan:
    """The sections ``ingest`` and ``split`` as grouping and splitting take them."""
    small = settings.split.validation, settings.split.test
    return SplitPlan(
        shares={"train": 1 - sum(small), "validation": small[0], "test": small[1]},
        by=settings.split.by,
        synonyms=settings.split.synonyms,
        threshold=settings.ingest.near_duplicate,
        drop_near=settings.ingest.drop_near_duplicates,
        boilerplate=settings.ingest.boilerplate,
        seed=settings.seed,
    )


def semantic_link(settings: IngestSettings, embed: Embed | None) -> Link | None:
    """The join by meaning, if the settings ask for it."""
    threshold = settings.semantic
    if threshold is None:
        return None
    if embed is None:
        raise MedqaError("wanted an encoder for ingest.semantic, found none; set ingest.semantic=null")
    return lambda rows, near: link_semantic(rows, near, embed, threshold)


def check_target(out: Path) -> None:
    """Refuse to replace anything that is not a corpus.

    Raises:
        MedqaError: ``out`` is a file, or a folder with other content.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise MedqaError(f"wanted a folder for the corpus, found the file {out}; give another --out")
    if not (out / MANIFEST).is_file():
        if any(out.iterdir()):
            raise MedqaError(f"wanted a corpus or nothing at {out}, found a folder of other things; give another --out")
        return
    try:
        read_manifest(out, KIND, "medqa ingest")
    except MedqaError as error:
        raise MedqaError(f"{error}; or delete {out}, or give another --out") from error


def fingerprints(sources: Sequence[Path]) -> dict[str, str]:
    """Name of each source -> hash of its content, in the order given.

    Raises:
        MedqaError: a source does not exist or cannot be read.
    """
    hashes = {}
    for number, source in enumerate(sources, start=1):
        try:
            hashes[f"{number} {source.name}"] = _fingerprint(source)
        except FileNotFoundError:
            raise MedqaError(f"wanted an input at {source}, found nothing there; check the path") from None
        except OSError as error:
            raise MedqaError(f"wanted to read {source}, found: {error.strerror}; check its permissions") from error
    return hashes


def summarise(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line prints of a report."""
    certificate = report["certificate"]
    return {
        **report["rows"],
        "splits": {split: counts["rows"] for split, counts in report["splits"].items()},
        "groups": report["groups"]["count"],
        "largest_group": report["groups"]["largest"][0]["rows"],
        "personal_data": report["phi"]["rows"],
        "test_train": certificate["split"]["test/train"],
        "test_train_random_split": certificate["random"]["test/train"],
        "closest_test_train": certificate["closest"]["jaccard"],
        "warnings": report["warnings"],
    }


def recorded_settings(manifest: Mapping[str, Any], settings: Settings) -> Settings:
    """``settings`` with the sections that ``manifest``'s corpus was made with; column names given now count.

    Raises:
        MedqaError: the corpus was made by a version whose settings differ.
    """
    recipe = manifest["settings"]
    try:
        made_with = IngestSettings.model_validate(recipe["ingest"])
        split = SplitSettings.model_validate(recipe["split"])
    except (KeyError, ValueError) as error:
        raise MedqaError(
            "wanted a corpus made by this version, found other settings in its manifest; make it again with: medqa ingest"
        ) from error
    columns = settings.ingest.columns or made_with.columns
    return settings.model_copy(
        update={
            "ingest": made_with.model_copy(update={"columns": columns}),
            "split": split.model_copy(update={"two_sided": settings.split.two_sided}),
            "seed": recipe["seed"],
        }
    )


def _refuse_updated(out: Path) -> None:
    """A corpus that was updated cannot be made again from its first sources without moving rows between splits."""
    if (out / MANIFEST).is_file() and (updates := read_manifest(out, KIND, "medqa ingest").get("updates")):
        raise MedqaError(
            f"wanted a corpus at {out} that may be made afresh, found one with {len(updates)} updates, whose rows would change "
            f"split; add new data with --update {out}, or give another --out"
        )


def _fingerprint(source: Path) -> str:
    if is_hub_id(source):
        return hub_revision(source.as_posix())
    return sha256_tree(source) if source.is_dir() else sha256_file(source)


def _all_rows(sources: Sequence[Path], columns: Mapping[str, str]) -> Iterator[RawRow]:
    for source in sources:
        yield from read_rows(source, columns)


def _nothing_left(sources: Sequence[Path], cleaned: Cleaned) -> str:
    names = ", ".join(s.name for s in sources)
    if not len(cleaned.drops):
        return f"wanted rows in {names}, found a header only; give a file with rows"
    counts: dict[str, int] = {}
    for drop in cleaned.drops:
        counts[drop.reason] = counts.get(drop.reason, 0) + 1
    top = sorted(ordered_reasons(counts).items(), key=lambda item: -item[1])[:3]
    reasons = ", ".join(f"{reason} ({count})" for reason, count in top)
    return (
        f"wanted at least one usable row in {names}, found none of {len(cleaned.drops)}: {reasons}; "
        "check the file, ingest.columns and ingest.min_answer_words"
    )
