"""Pairs -> a new generation of an index: from scratch, or at a cost that follows the change."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, sha256_file
from medqa.manifest import is_current, read_manifest, recipe_key, write_manifest
from medqa.records import Passage, QAPair, Split
from retrieval import generations
from retrieval.calibration import METHOD, calibrate
from retrieval.contents import KIND, PASSAGES, VECTORS, Contents, load_contents, write_contents
from retrieval.encoder import Encoder
from retrieval.passages import CHUNKER, header_parts, make_passages

if TYPE_CHECKING:
    import numpy as np

_LARGE_REMOVAL = 0.1
"""Share of pairs whose removal has to be confirmed: more than a tenth is rather a wrong file than an edit."""
Known = dict[str, "np.ndarray"]
"""Embedded text -> its vector."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What an update changes. A pair is changed when any of its passages is; ``gone`` ones are absent from the corpus."""

    added: int
    changed: int
    removed: int
    unchanged: int
    gone: int
    """Of the pairs in the index, those that the corpus no longer has: removed with ``prune`` only."""
    passages_new: int
    passages_removed: int
    to_embed: int
    """Distinct texts without a vector yet."""


def build_index(
    pairs: Sequence[QAPair],
    corpus_fingerprint: str,
    index: Path,
    encoder: Encoder,
    *,
    splits: Sequence[Split],
    header: str,
    max_tokens: int,
    keep_generations: int,
    reuse: bool,
    seed: int,
    share: Sequence[Path] = (),
) -> dict[str, Any]:
    """Build a generation that holds exactly the pairs of ``splits``, and make it current.

    Args:
        pairs: of all splits.
        corpus_fingerprint: hash of ``pairs``' content.
        index: the index folder.
        encoder: embeds the passages; its fingerprint goes into the manifest.
        splits: which pairs go in.
        header: setting ``passages.header``.
        max_tokens: longest text of a passage.
        keep_generations: how many stay on disk.
        reuse: leave an index alone that this recipe already made, and take over vectors of the current generation.
        seed: decides the sample of the calibration.
        share: other index folders whose vectors may be taken over (held-out and open-book from one corpus).

    Raises:
        MedqaError: nothing to index, a bad header, a passage beyond the encoder's limit, another writer, a full disk.
    """
    began = time.perf_counter()
    settings = _settings(splits, header, max_tokens, seed)
    inputs = {"corpus": corpus_fingerprint, "encoder": encoder.fingerprint}
    now = generations.find_current(index)
    if reuse and now is not None and is_current(now, KIND, recipe_key(KIND, inputs, settings)):
        manifest = read_manifest(now, KIND, "medqa index build")
        return _summary(index, now.name, manifest, embedded=0, reused=True, began=began)
    chosen = _of_splits(pairs, splits)
    with generations.writer(index):
        passages = _passages(chosen, header, max_tokens, encoder)
        known = known_vectors([*([index] if reuse else []), *share], encoder)
        vectors, embedded = _embed(passages, known, encoder)
        name, manifest = _publish(index, chosen, passages, vectors, encoder, inputs, settings, keep_generations)
    return _summary(index, name, manifest, embedded=embedded, reused=False, began=began)


