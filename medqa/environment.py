"""Process-wide switches that must be set before any model library is imported: no telemetry, no hub when offline."""

import logging
import os

_NO_TELEMETRY = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "TOKENIZERS_PARALLELISM": "false",  # forked workers would otherwise warn on every start
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}


def prepare(offline: bool) -> None:
    """Set the switches for this process and its children. Safe to call again; ``offline`` never switches back on."""
    os.environ.update(_NO_TELEMETRY)
    # On every CPU start it reports that an optional package, which would fetch code from a hub, is not there.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    if offline:
        os.environ.update(_OFFLINE)
