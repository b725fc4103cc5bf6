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
# Threads that wait for each other sleep instead of spinning: on a machine shared with other work, spinning made training on
# two cores five times slower (338 against 1,626 tokens/s, 2 threads under load).
_SHARED_CPU = {"OMP_WAIT_POLICY": "passive"}
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