def update_index(
    pairs: Sequence[QAPair],
    corpus_fingerprint: str,
    index: Path,
    encoder: Encoder,
    *,
    splits: Sequence[Split],
    header: str,
    max_tokens: int,
    keep_generations: int,
    seed: int,
    prune: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Bring the index to the state of ``pairs``, embedding only texts that it has no vector for.

    Pairs that ``pairs`` no longer holds stay unless ``prune``; those that ``splits`` leaves out always go.
    With ``dry_run`` the difference is reported and nothing written.

    Raises:
        MedqaError: no index yet; another encoder's index; more than a tenth of the pairs would go without ``force``;
            vanished pairs would stay although splits, header or passage length change.
    """
    began = time.perf_counter()
    generations.current(index)  # a missing index is refused before the lock makes its folder
    chosen = _of_splits(pairs, splits)
    settings = _settings(splits, header, max_tokens, seed)
    inputs = {"corpus": corpus_fingerprint, "encoder": encoder.fingerprint}
    with nullcontext() if dry_run else generations.writer(index):
        old = load_contents(generations.current(index))
        _refuse_other_encoder(index, old, encoder)
        passages = _passages(chosen, header, max_tokens, encoder)
        gone = sorted({p.pair_id for p in old.passages} - {p.id for p in pairs})
        if gone and not prune:
            _refuse_mixture(index, old.manifest["settings"], settings, len(gone))
            stay = set(gone)
            passages = _ordered([*passages, *(p for p in old.passages if p.pair_id in stay)])
            settings["kept_gone"] = sha256_bytes("\n".join(gone).encode())
        difference = _diff(old.passages, passages, len(gone))
        report = {"diff": asdict(difference), "dry_run": dry_run}
        if dry_run or recipe_key(KIND, inputs, settings) == old.manifest["key"]:
            return report | _summary(index, old.folder.name, old.manifest, embedded=0, reused=True, began=began)
        _refuse_large_removal(index, difference, force)
        vectors, embedded = _embed(passages, _known([old], encoder), encoder)
        name, manifest = _publish(index, chosen, passages, vectors, encoder, inputs, settings, keep_generations)
    return report | _summary(index, name, manifest, embedded=embedded, reused=False, began=began)


def _settings(splits: Sequence[Split], header: str, max_tokens: int, seed: int) -> dict[str, Any]:
    return {
        "splits": sorted(splits),
        "header": "+".join(header_parts(header)) or "none",
        "max_tokens": max_tokens,
        "chunker": CHUNKER,
        "calibration": METHOD,
        "seed": seed,
    }


def _of_splits(pairs: Sequence[QAPair], splits: Sequence[Split]) -> list[QAPair]:
    wanted = set(splits)
    chosen = [p for p in pairs if p.split in wanted]
    if not any(p.answer.strip() for p in chosen):
        raise MedqaError(
            f"wanted pairs with answers in the splits {', '.join(splits)}, found none among {len(pairs)}; "
            "give other --splits or another --corpus"
        )
    return chosen


def _passages(pairs: Sequence[QAPair], header: str, max_tokens: int, encoder: Encoder) -> list[Passage]:
    made = make_passages(pairs, header_parts(header), encoder.count_tokens, max_tokens, encoder.max_tokens)
    return _ordered(made)


def _ordered(passages: Sequence[Passage]) -> list[Passage]:
    """By pair id and place in the answer: an index does not depend on the order of rows, and ties fall by id."""
    return sorted(passages, key=lambda p: (p.pair_id, int(p.id.rsplit(":", 2)[1])))


def _loaded(indexes: Sequence[Path]) -> list[Contents]:
    """The current generations of ``indexes``, without those that are missing or do not load."""
    found = []
    for index in indexes:
        try:
            found.append(load_contents(generations.current(index)))
        except MedqaError:
            continue
    return found


def known_vectors(indexes: Sequence[Path], encoder: Encoder) -> Known:
    """Vectors by embedded text in the current generations of ``indexes``, as far as they are ``encoder``'s and undamaged."""
    return _known(_loaded(indexes), encoder)


def _known(sources: Sequence[Contents], encoder: Encoder) -> Known:
    """Vectors of ``sources`` where the encoder is the same and the files still have their hashes: damaged ones are made
    again rather than trusted."""
    known: dict[str, np.ndarray] = {}
    for contents in sources:
        hashes = contents.manifest["outputs"]
        sound = all(sha256_file(contents.folder / name) == hashes[name] for name in (PASSAGES, VECTORS))
        if sound and contents.manifest["inputs"]["encoder"] == encoder.fingerprint:
            known |= dict(zip((p.embedded_text for p in contents.passages), contents.vectors(), strict=True))
    return known


def _embed(passages: Sequence[Passage], known: Known, encoder: Encoder) -> tuple["np.ndarray", int]:
    """(n_passages, dim) vectors and how many texts were embedded; equal texts are embedded once."""
    import numpy as np

    texts = [p.embedded_text for p in passages]
    new = [text for text in dict.fromkeys(texts) if text not in known]
    fresh = dict(zip(new, encoder.encode_passages(new, progress=True), strict=True)) if new else {}
    rows = [fresh[text] if text in fresh else known[text] for text in texts]
    return np.stack(rows).astype(np.float32), len(new)


def _publish(
    index: Path,
    pairs: Sequence[QAPair],
    passages: Sequence[Passage],
    vectors: "np.ndarray",
    encoder: Encoder,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    keep: int,
) -> tuple[str, dict[str, Any]]:
    """Write a generation and make it current; its name and manifest."""
    calibration = calibrate(pairs, passages, vectors, encoder, "question" in settings["header"], settings["seed"])
    facts = {
        "pairs": len({p.pair_id for p in passages}),
        "passages": len(passages),
        "dim": encoder.dim,
        "calibration": calibration,
    }
    with generations.new_generation(index, keep) as folder:
        write_contents(folder, passages, vectors)
        manifest = write_manifest(folder, KIND, inputs, settings, facts)
    return generations.current(index).name, manifest


def _diff(old: Sequence[Passage], new: Sequence[Passage], gone: int) -> Diff:
    before, after = _by_pair(old), _by_pair(new)
    both = before.keys() & after.keys()
    unchanged = sum(before[pair] == after[pair] for pair in both)
    old_ids, new_ids = {p.id for p in old}, {p.id for p in new}
    return Diff(
        added=len(after.keys() - before.keys()),
        changed=len(both) - unchanged,
        removed=len(before.keys() - after.keys()),
        unchanged=unchanged,
        gone=gone,
        passages_new=len(new_ids - old_ids),
        passages_removed=len(old_ids - new_ids),
        to_embed=len({p.embedded_text for p in new} - {p.embedded_text for p in old}),
    )


def _by_pair(passages: Sequence[Passage]) -> dict[str, list[Passage]]:
    grouped: dict[str, list[Passage]] = {}
    for passage in passages:
        grouped.setdefault(passage.pair_id, []).append(passage)
    return grouped


def _refuse_other_encoder(index: Path, old: Contents, encoder: Encoder) -> None:
    if old.manifest["inputs"]["encoder"] != encoder.fingerprint:
        raise MedqaError(
            f"wanted {index} made by the encoder given, found another encoder's vectors; "
            f"make it again with: medqa index build --index {index}"
        )


def _refuse_mixture(index: Path, old: Mapping[str, Any], new: Mapping[str, Any], gone: int) -> None:
    """Vanished pairs have no split and no question any more, so they cannot follow a change of the recipe."""
    changed = [key for key in ("splits", "header", "max_tokens", "chunker") if old.get(key) != new[key]]
    if changed:
        raise MedqaError(
            f"wanted to keep {gone} pairs that the corpus no longer has, found another {' and '.join(changed)} than in "
            f"{index}; add --prune to remove them, or use the same settings"
        )


def _refuse_large_removal(index: Path, difference: Diff, force: bool) -> None:
    before = difference.removed + difference.changed + difference.unchanged
    if difference.removed > _LARGE_REMOVAL * before and not force:
        raise MedqaError(
            f"wanted to remove at most a tenth of the {before} pairs in {index}, found {difference.removed} to remove; "
            "check --corpus and --splits, then add --force"
        )


def _summary(
    index: Path, generation: str, manifest: Mapping[str, Any], *, embedded: int, reused: bool, began: float
) -> dict[str, Any]:
    return {
        "index": str(index),
        "generation": generation,
        "reused": reused,
        "pairs": manifest["pairs"],
        "passages": manifest["passages"],
        "embedded": embedded,
        "calibration": manifest["calibration"],
        "seconds": round(time.perf_counter() - began, 3),
    }
