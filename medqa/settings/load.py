"""From a YAML file and ``--set key=value`` to settings; what is wrong is one line that names the nearest valid key."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from medqa.errors import MedqaError
from medqa.settings.root import Settings


def load_settings(config: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a YAML file (or none: the defaults) with ``key=value`` overrides on top, values read as YAML.

    Raises:
        MedqaError: unreadable file, unknown key, value of the wrong kind.
    """
    tree = _read_yaml(config) if config else {}
    for override in overrides:
        _apply(tree, override)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        where = str(config) if config else "--set"
        raise MedqaError(f"{where}: {_one_line(error)}") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MedqaError(f"wanted a settings file at {path}, found none that can be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise MedqaError(f"wanted YAML in {path}, found something else: {reason}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise MedqaError(f"wanted sections (key: value) in {path}, found a {type(tree).__name__}")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    if not equals or not key:
        raise MedqaError(f"wanted --set key=value, found {override!r}; e.g. --set retrieval.k=5")
    *sections, last = key.split(".")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise MedqaError(f"wanted a YAML value in --set {override!r}, found {raw!r}") from error
    node = tree
    for name in sections:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise MedqaError(f"wanted a section before the dot in --set {override!r}, found the plain key {name}")
    node[last] = value


def _one_line(error: ValidationError) -> str:
    """The first problem, with the nearest valid key where one is unknown, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        valid = _keys_of(first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), valid, n=1, cutoff=0.0)
        text = f"wanted a known key, found {where}; the nearest is {close[0] if close else valid}"
    else:
        text = f"{where}: {first['msg'].lower()}, found {first['input']!r}"
    more = len(problems) - 1
    return text + (f" (and {more} more problems)" if more else "")


def _keys_of(location: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return list(model.model_fields)
