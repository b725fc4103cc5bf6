"""A collection in Milvus, and the client that reaches it: where it is, what it is called, its schema, the keys that it holds.

A row is a vector and its key, an integer from the hash of its passage. The password of a cluster is read from the environment
variable ``MEDQA_MILVUS_TOKEN`` and written nowhere.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medqa.errors import MedqaError
from medqa.files import sha256_bytes, write_atomically

if TYPE_CHECKING:
    import numpy as np

LITE = "milvus.db"
TOKEN = "MEDQA_MILVUS_TOKEN"
MOST_KEYS = 10_000
"""Keys named in one filter: an expression of some 200 kB, which Milvus Lite evaluates in 0.2 s."""
_IDENTITY = "milvus.id"


def numbers_of(keys: Sequence[str]) -> "np.ndarray":
    """63 bits of each key's SHA-256: integers make short filters. In a million keys two agree once in 20 million indexes."""
    import numpy as np

    numbers = np.array([int(sha256_bytes(key.encode())[:16], 16) >> 1 for key in keys], dtype=np.int64)
    if len(np.unique(numbers)) != len(numbers):
        raise MedqaError("wanted another key for every passage, found two alike; passage ids must be unique")
    return numbers


def prefix(index: Path) -> str:
    """Of this index' collections: a random name, made once, so that indexes on one server never meet."""
    path = index / _IDENTITY
    if not path.is_file():
        write_atomically(path, os.urandom(6).hex() + "\n")
    return f"medqa_{path.read_text(encoding='utf-8').strip()}_"


def location(index: Path, uri: str | None) -> str:
    """What the client connects to: ``uri``, or Milvus Lite in the index folder."""
    return uri or str(index / LITE)


def connect(uri: str) -> Any:
    """A client of the server or folder at ``uri``.

    Raises:
        MedqaError: pymilvus is not installed.
    """
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
def told(uri: str) -> Iterator[None]:
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


def create(client: Any, collection: str, dim: int, kind: str) -> None:
    """An empty collection with an index of ``kind``, FLAT or HNSW."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    params = client.prepare_index_params()
    # M and efConstruction: hnswlib's defaults for embeddings of some hundred dimensions; ef is tuned.
    shape = {"M": 32, "efConstruction": 200} if kind == "HNSW" else {}
    params.add_index("vector", index_type=kind, metric_type="IP", params=shape)
    client.create_collection(collection, schema=schema, index_params=params, consistency_level="Strong")


def present_keys(client: Any, collection: str, numbers: "np.ndarray") -> "np.ndarray":
    """Those of ``numbers`` that the collection, loaded for it, holds."""
    import numpy as np

    client.load_collection(collection)
    found: list[int] = []
    for start in range(0, len(numbers), MOST_KEYS):
        asked = numbers[start : start + MOST_KEYS].tolist()
        found += [row["key"] for row in client.query(collection, filter=f"key in {asked}", output_fields=["key"])]
    return np.array(found, dtype=np.int64)


def all_keys(client: Any, collection: str) -> "np.ndarray":
    """Every key that the collection holds."""
    import numpy as np

    iterator = client.query_iterator(collection, batch_size=MOST_KEYS, filter="key >= 0", output_fields=["key"])
    found: list[int] = []
    while batch := iterator.next():
        found += [row["key"] for row in batch]
    iterator.close()
    return np.array(found, dtype=np.int64)


def count_rows(client: Any, collection: str) -> int:
    """How many rows the collection holds."""
    return int(client.query(collection, filter="", output_fields=["count(*)"])[0]["count(*)"])
