"""Where a run's figures go beside its result: tensorboard's files by default, or another tracker that transformers knows."""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medqa.errors import MedqaError


def check_tracker(report_to: str) -> None:
    """Refuse a tracker that transformers does not know or that is not installed.

    Raises:
        MedqaError: naming the package.
    """
    if report_to == "none":
        return
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    known = ", ".join(sorted(INTEGRATION_TO_CALLBACK))
    if report_to not in INTEGRATION_TO_CALLBACK:
        raise MedqaError(f"wanted a tracker for finetune.report_to (none, {known}), found {report_to!r}")
    if importlib.util.find_spec(report_to) is None:
        raise MedqaError(
            f"wanted {report_to} for finetune.report_to, found none; install it or set finetune.report_to=none"
        )


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """Inside the block, tensorboard's files go to ``folder``: transformers takes it from the environment alone."""
    name = "TENSORBOARD_LOGGING_DIR"
    before = os.environ.get(name)
    os.environ[name] = before or str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
