"""Vectors searched by Milvus: Milvus Lite in a folder, or a cluster by URI, through the same client.

One collection serves all generations of an index. A row is keyed by a hash of its passage, so a generation is the set of its
keys (``keys.npy``), and an update sends only rows that the collection lacks. Rows that belong to other generations come back
from a search and are put aside here; more are asked for where that leaves too few. So

- nothing that a writer sends is visible before the pointer moves, and a crash leaves the old generation as it was;
- a rollback finds its rows: they are deleted only once no generation on disk needs them, after the pointer has moved;
- rows and collections that a crashed writer left behind are deleted by the next one;
- a reader that stays open while its generation is pruned (``retrieval.keep_generations`` updates later) finds fewer rows.

Milvus Lite serves one process at a time: an update waits for readers to close. The password of a cluster is read from the
environment variable ``MEDQA_MILVUS_TOKEN`` and written nowhere.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import read_json, sha256_bytes, write_atomically
from medqa.manifest import MANIFEST
from retrieval.approximate import NEIGHBOURS, least_true, recalls, rescored, tune
from retrieval.vectors import ExactStore

if TYPE_CHECKING:
    import numpy as np

    from retrieval.stores import Ask, Storage

KIND = "milvus"
KEYS = "keys.npy"
LITE = "milvus.db"
TOKEN = "MEDQA_MILVUS_TOKEN"
_IDENTITY = "milvus.id"
_BLOCK = 1000
"""Rows sent at once: 1.5 MB of 384-dimensional float32, far below the server's limit of 64 MB per message."""
_MOST_KEYS = 10_000
"""Keys named in one filter: an expression of some 200 kB, which Milvus Lite evaluates in 0.2 s."""
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
        uri = _uri(folder.parent.parent, facts["uri"])
        with _told(uri):
            client = _client(uri)
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
        with _told(self._uri):
            candidates = None
            if allowed is None or len(rows) > _MOST_KEYS:
                candidates = self._among_all(vectors, wanted, admitted)
            if candidates is None:
                candidates = self._among(vectors, wanted, rows)
        return rescored(self._exact, vectors, candidates, n)

    def missing(self) -> int:
        """How many rows of the generation the collection lacks.

        Raises:
            MedqaError: Milvus cannot be reached.
        """
        with _told(self._uri):
            return len(self) - len(_present(self._client, self._collection, self._numbers))

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
            self._ask(vectors, limit, f"key in {self._numbers[rows[start : start + _MOST_KEYS]].tolist()}")
            for start in range(0, len(rows), _MOST_KEYS)
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
        return _count(self._client, self._collection)


def write_rows(
    folder: Path, index: Path, keys: Sequence[str], ask: "Ask", storage: "Storage", encoder: str
) -> dict[str, Any]:
    """Send the rows that the collection lacks ; the facts for the manifest.

    Raises:
        MedqaError: pymilvus is not installed, Milvus cannot be reached or refuses.
        OSError: the disk is full or read-only.
    """
    import numpy as np

    numbers = _numbers(keys)
    np.save(folder / KEYS, numbers)
    exact = ExactStore.open(folder)
    kind = "FLAT" if len(numbers) <= storage.exact_up_to else "HNSW"
    collection = f"{_prefix(index)}{sha256_bytes(encoder.encode())[:12]}_{exact.dim}_{kind.lower()}"
    uri = _uri(index, storage.uri)
    with _told(uri):
        client = _client(uri)
        if not client.has_collection(collection):
            _create(client, collection, exact.dim, kind)
        present = _present(client, collection, numbers)
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
    where = _uri(index, uri)
    with _told(where):
        client = _client(where)
        for collection in client.list_collections():
            if not collection.startswith(_prefix(index)):
                continue
            if collection not in needed:
                client.drop_collection(collection)
                continue
            wanted = np.unique(np.concatenate(needed[collection]))
            if _count(client, collection) == len(wanted):
                continue
            strangers = np.setdiff1d(_all_keys(client, collection), wanted)
            for start in range(0, len(strangers), _MOST_KEYS):
                client.delete(collection, ids=strangers[start : start + _MOST_KEYS].tolist())
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


def _numbers(keys: Sequence[str]) -> "np.ndarray":
    """63 bits of each key's SHA-256: integers make short filters. In a million keys two agree once in 20 million indexes."""
    import numpy as np

    numbers = np.array([int(sha256_bytes(key.encode())[:16], 16) >> 1 for key in keys], dtype=np.int64)
    if len(np.unique(numbers)) != len(numbers):
        raise MedqaError("wanted another key for every passage, found two alike; passage ids must be unique")
    return numbers


def _prefix(index: Path) -> str:
    """Of this index' collections: a random name, made once, so that indexes on one server never meet."""
    path = index / _IDENTITY
    if not path.is_file():
        write_atomically(path, os.urandom(6).hex() + "\n")
    return f"medqa_{path.read_text(encoding='utf-8').strip()}_"


def _uri(index: Path, uri: str | None) -> str:
    return uri or str(index / LITE)


def _client(uri: str) -> Any:
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise MedqaError(
            "wanted the package pymilvus for retrieval.store=milvus, found none; install it with: pip install -e '.[milvus]'"
        ) from None
    for name in (
        "pymilvus",
        "grpc._server",
    ):  # they log a traceback for every error that they also raise or work around
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if "://" not in uri:
        Path(uri).parent.mkdir(parents=True, exist_ok=True)
    return MilvusClient(uri, token=os.environ.get(TOKEN, ""))


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Errors of the client in one line."""
    try:
        yield
    except MedqaError:
        raise
    except Exception as error:  # pymilvus raises its own, gRPC's and Milvus Lite's, which share no base class
        if not type(error).__module__.startswith(("pymilvus", "milvus_lite", "grpc")):
            raise
        reason = " ".join(str(error).split())[:200]
        advice = (
            "is the server up?" if "://" in uri else "Milvus Lite serves one process at a time: is another using it?"
        )
        raise MedqaError(f"wanted Milvus at {uri}, found: {reason}; {advice}") from error


def _create(client: Any, collection: str, dim: int, kind: str) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    params = client.prepare_index_params()
    # M and efConstruction: hnswlib's defaults for embeddings of some hundred dimensions; ef is tuned.
    shape = {"M": 32, "efConstruction": 200} if kind == "HNSW" else {}
    params.add_index("vector", index_type=kind, metric_type="IP", params=shape)
    client.create_collection(collection, schema=schema, index_params=params, consistency_level="Strong")


def _present(client: Any, collection: str, numbers: "np.ndarray") -> "np.ndarray":
    import numpy as np

    client.load_collection(collection)
    found: list[int] = []
    for start in range(0, len(numbers), _MOST_KEYS):
        asked = numbers[start : start + _MOST_KEYS].tolist()
        found += [row["key"] for row in client.query(collection, filter=f"key in {asked}", output_fields=["key"])]
    return np.array(found, dtype=np.int64)


def _all_keys(client: Any, collection: str) -> "np.ndarray":
    import numpy as np

    iterator = client.query_iterator(collection, batch_size=_MOST_KEYS, filter="key >= 0", output_fields=["key"])
    found: list[int] = []
    while batch := iterator.next():
        found += [row["key"] for row in batch]
    iterator.close()
    return np.array(found, dtype=np.int64)


def _count(client: Any, collection: str) -> int:
    return int(client.query(collection, filter="", output_fields=["count(*)"])[0]["count(*)"])
