"""Further ways to ask, from a file: a JSON object, question type -> sentence frames with ``{t}`` for the topic's name."""

import json
from pathlib import Path

from medqa.errors import MedqaError

PLACE = "{t}"


def read_frames(path: Path) -> dict[str, tuple[str, ...]]:
    """Question type -> frames of the file.

    Raises:
        MedqaError: no such file, not such an object, or a frame without ``{t}``; the message names it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise MedqaError(
            f'wanted sentence frames at {path}, a JSON object like {{"causes": ["why do people get {PLACE}?"]}}, '
            f"found none that can be read ({error}); name another file or set finetune.frames=null"
        ) from error
    if not isinstance(found, dict) or not found:
        raise MedqaError(f"wanted an object, question type -> frames, in {path}, found {type(found).__name__}")
    for kind, frames in found.items():
        if not isinstance(frames, list) or not frames:
            raise MedqaError(f"wanted a list of frames for the question type {kind!r} in {path}, found {frames!r}")
        for n, frame in enumerate(frames, start=1):
            if not isinstance(frame, str) or PLACE not in frame:
                raise MedqaError(f"wanted {PLACE} in every frame of {path}, found {frame!r} (number {n} of {kind!r})")
    return {kind: tuple(frames) for kind, frames in found.items()}
