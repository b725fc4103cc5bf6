"""Reader of Hugging Face data sets by id, when online: rows are streamed, nothing is stored."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest.raw import RawRow, from_mapping, resolve_columns
from medqa.environment import is_offline
from medqa.errors import MedqaError

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = (".csv", ".tsv", ".jsonl", ".parquet", ".gz", ".xz", ".zip", ".xml")  # a mistyped path is no id


def is_hub_id(source: Path) -> bool:
    """True for ``owner/name`` where no such file or folder exists, and which does not end like one."""
    return bool(_ID.fullmatch(source.as_posix())) and source.suffix not in _FILES and not source.exists()


def read_hub(name: str, columns: Mapping[str, str]) -> Iterator[RawRow]:
    """All rows of all splits of the data set ``name``, in the order of the splits' names; a row's file is ``NAME/SPLIT``.

    Raises:
        MedqaError: offline, no such data set, or no column for question or answer.
    """
    check_online(name)
    import datasets

    try:
        splits = datasets.load_dataset(name, streaming=True)
    except Exception as error:
        raise _unreachable(name, error) from error
    for split in sorted(splits):
        resolved: dict[str, str] | None = None
        for number, record in enumerate(splits[split], start=1):
            resolved = resolved or resolve_columns(list(record), columns, f"{name} ({split})")
            yield from_mapping(f"{name}/{split}", number, record, resolved)


def hub_revision(name: str) -> str:
    """The commit that the data set ``name`` is at: what stands for its content in a manifest.

    Raises:
        MedqaError: offline, or no such data set.
    """
    check_online(name)
    from huggingface_hub import HfApi

    try:
        return f"hub:{HfApi().dataset_info(name).sha}"
    except Exception as error:
        raise _unreachable(name, error) from error


def check_online(name: str) -> None:
    """Refuse to reach out when that is forbidden.

    Raises:
        MedqaError: ``--offline``, or HF_HUB_OFFLINE is set.
    """
    if is_offline():
        raise MedqaError(
            f"wanted an input at {name}, found nothing there, and the hub is off limits offline; check the path, or go online"
        )


def _unreachable(name: str, error: Exception) -> MedqaError:
    """One line for whatever the client or its transport raised: no network, no such data set, no permission."""
    reason = " ".join(str(error).split())[:200]
    return MedqaError(
        f"wanted an input at {name}, found no such file, and as a data set of the hub: {reason}; check the name"
    )
