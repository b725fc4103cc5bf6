"""What the verbs share: settings from file and flags at the start, one summary at the end."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from medqa.environment import prepare
from medqa.errors import MedqaError
from medqa.paths import locate
from medqa.processes import is_main
from medqa.settings import Settings, load_settings


def settings_of(args: argparse.Namespace, **flags: Any) -> Settings:
    """Settings from ``--config`` and ``--set``, then the verb's own flags (None: not given), which win."""
    overrides = list(args.set)
    overrides += [f"{key}={value}" for key, value in flags.items() if value is not None]
    if args.seed is not None:
        overrides.append(f"seed={args.seed}")
    if args.offline:
        overrides.append("offline=true")
    if args.limit is not None and args.limit < 1:
        raise MedqaError(f"wanted --limit of at least 1, found {args.limit}")
    settings = load_settings(locate(args.config) if args.config else None, overrides)
    prepare(settings.offline)
    return settings


def show(args: argparse.Namespace, summary: Mapping[str, Any]) -> None:
    """A summary as JSON, or as aligned ``key  value`` lines; of several processes the main one prints."""
    if not is_main():
        return
    if args.json:
        json.dump(summary, sys.stdout, ensure_ascii=False, indent=2, default=str)
        print()
        return
    width = max(map(len, summary), default=0)
    for key, value in summary.items():
        print(f"{key:<{width}}  {_plain(value)}")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
