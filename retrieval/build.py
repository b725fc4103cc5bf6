"""Pairs -> a new generation of an index: from scratch, or at a cost that follows the change."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import sha256_bytes
from medqa.manifest import is_current, read_manifest, recipe_key, write_manifest
from medqa.records import Passage, QAPair, Split
from retrieval import generations
from retrieval.calibration import METHOD, calibrate
from retrieval.contents import KIND, Contents, is_whole, load_originals, write_contents, write_pairs
from retrieval.difference import compare, refuse_large_removal, refuse_mixture
from retrieval.encoder import Encoder
from retrieval.estimate import Estimate, check_room, peak_memory
from retrieval.fit import fit_lexical_weight
from retrieval.known import Known, known_from, pair_hash, sources_in
from retrieval.lexical import RECIPE, LexicalIndex
from retrieval.measured import carried_over, just_measured
from retrieval.passages import CHUNKER, header_parts, make_passages
from retrieval.stores import Storage, sweep_stores

if TYPE_CHECKING:
    import numpy as np

_DEFAULT = Storage()


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
    storage: Storage = _DEFAULT,
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
        storage: how the vectors are stored and searched.

    Raises:
        MedqaError: nothing to index, a bad header, a passage beyond the encoder's limit, too little disk or memory, another
            writer, a full disk.
    """
    began = time.perf_counter()
    settings = _settings(splits, header, max_tokens, seed, storage)
    inputs = {"corpus": corpus_fingerprint, "encoder": encoder.fingerprint}
    now = generations.find_current(index)
    if reuse and now is not None and is_current(now, KIND, recipe_key(KIND, inputs, settings)) and is_whole(now):
        manifest = read_manifest(now, KIND, "medqa index build")
        return _summary(index, now.name, manifest, embedded=0, reused=True, began=began)
    chosen = _of_splits(pairs, splits)
    with generations.writer(index):
        known = known_from(sources_in([*([index] if reuse else []), *share]), encoder, settings)
        passages = _passages(chosen, header, max_tokens, encoder, known)
        room = check_room(index, passages, encoder.dim, storage)
        vectors, embedded = _embed(passages, known, encoder)
        generation = _Generation(chosen, passages, vectors, room, known)
        name, manifest = _publish(index, generation, encoder, inputs, settings, keep_generations, storage)
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
    storage: Storage = _DEFAULT,
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
    settings = _settings(splits, header, max_tokens, seed, storage)
    inputs = {"corpus": corpus_fingerprint, "encoder": encoder.fingerprint}
    with nullcontext() if dry_run else generations.writer(index):
        old = load_originals(generations.current(index))
        _refuse_other_encoder(index, old, encoder)
        known = known_from([old], encoder, settings)
        passages = _passages(chosen, header, max_tokens, encoder, known)
        gone = sorted({p.pair_id for p in old.passages} - {p.id for p in pairs})
        if gone and not prune:
            refuse_mixture(index, old.manifest["settings"], settings, len(gone))
            stay = set(gone)
            passages = _ordered([*passages, *(p for p in old.passages if p.pair_id in stay)])
            settings["kept_gone"] = sha256_bytes("\n".join(gone).encode())
        difference = compare(old.passages, passages, len(gone))
        report = {"diff": asdict(difference), "dry_run": dry_run}
        if dry_run or recipe_key(KIND, inputs, settings) == old.manifest["key"]:
            return report | _summary(index, old.folder.name, old.manifest, embedded=0, reused=True, began=began)
        if not force:
            refuse_large_removal(index, difference)
        room = check_room(index, passages, encoder.dim, storage)
        vectors, embedded = _embed(passages, known, encoder)
        moved = difference.passages_new + difference.passages_removed
        generation = _Generation(chosen, passages, vectors, room, known, carried_over(old.manifest, settings, moved))
        name, manifest = _publish(index, generation, encoder, inputs, settings, keep_generations, storage)
    return report | _summary(index, name, manifest, embedded=embedded, reused=False, began=began)


