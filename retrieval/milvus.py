"""Vectors searched by Milvus: Milvus Lite in a folder, or a cluster by URI, through the same client.

One collection serves all generations of an index. A row is keyed by a hash of its passage, so a generation is the set of its
keys (``keys.npy``), and an update sends only rows that the collection lacks. Rows that belong to other generations come back
from a search and are put aside here; more are asked for where that leaves too few. So

- nothing that a writer sends is visible before the pointer moves, and a crash leaves the old generation as it was;
- a rollback finds its rows: they are deleted only once no generation on disk needs them, after the pointer has moved;
- rows and collections that a crashed writer left behind are deleted by the next one;
- a reader that stays open while its generation is pruned (``retrieval.keep_generations`` updates later) finds fewer rows.

Milvus Lite serves one process at a time: an update waits for readers to close.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes
from medqa.manifest import MANIFEST
from retrieval.approximate import NEIGHBOURS, least_true, recalls, rescored, tune
from retrieval.milvus_collection import (
    MOST_KEYS,
    all_keys,
    connect,
    count_rows,
    create,
    location,
    numbers_of,
    prefix,
    present_keys,
    told,
)
from retrieval.vectors import ExactStore

if TYPE_CHECKING:
    import numpy as np

    from retrieval.stores import Ask, Storage

KIND = "milvus"
KEYS = "keys.npy"
_BLOCK = 1000
"""Rows sent at once: 1.5 MB of 384-dimensional float32, far below the server's limit of 64 MB per message."""
_MOST_RESULTS = 16_384
"""Milvus' own limit of results per query."""
_EFS = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Widths of the HNSW search to choose from: from little above ten results to where exact search is no slower."""


class MilvusStore:
    """The rows of one generation in a collection; the originals beside it give the scores."""

    def __init__(
        self, client: Any, collection: str, exact: ExactStore, numbers: "np.ndarray", ef: int | None, uri: str
    ) -> None:
        import numpy as np

        self._client = client
        self._collection = collection
        self._exact = exact
        self._numbers = numbers
        self._order = np.argsort(numbers)
        self._sorted = numbers[self._order]
        self._ef = ef
        self._uri = uri

    @classmethod
    def open(cls, folder: Path, exact: ExactStore, facts: Mapping[str, Any]) -> "MilvusStore":
        """The rows that ``write_rows`` sent.

        Raises:
            MedqaError: Milvus cannot be reached, or no longer has the collection.
            OSError, ValueError: the list of keys is missing or damaged.
        """
        import numpy as np

        numbers = np.load(folder / KEYS)
        if len(numbers) != len(exact):
            raise ValueError(f"{KEYS} holds {len(numbers)} keys instead of {len(exact)}")
        uri = location(folder.parent.parent, facts["uri"])
        with told(uri):
            client = connect(uri)
            if not client.has_collection(facts["collection"]):
                raise MedqaError(
                    f"wanted the collection {facts['collection']} in Milvus at {uri}, found none; send it again with: "
                    "medqa index build"
                )
            client.load_collection(facts["collection"])
        return cls(client, facts["collection"], exact, numbers, facts["ef"], uri)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._exact.dim

    def reconstruct(self, rows: "np.ndarray | Sequence[int]") -> "np.ndarray":
        """See ``VectorStore.reconstruct``: from the originals, without asking the server."""
        return self._exact.reconstruct(rows)

    def search(
        self, vectors: "np.ndarray", n: int, allowed: "np.ndarray | None" = None
    ) -> tuple["np.ndarray", "np.ndarray"]:
        """See ``VectorStore.search``. Scores are computed from the originals.

        Raises:
            MedqaError: Milvus cannot be reached.
        """
        import numpy as np

        rows = np.arange(len(self)) if allowed is None else np.asarray(allowed)
        wanted = min(n, len(rows))
        admitted = np.zeros(len(self), dtype=bool)
        admitted[rows] = True
        with told(self._uri):
            candidates = None
            if allowed is None or len(rows) > MOST_KEYS:
                candidates = self._among_all(vectors, wanted, admitted)
            if candidates is None:
                candidates = self._among(vectors, wanted, rows)
        return rescored(self._exact, vectors, candidates, n)

    def missing(self) -> int:
        """How many rows of the generation the collection lacks.

        Raises:
            MedqaError: Milvus cannot be reached.
        """
        with told(self._uri):
            return len(self) - len(present_keys(self._client, self._collection, self._numbers))

    def _among_all(self, vectors: "np.ndarray", wanted: int, admitted: "np.ndarray") -> "np.ndarray | None":
        """Candidates by asking for ever more rows until enough admitted ones are among them; None beyond Milvus' limit."""
        import numpy as np

        limit = max(1, wanted)
        while limit <= _MOST_RESULTS:
            rows = self._ask(vectors, limit, "")
            kept = np.where((rows >= 0) & admitted[rows], rows, -1)
            found = (kept >= 0).sum(axis=1)
            if (found >= wanted).all() or limit >= self._total():
                return kept
            limit *= 4
        return None

    def _among(self, vectors: "np.ndarray", wanted: int, rows: "np.ndarray") -> "np.ndarray":
        """Candidates among ``rows`` only, named by their keys, a part of them at a time."""
        import numpy as np

        limit = min(max(1, wanted), _MOST_RESULTS)
        parts = [
            self._ask(vectors, limit, f"key in {self._numbers[rows[start : start + MOST_KEYS]].tolist()}")
            for start in range(0, len(rows), MOST_KEYS)
        ]
        return np.concatenate(parts, axis=1) if parts else np.full((len(vectors), 1), -1)

    def _ask(self, vectors: "np.ndarray", limit: int, expression: str) -> "np.ndarray":
        """(q, limit) rows of this generation, -1 for those of others and where there are no more."""
        import numpy as np

        params = {} if self._ef is None else {"ef": max(self._ef, limit)}
        found = self._client.search(
            self._collection, data=list(vectors), limit=limit, filter=expression, output_fields=["key"],
            search_params={"params": params}, consistency_level="Strong",
        )  # fmt: skip
        rows = np.full((len(vectors), limit), -1, dtype=np.int64)
        for i, hits in enumerate(found):
            rows[i, : len(hits)] = self._rows(np.array([hit["key"] for hit in hits], dtype=np.int64))
        return rows

    def _rows(self, numbers: "np.ndarray") -> "np.ndarray":
        import numpy as np

        places = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        return np.where(self._sorted[places] == numbers, self._order[places], -1)

    def _total(self) -> int:
        return count_rows(self._client, self._collection)


