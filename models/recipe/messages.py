"""A question as somebody writes it: key words, or a message that tells a story first, with slips of the fingers."""

import random
from collections.abc import Callable

from finetune.augment import mistype


def message(rng: random.Random, say: Callable[[str], str], name: str, heading: str, ask: tuple[str, str]) -> str:
    """One of the ways.

    Args:
        rng: decides.
        say: puts a section of the grammar in words (``story`` names the condition).
        name: the condition's.
        heading: what a heading would call the asked aspect, for a search box; empty if nothing does.
        ask: the question with the name, and with "it" for the name.
    """
    if heading and rng.random() < 0.15:
        words = [name, heading] if rng.random() < 0.7 else [heading, name]
        return " ".join(words).lower() if rng.random() < 0.7 else " ".join(words)
    parts = [say("salutation")] if rng.random() < 0.4 else []
    told = rng.random() < 0.8
    if told:
        parts.append(say("story"))
    if rng.random() < 0.3:
        parts.append(say("aside"))
    # The name was said already: half of the time the question only points to it.
    parts.append(ask[1] if told and rng.random() < 0.5 else ask[0])
    if rng.random() < 0.2:
        parts.append(say("aside"))
    if rng.random() < 0.4:
        parts.append(say("farewell"))
    text = " ".join(parts)
    return mistype(text, rng) if rng.random() < 0.12 else text
