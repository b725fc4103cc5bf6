"""What this machine computes with: device and number format."""

from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")


def pick_device(wanted: str) -> str:
    """``auto`` -> ``cuda`` where there is one, else ``cpu``; any other name as it is."""
    if wanted != "auto":
        return wanted
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def cpu_has_bf16() -> bool:
    """True where the processor multiplies bf16 natively; elsewhere bf16 is emulated and slower than fp32."""
    try:
        flags = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: fp32 is always right
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def pick_dtype(device: str) -> str:
    """``bfloat16``, ``float16`` or ``float32``: the fastest format that ``device`` computes in natively."""
    if device == "cpu":
        return "bfloat16" if cpu_has_bf16() else "float32"
    import torch

    # Ampere (8.0) is the first generation with bf16 in hardware; torch's own check also counts emulation.
    return "bfloat16" if torch.cuda.get_device_capability() >= (8, 0) else "float16"
