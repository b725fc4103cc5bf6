"""What ``medqa doctor`` looks at: machine, packages and artefacts, each with the command that makes what is missing."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medqa.base_model import is_hub_id
from medqa.errors import MedqaError
from medqa.hardware import pick_device, pick_dtype
from medqa.paths import locate
from medqa.settings import Settings

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

INSTALL = "pip install -c constraints.txt -e '.[all]'"
"""The constraints pin torch's build, which pip would otherwise choose with several GB of CUDA."""
PYTHON = (3, 11)
"""As in pyproject.toml."""
MEMORY_GIB = 4.0
"""Python with torch, the encoder, the embedded model and MedQuAD's index stay below 3 GiB."""
DISK_GIB = 2.0
"""Corpus, index generations and adapter of MedQuAD take less than half a GiB; the rest is room for checkpoints."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TELEMETRY = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    ok: bool | None
    """False: the default use does not work; None: it works, with less."""
    found: str
    remedy: str = ""
    """The command that puts it right; empty where nothing is wrong."""


def diagnose(settings: Settings) -> list[Check]:
    """All findings, in the order in which to repair them. Loads the encoder and opens the index: takes seconds."""
    g = settings.generator
    encoder = settings.retrieval.encoder
    checks = [check_python(), check_packages("", needed=True)]
    checks += [check_packages(extra, needed=False) for extra in ("train", "eval", "ui", "dev")]
    if checks[1].ok is False:  # nothing below can be looked at without the packages
        return [*checks, check_machine(), check_disk(settings.index), check_browser(), check_privacy(settings.offline)]
    return [
        *checks,
        check_torch(g.device),
        check_machine(),
        check_disk(settings.index),
        _guarded("encoder", INSTALL, lambda: check_encoder(encoder, settings.retrieval.batch_size)),
        check_model(g.model, settings.offline),
        _guarded("adapter", "medqa finetune generator", lambda: check_adapter_fits(g.adapter, g.model)),
        check_corpus(settings.corpus),
        _guarded(
            "index",
            f"medqa index build --corpus {settings.corpus} --index {settings.index}",
            lambda: check_index(settings.index, encoder, settings.retrieval.batch_size),
        ),
        check_browser(),
        check_privacy(settings.offline),
    ]


def format_checks(checks: list[Check]) -> str:
    """One line per finding, the remedy below it, and a last line that sums up."""
    width = max(len(c.name) for c in checks)
    lines = []
    for c in checks:
        sign = {True: "ok  ", False: "FAIL", None: "note"}[c.ok]
        lines.append(f"{sign}  {c.name:<{width}}  {c.found}")
        if c.remedy:
            lines.append(f"{'':<{width + 8}}-> {c.remedy}")
    failed = [c.name for c in checks if c.ok is False]
    lines.append(f"failed: {', '.join(failed)}" if failed else "everything that the default use needs is there")
    return "\n".join(lines)


def check_python() -> Check:
    """The interpreter's version against what the package asks for."""
    version = platform.python_version()
    ok = sys.version_info >= PYTHON
    wanted = ".".join(map(str, PYTHON))
    return Check(
        "python", ok, f"{version} (wanted {wanted} or newer)", "" if ok else f"install Python {wanted}, then: {INSTALL}"
    )


def check_packages(extra: str, needed: bool) -> Check:
    """Installed versions against the ranges that the package's own metadata gives for ``extra`` (empty: the core)."""
    from packaging.requirements import Requirement

    name = f"extra: {extra}" if extra else "packages"
    try:
        requirements = [Requirement(r) for r in importlib.metadata.requires("medqa") or ()]
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False if needed else None, "medqa itself is not installed", INSTALL)
    chosen = [r for r in requirements if _belongs(r, extra)]
    problems = [p for r in chosen if (p := _problem(r.name, r.specifier))]
    if not problems:
        return Check(name, True, f"{len(chosen)} packages within their ranges")
    return Check(name, False if needed else None, "; ".join(problems), INSTALL)


def check_torch(device: str) -> Check:
    """The build, the device that would be used, and the number format it computes in natively."""
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    place = pick_device(device)
    if place.startswith("cuda") and not torch.cuda.is_available():
        return Check(
            "torch", False, f"{torch.__version__} ({build}), no CUDA device for {device}", "set generator.device=auto"
        )
    dtype = pick_dtype(place)
    name = torch.cuda.get_device_name() if place.startswith("cuda") else place
    slow = "" if dtype == "bfloat16" else " (no native bfloat16: about half as fast)"
    return Check("torch", True, f"{torch.__version__} ({build}), computes on {name} in {dtype}{slow}")