def _settings(splits: Sequence[Split], header: str, max_tokens: int, seed: int, storage: Storage) -> dict[str, Any]:
    return {
        "splits": sorted(splits),
        "header": "+".join(header_parts(header)) or "none",
        "max_tokens": max_tokens,
        "chunker": CHUNKER,
        "calibration": METHOD,
        "lexical": RECIPE,
        "store": storage.recipe(),
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


def _passages(pairs: Sequence[QAPair], header: str, max_tokens: int, encoder: Encoder, known: Known) -> list[Passage]:
    """All passages; only pairs whose content is new are cut."""
    cut: list[Passage] = []
    new: list[QAPair] = []
    for pair in pairs:
        found = known.passages.get(pair_hash(pair))
        if found is None:
            new.append(pair)
        else:
            cut += found
    made = make_passages(new, header_parts(header), encoder.count_tokens, max_tokens, encoder.max_tokens)
    return _ordered([*cut, *made])


def _ordered(passages: Sequence[Passage]) -> list[Passage]:
    """By pair id and place in the answer: an index does not depend on the order of rows, and ties fall by id."""
    return sorted(passages, key=lambda p: (p.pair_id, int(p.id.rsplit(":", 2)[1])))


def _embed(passages: Sequence[Passage], known: Known, encoder: Encoder) -> tuple["np.ndarray", int]:
    """(n_passages, dim) vectors and how many texts were embedded; equal texts are embedded once."""
    import numpy as np

    texts = [p.embedded_text for p in passages]
    new = [text for text in dict.fromkeys(texts) if text not in known.vectors]
    fresh = dict(zip(new, encoder.encode_passages(new, progress=True), strict=True)) if new else {}
    rows = [fresh[text] if text in fresh else known.vectors[text] for text in texts]
    return np.stack(rows).astype(np.float32, copy=False), len(new)


@dataclass(frozen=True, slots=True)
class _Generation:
    """What a generation is made from; row ``i`` of ``vectors`` belongs to passage ``i``."""

    pairs: Sequence[QAPair]
    passages: Sequence[Passage]
    vectors: "np.ndarray"
    estimate: Estimate
    known: Known
    measured: dict[str, Any] | None = None
    """See ``carried_over``; None measures."""


def _publish(
    index: Path,
    new: _Generation,
    encoder: Encoder,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    keep: int,
    storage: Storage,
) -> tuple[str, dict[str, Any]]:
    """Write a generation and make it current; its name and manifest."""
    seed = settings["seed"]
    texts = [p.embedded_text for p in new.passages]
    lexical = LexicalIndex.build(texts, *new.known.documents(texts))
    facts = {
        "pairs": len({p.pair_id for p in new.passages}),
        "passages": len(new.passages),
        "dim": encoder.dim,
        **(new.measured or _measure(new, lexical, encoder, "question" in settings["header"], seed)),
        "estimate": asdict(new.estimate),
    }

    def ask(n: int) -> "np.ndarray":
        drawn = sorted(new.pairs, key=lambda p: sha256_bytes(f"{seed}:{p.id}".encode()))[:n]
        return encoder.encode_queries([p.question for p in drawn])

    with generations.new_generation(index, keep) as folder:
        write_pairs(folder, {p.id: pair_hash(p) for p in new.pairs})
        facts["store"] = write_contents(
            folder, new.passages, new.vectors, lexical, index=index, ask=ask, storage=storage,
            encoder=encoder.fingerprint, seed=seed,
        )  # fmt: skip
        facts["memory_peak"] = peak_memory()
        manifest = write_manifest(folder, KIND, inputs, settings, facts)
    sweep_stores(index, generations.complete(index), storage)
    return generations.current(index).name, manifest


def _measure(
    new: _Generation, lexical: LexicalIndex, encoder: Encoder, question_in_header: bool, seed: int
) -> dict[str, Any]:
    return {
        "calibration": calibrate(new.pairs, new.passages, new.vectors, encoder, question_in_header, seed),
        "fusion": fit_lexical_weight(new.pairs, new.passages, new.vectors, lexical, encoder, question_in_header, seed),
        "measured": just_measured(len(new.passages)),
    }


def _refuse_other_encoder(index: Path, old: Contents, encoder: Encoder) -> None:
    if old.manifest["inputs"]["encoder"] != encoder.fingerprint:
        raise MedqaError(
            f"wanted {index} made by the encoder given, found another encoder's vectors; "
            f"make it again with: medqa index build --index {index}"
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
