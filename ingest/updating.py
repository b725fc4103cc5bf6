"""The body of ``medqa ingest SOURCE --update CORPUS``: the difference, then a corpus in which no old row has moved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ingest.build import Cleaned
from ingest.clean import CleanRow, Drop, Packed, Rows, duplicate_of, pack, pair_hash, shown
from ingest.command import KIND, fingerprints, read_and_clean, recorded_settings, semantic_link, split_plan, summarise
from ingest.corpus import check_corpus, stream_corpus
from ingest.placing import Next, place_rows
from ingest.rules import EXACT_DUPLICATE, REMOVED, REPLACED
from ingest.screen import Screened, count_rows
from ingest.semantic import Embed
from ingest.spool import Spool
from ingest.update import Matches, TwoSided, match, merged
from ingest.writing import DROPPED, read_drops, read_screened, write_corpus
from medqa.errors import MedqaError
from medqa.files import read_json, staged_folder
from medqa.manifest import read_manifest, write_manifest
from medqa.records import QAPair
from medqa.settings import Settings

_LARGE_REMOVAL = 0.1
"""Share of rows whose removal has to be confirmed: more than a tenth is rather a wrong file than an edit."""

Announce = Callable[[Mapping[str, Any]], None]


def update(
    sources: Sequence[Path],
    corpus: Path,
    settings: Settings,
    *,
    prune: bool = False,
    force: bool = False,
    dry_run: bool = False,
    limit: int | None = None,
    embed: Embed | None = None,
    announce: Announce = lambda difference: None,
) -> dict[str, Any]:
    """Bring ``corpus`` to the state of ``sources``; no row that is in it changes its split.

    The corpus is cleaned and compared by the settings that it was made with. Rows that ``sources`` do not have stay, unless
    ``prune``. ``announce`` gets the difference before anything is written; ``dry_run`` stops there.

    Raises:
        MedqaError: no corpus there, unreadable input, or more than a tenth of the rows would go without ``force``.
    """
    if prune and limit is not None:
        raise MedqaError("wanted --prune or --limit, found both: rows beyond the limit would count as gone")
    manifest = read_manifest(corpus, KIND, f"medqa ingest SOURCE --out {corpus}")
    settings = recorded_settings(manifest, settings)
    inputs = {"base": check_corpus(corpus), **fingerprints(sources)}
    before = read_json(corpus / "report.json")
    names = {name.split(" ", 1)[1] for name in manifest["inputs"] if " " in name} | {s.name for s in sources}
    with ExitStack() as stack:
        had_ids = before["ids"] == "the data's own"
        cleaned = read_and_clean(sources, settings.ingest, limit, corpus.parent, stack, own_ids=had_ids)
        spool = stack.enter_context(Spool[Packed](corpus.parent))
        old = _old_rows(stream_corpus(corpus), spool)
        matches = match(old, cleaned.rows, cleaned.own_ids, names)
        gone = matches.gone if prune else []
        counts = {
            "added": len(matches.added),
            "changed": len(matches.changed),
            "removed": len(gone),
            "already_there": matches.already,
            "not_in_the_new_data": len(matches.gone),
        }
        difference = {**counts, "diff": _told(old, cleaned.rows, matches, gone)}
        announce(difference)
        _refuse_large_removal(corpus, len(gone), len(old), force)
        fresh = _fresh_drops(cleaned, old, matches, gone, corpus / DROPPED)
        if dry_run or not (matches.added or matches.changed or gone or fresh):
            return {**difference, "corpus": str(corpus), "dry_run": dry_run, "reused": not dry_run}

        drops = stack.enter_context(Spool[Drop](corpus.parent))
        for drop in (*read_drops(corpus / DROPPED), *fresh):
            drops.append(drop)
        screened = stack.enter_context(Spool[Screened](corpus.parent))
        for place in dict.fromkeys([*read_screened(corpus), *cleaned.screened]):
            screened.append(place)
        unanswered = before["documents_without_answers"] + cleaned.documents_without_answers
        next_rows = _next_rows(old, cleaned.rows, matches, set(gone), spool, had_ids)
        state = Cleaned(next_rows.rows, drops, screened, had_ids, unanswered)
        plan = split_plan(settings)
        link = semantic_link(settings.ingest, embed)
        near_link = (lambda near: link(next_rows.rows, near)) if link is not None else None
        made, two_sided = place_rows(next_rows, state, plan, settings.split.two_sided, near_link)
        made.report["phi"] = count_rows(screened, settings.ingest.phi)
        made.report["update"] = {**counts, "joined_two_sides": two_sided}
        if two_sided:
            made.report["warnings"].append(_two_sided_warning(two_sided, settings.split.two_sided))
        summary = {**counts, "joined_two_sides": two_sided, **summarise(made.report)}
        history = [
            *manifest.get("updates", []),
            {
                "inputs": fingerprints(sources),
                "rows": made.report["update"],
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        ]
        with staged_folder(corpus) as stage:
            write_corpus(stage, made, screened)
            write_manifest(
                stage, KIND, inputs, manifest["settings"], {"summary": summarise(made.report), "updates": history}
            )
    return {**summary, "diff": difference["diff"], "corpus": str(corpus), "dry_run": False, "reused": False}


def _old_rows(pairs: Iterator[QAPair], spool: Spool[Packed]) -> Rows:
    ids = []
    for pair in pairs:
        spool.append(pack(CleanRow(pair, pair.source, 0)))
        ids.append(pair.id)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return Rows(spool, np.array(order, np.int64), [ids[i] for i in order])


def _told(old: Rows, new: Rows, matches: Matches, gone: Sequence[int]) -> dict[str, list[dict[str, str]]]:
    """The difference row by row: id and question, for a removed or changed row its split as well."""
    return {
        "added": [{"id": new.ids[n], "question": new[n].pair.question} for n in matches.added],
        "changed": [
            {"id": old.ids[o], "split": old[o].pair.split, "question": new[n].pair.question} for o, n in matches.changed
        ],
        "removed": [{"id": old.ids[o], "split": old[o].pair.split, "question": old[o].pair.question} for o in gone],
    }


def _refuse_large_removal(corpus: Path, removed: int, rows: int, force: bool) -> None:
    if removed > _LARGE_REMOVAL * rows and not force:
        raise MedqaError(
            f"wanted to remove at most a tenth of the {rows} rows in {corpus}, found {removed} to remove; "
            "check the input, then add --force"
        )


def _fresh_drops(cleaned: Cleaned, old: Rows, matches: Matches, gone: Sequence[int], known: Path) -> list[Drop]:
    """What this update adds to ``dropped.csv``: bad rows of the new data not listed yet, and rows that leave the corpus."""
    listed = {_identity(drop) for drop in read_drops(known)}
    new = cleaned.rows
    repeated = [
        duplicate_of(replace(old[o], file=f"corpus id {old.ids[o]},"), new[n], EXACT_DUPLICATE)
        for o, n in matches.repeated
    ]
    bad = [drop for drop in (*cleaned.drops, *repeated) if _identity(drop) not in listed]
    # A row of which only particulars changed has lost nothing that a person would miss.
    texts = [o for o, n in matches.changed if pair_hash(old[o].pair) != pair_hash(new[n].pair)]
    return [*bad, *(_left(old[o], REPLACED) for o in texts), *(_left(old[o], REMOVED) for o in gone)]


def _identity(drop: Drop) -> tuple[str, int, str, str]:
    return drop.file, drop.row, drop.reason, drop.question


def _left(row: CleanRow, reason: str) -> Drop:
    detail = f"id {row.pair.id}, was in {row.pair.split}"
    return Drop(row.pair.source, row.row, reason, detail, *shown(row.pair.question, row.pair.answer))


def _next_rows(old: Rows, new: Rows, matches: Matches, gone: set[int], spool: Spool[Packed], own_ids: bool) -> Next:
    """Old rows but those gone, changed ones with their new text, and added ones; by id.

    An added row that says what a changed one used to say keeps that one's split: whoever trained on the corpus has read it.
    """
    changed = dict(matches.changed)
    former = {pair_hash(old[o].pair): old[o].pair.split for o in changed}
    listed: list[tuple[str, int, str, str, bool]] = []  # id, number on the spool, split, cluster, changed
    taken = set(old.ids)
    for o, row in enumerate(old):
        if o in gone:
            continue
        pair = merged(row.pair, new[changed[o]]) if o in changed else row.pair
        number = spool.append(pack(replace(row, pair=pair)))
        listed.append((pair.id, number, pair.split, pair.cluster, o in changed))
    for n in matches.added:
        row = new[n]
        pair_id = _free(row.pair.id if own_ids and row.pair.id else pair_hash(row.pair), taken)
        taken.add(pair_id)
        split = former.get(pair_hash(row.pair), "")
        number = spool.append(pack(replace(row, pair=replace(row.pair, id=pair_id))))
        listed.append((pair_id, number, split, "", split != ""))  # as a changed one, its relations are looked at again
    listed.sort()
    ids, numbers, splits, clusters, is_changed = (list(column) for column in zip(*listed, strict=True))
    return Next(
        Rows(spool, np.array(numbers, np.int64), ids),
        np.array(splits, dtype="U10"),
        clusters,
        np.array(is_changed, bool),
    )


def _free(pair_id: str, taken: set[str]) -> str:
    """``pair_id``, numbered if an old row that was changed still has it."""
    number = 2
    found = pair_id
    while found in taken:
        found, number = f"{pair_id}-{number}", number + 1
    return found


def _two_sided_warning(rows: int, policy: TwoSided) -> str:
    if policy == "drop":
        return f"{rows} new or changed rows were related to two splits and were left out; they are in dropped.csv."
    return (
        f"{rows} new or changed rows are related to two splits; new ones went to train. The certificate counts what they "
        "share; --set split.two_sided=drop leaves such rows out."
    )
