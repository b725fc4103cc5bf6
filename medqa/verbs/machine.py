"""``medqa doctor``: what this machine and its artefacts lack."""

import argparse
import json

from medqa.verbs.shared import settings_of


def doctor(args: argparse.Namespace) -> int:
    """``medqa doctor``: exit 1 when something that the default use needs is missing."""
    settings = settings_of(args)
    from medqa.doctor import diagnose, format_checks

    checks = diagnose(settings)
    if args.json:
        print(
            json.dumps([{"name": c.name, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in checks], indent=2)
        )
    else:
        print(format_checks(checks))
    return 1 if any(c.ok is False for c in checks) else 0