def write_rows(
    folder: Path, index: Path, keys: Sequence[str], ask: "Ask", storage: "Storage", encoder: str
) -> dict[str, Any]:
    """Send the rows that the collection lacks ; the facts for the manifest.

    Raises:
        MedqaError: pymilvus is not installed, Milvus cannot be reached or refuses.
        OSError: the disk is full or read-only.
    """
    import numpy as np

    numbers = numbers_of(keys)
    np.save(folder / KEYS, numbers)
    exact = ExactStore.open(folder)
    kind = "FLAT" if len(numbers) <= storage.exact_up_to else "HNSW"
    collection = f"{prefix(index)}{sha256_bytes(encoder.encode())[:12]}_{exact.dim}_{kind.lower()}"
    uri = location(index, storage.uri)
    with told(uri):
        client = connect(uri)
        if not client.has_collection(collection):
            create(client, collection, exact.dim, kind)
        present = present_keys(client, collection, numbers)
        new = np.flatnonzero(~np.isin(numbers, present))
        for start in range(0, len(new), _BLOCK):
            rows = new[start : start + _BLOCK]
            pairs = zip(numbers[rows].tolist(), exact.reconstruct(rows), strict=True)
            client.upsert(collection, [{"key": key, "vector": vector} for key, vector in pairs])
        client.flush(collection)  # unflushed rows are searched some 50 times as slowly
        client.load_collection(collection)
        facts = {
            "kind": KIND,
            "uri": storage.uri,
            "collection": collection,
            "index": kind,
            "ef": None,
            "sent": len(new),
        }
        if kind == "FLAT":
            return facts
        return facts | _tuned(client, collection, exact, numbers, ask, storage, uri)


def sweep(index: Path, generations: Sequence[Path], uri: str | None) -> None:
    """Delete what no complete generation needs: rows of pruned ones, and rows and collections of crashed writers.

    Raises:
        MedqaError: Milvus cannot be reached.
    """
    import numpy as np

    needed: dict[str, list[np.ndarray]] = {}
    for folder in generations:
        facts = read_json(folder / MANIFEST)["store"]
        if facts["kind"] == KIND and facts["uri"] == uri:
            needed.setdefault(facts["collection"], []).append(np.load(folder / KEYS))
    where = location(index, uri)
    with told(where):
        client = connect(where)
        for collection in client.list_collections():
            if not collection.startswith(prefix(index)):
                continue
            if collection not in needed:
                client.drop_collection(collection)
                continue
            wanted = np.unique(np.concatenate(needed[collection]))
            if count_rows(client, collection) == len(wanted):
                continue
            strangers = np.setdiff1d(all_keys(client, collection), wanted)
            for start in range(0, len(strangers), MOST_KEYS):
                client.delete(collection, ids=strangers[start : start + MOST_KEYS].tolist())
            client.flush(collection)


def _tuned(
    client: Any, collection: str, exact: ExactStore, numbers: "np.ndarray", ask: "Ask", storage: "Storage", uri: str
) -> dict[str, Any]:
    from retrieval.stores import QUESTIONS

    queries = ask(QUESTIONS)
    least = least_true(exact, queries)
    ef, recall = tune(
        _EFS,
        lambda ef, rows: recalls(MilvusStore(client, collection, exact, numbers, ef, uri), queries[rows], least[rows]),
        len(queries),
        storage.recall,
    )
    if ef is None:
        raise MedqaError(
            f"wanted a recall of {storage.recall:g} from Milvus' HNSW index, found {recall:.3f} at its widest; "
            "lower retrieval.recall or raise retrieval.exact_up_to"
        )
    return {
        "ef": ef, "recall": recall, "recall_target": storage.recall, "recall_at": NEIGHBOURS,
        "queries_tuning": (len(queries) + 1) // 2, "queries_held_aside": len(queries) // 2,
    }  # fmt: skip