def check_machine() -> Check:
    """Cores and memory that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = memory_gib()
    found = f"{cores} cores, {f'{memory:.1f} GiB' if memory is not None else 'unknown'} memory"
    if memory is not None and memory < MEMORY_GIB:
        return Check(
            "machine", None, f"{found} (wanted {MEMORY_GIB:g} GiB)", "lower retrieval.batch_size and end other programs"
        )
    return Check("machine", True, found)


def check_disk(target: str) -> Check:
    """Free space where the artefacts go."""
    folder = Path(target).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < DISK_GIB:
        return Check(
            "disk", None, f"{free:.1f} GiB free at {folder} (wanted {DISK_GIB:g})", "free space, or give other folders"
        )
    return Check("disk", True, f"{free:.1f} GiB free at {folder}")


def check_encoder(name: str, batch_size: int) -> Check:
    """The encoder loads, and the embedded one has its pinned hash."""
    from retrieval.encoder import load_encoder

    encoder = load_encoder(name, batch_size)
    return Check("encoder", True, f"{name}, {encoder.dim} dimensions, fingerprint {encoder.fingerprint[:12]}")


def check_model(model: str, offline: bool) -> Check:
    """The language model's folder is complete. A hub id cannot be looked at without fetching it."""
    folder = locate(model)
    remedy = "restore models/phi3-nano from the repository, or set generator.model to a folder or a hub id"
    if not folder.is_dir():
        if is_hub_id(model):
            where = "only from the local cache (offline)" if offline else "on first use"
            return Check("model", None, f"{model} is a hub id, fetched {where}; not checked")
        return Check("model", False, f"no folder {model}", remedy)
    weights = list(folder.glob("*.safetensors"))
    missing = [f for f in ("config.json", "tokenizer.json", "tokenizer_config.json") if not (folder / f).is_file()]
    missing += [] if weights else ["*.safetensors"]
    if missing:
        return Check("model", False, f"{folder} lacks {', '.join(missing)}", remedy)
    size = sum(f.stat().st_size for f in weights) / 2**20
    return Check("model", True, f"{folder}, {size:,.1f} MiB in {len(weights)} file{'s' if len(weights) > 1 else ''}")


def check_adapter_fits(adapter: str | None, model: str) -> Check:
    """The adapter is there and was trained on this base model."""
    if not adapter:
        return Check(
            "adapter", None, "none set: no tuned variants", "set generator.adapter after: medqa finetune generator"
        )
    folder = locate(adapter)
    if not folder.is_dir():
        return Check("adapter", None, f"no folder {adapter}: no tuned variants", "medqa finetune generator")
    from medqa.adapter import check_adapter

    check_adapter(folder, str(locate(model)) if locate(model).exists() else model)
    return Check("adapter", True, f"{folder} fits the model")


def check_corpus(corpus: str) -> Check:
    """The corpus is complete and unchanged. Answering needs the index only."""
    from ingest.corpus import read_corpus

    make = f"medqa ingest data/sample/health.csv --out {corpus}"
    folder = locate(corpus)
    try:
        pairs = read_corpus(folder).pairs
    except MedqaError as error:
        return Check("corpus", None if not folder.exists() else False, str(error), make)
    splits = {s: sum(p.split == s for p in pairs) for s in dict.fromkeys(p.split for p in pairs)}
    counts = ", ".join(f"{name} {n:,}" for name, n in splits.items())
    return Check("corpus", True, f"{folder}, {len(pairs):,} pairs ({counts})")


def check_index(index: str, encoder: str, batch_size: int) -> Check:
    """The index opens and was made by this encoder."""
    from retrieval.encoder import load_encoder
    from retrieval.generations import current
    from retrieval.index import Index

    folder = locate(index)
    current(folder)  # a missing one is told before the encoder is loaded
    opened = Index.open(folder, load_encoder(encoder, batch_size))
    facts = opened.manifest
    return Check(
        "index",
        True,
        f"{folder}, generation {opened.generation}, {facts['passages']:,} passages, built {facts['created'][:10]}",
    )


def check_browser() -> Check:
    """A Chromium for the browser tests; any browser will do for the chat."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found:
        return Check("browser", True, found)
    return Check(
        "browser",
        None,
        "no Chromium: the browser tests are skipped",
        "apt-get install --no-install-recommends chromium fonts-dejavu-core",
    )


def check_privacy(offline: bool) -> Check:
    """Telemetry is off; whether a hub may be contacted."""
    on = [name for name, off in _TELEMETRY.items() if os.environ.get(name) != off]
    hub = "no hub is contacted (offline)" if offline else "a hub is contacted for models that are not here"
    if on:
        remedy = "export " + " ".join(f"{name}={_TELEMETRY[name]}" for name in on)
        return Check("privacy", None, f"telemetry not switched off: {', '.join(on)}; {hub}", remedy)
    return Check("privacy", True, f"telemetry off; {hub}")


def memory_gib() -> float | None:
    """Memory of the machine or, if smaller, of the container; None where the system does not tell."""
    amounts = []
    try:
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        amounts.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (ValueError, OSError, AttributeError):  # "max", no cgroup, no sysconf
        pass
    return min(amounts) / 2**30 if amounts else None


def _guarded(name: str, remedy: str, check: Callable[[], Check]) -> Check:
    """A check that fails with the stage's own message."""
    try:
        return check()
    except MedqaError as error:
        return Check(name, False, str(error), remedy)


def _belongs(requirement: "Requirement", extra: str) -> bool:
    """Whether a requirement of the package's metadata is part of ``extra`` and not already of the core."""
    marker = requirement.marker
    in_core = marker is None or marker.evaluate({"extra": ""})
    if requirement.name == "medqa":  # the extra "all" names the others
        return False
    return in_core if not extra else not in_core and marker is not None and marker.evaluate({"extra": extra})


def _problem(name: str, wanted: "SpecifierSet") -> str:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is missing"
    # 2.13.0+cpu and release candidates are as good as the version they are built from
    return "" if wanted.contains(version, prereleases=True) else f"{name} {version} (wanted {wanted})"
