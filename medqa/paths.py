"""Where things lie: a relative path means the current folder first, then the project's own folder (embedded data, models)."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def locate(path: str | Path) -> Path:
    """``path`` itself if it exists; else the same below the project's folder if that exists; else ``path`` unchanged."""
    here = Path(path).expanduser()
    there = PROJECT / here
    return there if not here.exists() and there.exists() else here
