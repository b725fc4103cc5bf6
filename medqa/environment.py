"""Process-wide switches that must be set before any model library is imported: no telemetry, no hub when offline."""

import logging
import os
import warnings

_NO_TELEMETRY = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "TOKENIZERS_PARALLELISM": "false",  # forked workers would otherwise warn on every start
}
# How long an OpenMP thread spins before it sleeps (GNU's default is 300,000 turns). On two cores with two other busy processes,
# training ran at 509 tokens/s with the default, 896 with 100,000 and 881 without spinning; on quiet cores generation took 2.6 s
# an answer with 100,000 and 4.8 s without spinning. So 100,000 loses nothing either way.
_SHARED_CPU = {"GOMP_SPINCOUNT": "100000"}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}


def prepare(offline: bool) -> None:
    """Set the switches for this process and its children. Safe to call again; ``offline`` never switches back on."""
    os.environ.update(_NO_TELEMETRY)
    for name, value in _SHARED_CPU.items():
        os.environ.setdefault(name, value)
    # On every CPU start it reports that an optional package, which would fetch code from a hub, is not there.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # peft reads an attribute that transformers has renamed; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    if offline:
        os.environ.update(_OFFLINE)


def is_offline() -> bool:
    """True once ``prepare(offline=True)`` was called, or the person set HF_HUB_OFFLINE."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
