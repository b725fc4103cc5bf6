"""The recipe's questions as sentence frames for a corpus' own topics: ``{t}`` stands where the made-up name stood.

    python -m models.recipe.frames --texts modules.jsonl.xz --each 2000 --out frames.json

The file is what ``finetune.frames`` names: question type -> frames. Those that ``finetune.augment`` holds out, to measure what
carries over to wording that training never saw, are left out.
"""

import argparse
import random
import re
from pathlib import Path

from finetune.augment import usable
from finetune.frames import ASPECT_FRAMES, KEYWORDS, STORIES
from medqa.files import write_json
from models.recipe.corpus import build_library
from models.recipe.library import Library
from models.recipe.phases import PHASES
from models.recipe.rehearsal import PHASE
from models.recipe.world import World

ASPECTS = {
    "information": "definition", "symptoms": "symptom", "treatment": "treatment", "inheritance": "inheritance",
    "frequency": "frequency", "genetic changes": "gene", "causes": "cause", "exams and tests": "diagnosis",
    "research": "research", "outlook": "outlook", "susceptibility": "risk", "considerations": "care",
    "prevention": "prevention", "complications": "complication",
}  # fmt: skip
"""Question type of a corpus -> what the recipe calls it."""

NAME = "Zqzx"
"""Holds the name's place. Of four letters: slips of the fingers happen in words of five and more."""


def frames(library: Library, question_type: str, n: int, seed: int) -> list[str]:
    """Different frames among ``n`` questions of ``question_type``, as the last phase of the training asked them."""
    held_out = _held_out()
    found: dict[str, None] = {}
    for i in range(n):
        world = World(random.Random(f"frames/{seed}/{question_type}/{i}"), library, PHASES[PHASE])
        text = world.question(NAME, [ASPECTS[question_type]])
        if re.search(NAME, text, re.I) and not any(form.search(text) for form in held_out):
            found[re.sub(NAME, "{t}", text.replace("{", "(").replace("}", ")"), flags=re.I)] = None
    return list(found)


def _held_out() -> list[re.Pattern[str]]:
    """The frames that are held out: sentences wherever they stand in a text, key words where they are all of it."""
    inside = [f for frames in (*ASPECT_FRAMES.values(), STORIES) for f in usable(frames, "held-out")]
    alone = [f for frames in KEYWORDS.values() for f in usable(frames, "held-out")]
    return [_pattern(f, r"\b{}") for f in inside] + [_pattern(f, r"^\W*{}\W*$") for f in alone]


def _pattern(frame: str, place: str) -> re.Pattern[str]:
    """``frame`` with the name or "it" in it, whatever the case and the signs between its words."""
    words = [rf"({NAME}|it)" if w == "{t}" else re.escape(w) for w in re.findall(r"\{t\}|\w+", frame)]
    return re.compile(place.format(r"\W+".join(words)), re.I)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True, help="the textbook modules")
    parser.add_argument("--each", type=int, default=2000, help="questions drawn of each type")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    library = build_library(args.texts)
    write_json(args.out, {name: frames(library, name, args.each, args.seed) for name in ASPECTS})


if __name__ == "__main__":
    main()
