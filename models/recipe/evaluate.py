"""The reading test: made-up diseases in forms that training never saw, and passages of modules kept out of training.

    python -m models.recipe.evaluate models/phi3-nano --texts modules.jsonl.xz

Prints one line per figure: right, asked, share and its 95 % Wilson interval. Runs on a CPU in a few minutes.
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.recipe.examples import Draft, Example, Sentence, Tag, grounded
from models.recipe.grammar import HELD_OUT_FILES, held_out_grammar, training_grammar
from models.recipe.library import Library
from models.recipe.prose import Lexicon, build_lexicon, read_modules, training_modules
from models.recipe.prose_tasks import prose_task
from models.recipe.world import DISEASE, World, near
from rag.prompt import REFUSAL, render

_CITED = re.compile(r"\s*(.+?)\s*\[(\d+)\]", re.DOTALL)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the test, what must be said, and what was said."""

    example: Example
    fact: str
    """What a right answer contains; empty where a refusal is right."""
    said: str = ""


def cited_sentences(answer: str) -> list[tuple[str, int]]:
    """(text, marker) of every cited stretch of ``answer``."""
    return [(text, int(number)) for text, number in _CITED.findall(answer)]


def is_right(asked: Asked) -> bool:
    """Whether the fact stands in a cited sentence whose marker is the source that holds the fact."""
    holders = {n for n, s in enumerate(asked.example.sources, start=1) if asked.fact in s.text}
    cited = {number for text, number in cited_sentences(asked.said) if asked.fact in text}
    return bool(cited) and cited <= holders


def refused(answer: str) -> bool:
    """Whether ``answer`` is the refusal."""
    return answer.strip().startswith(REFUSAL.rstrip("."))


def made_up_questions(library: Library, n: int, seed: int) -> list[Asked]:
    """Two answerable questions and an unanswerable one on each of ``n`` made-up diseases, all in held-out forms."""
    out = []
    for i in range(n):
        world = World(random.Random(f"{seed}/{i}"), library)
        out += _about_one_disease(world, titled=i % 2 == 0)
    return out


def _about_one_disease(world: World, titled: bool) -> list[Asked]:
    rng = world.rng
    name = world.name("disease")
    other, third = world.sibling(name, "disease"), world.sibling(name, "disease")
    aspects = [a for a in DISEASE if {f"{a}.sentence", f"{a}.question"} <= set(world.grammar.forms)]
    told = rng.sample(aspects, 4)
    absent = rng.choice([a for a in aspects if not any(a in near(t) for t in told) and a != "definition"])
    facts = {(e, a): world.fact(a) for e in (name, other, third) for a in (*told, absent)}
    # two passages on the disease, one each on two others with the same aspects, the missing one included
    plan = [(name, told[:2]), (name, told[2:]), (other, [told[0], told[2]]), (third, [absent, told[1]])]

    def draft(entity: str, aspects: Sequence[str]) -> Draft:
        said = [Sentence(_plainly(world, entity, a, facts[entity, a]), frozenset({Tag(entity, a)})) for a in aspects]
        return Draft(said, entity[:1].upper() + entity[1:] if titled else "")

    drafts = [draft(*p) for p in plan]
    out = []
    for aspect in (told[0], told[3]):
        example = grounded(rng, aspect, _question(world, name, aspect), drafts, frozenset({Tag(name, aspect)}))
        out.append(Asked(example, facts[name, aspect]))
    refusal = grounded(rng, absent, _question(world, name, absent), drafts, frozenset({Tag(name, absent)}))
    return [*out, Asked(refusal, "")]


def _plainly(world: World, name: str, aspect: str, fact: str) -> str:
    """A sentence in a held-out form; the fact stays as it is, so that it can be looked for."""
    form = world.grammar.pick(world.rng, f"{aspect}.sentence")
    text = world.grammar.say(world.rng, form, {"X": name, "F": fact}, world.words.make)
    # a capital at the start, unless that would change the fact
    return text if text.startswith(fact) else text[:1].upper() + text[1:]


def _question(world: World, name: str, aspect: str) -> str:
    form = world.grammar.pick(world.rng, f"{aspect}.question")
    text = world.grammar.say(world.rng, form, {"X": name}, world.words.make)
    return text[:1].upper() + text[1:]


def prose_questions(library: Library, n: int, refuse: bool, seed: int) -> list[Asked]:
    """Reading tasks on held-out modules, nothing replaced."""
    out = []
    for i in range(n):
        example = prose_task(random.Random(f"{seed}/{refuse}/{i}"), library, refuse, share_disguised=0.0)
        out.append(Asked(example, "" if refuse else example.answer))
    return out


def answer_all(model: Any, tokenizer: Any, asked: Sequence[Asked], device: str, new_tokens: int = 320) -> list[Asked]:
    """Greedy answers, in batches of similar length."""
    import torch

    prompts = [render(tokenizer, a.example.messages) for a in asked]
    order = sorted(range(len(asked)), key=lambda i: len(prompts[i]))
    said = [""] * len(asked)
    size = 100 if device == "cuda" else 10
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        width = max(len(prompts[i]) for i in batch)
        ids = torch.tensor([[0] * (width - len(prompts[i])) + prompts[i] for i in batch], device=device)
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch], device=device)
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=False)
        for i, row in zip(batch, out[:, width:], strict=True):
            said[i] = tokenizer.decode(row, skip_special_tokens=True).strip()
    return [Asked(a.example, a.fact, text) for a, text in zip(asked, said, strict=True)]


def copy_counts(asked: Sequence[Asked], lexicon: Lexicon) -> dict[str, tuple[int, int]]:
    """How many words of cited sentences stand in the cited source; the same for rare words and for whole sentences."""
    words: Counter[str] = Counter()
    for a in asked:
        for text, number in cited_sentences(a.said):
            source = a.example.sources[number - 1].text if 0 < number <= len(a.example.sources) else ""
            holds = set(_WORD.findall(source))
            found = _WORD.findall(text)
            rare = [w for w in found if lexicon.counts[w.lower()] < 5 and not w.isdigit()]
            words.update(words=len(found), kept=sum(w in holds for w in found))
            words.update(rare=len(rare), rare_kept=sum(w in holds for w in rare))
            anywhere = any(text in s.text for s in a.example.sources)
            words.update(sentences=1, verbatim=anywhere, marked=text in source)
    return {
        "words found in the cited source": (words["kept"], words["words"]),
        "rare words found there": (words["rare_kept"], words["rare"]),
        "sentences verbatim in some source": (words["verbatim"], words["sentences"]),
        "verbatim sentences with the right marker": (words["marked"], words["verbatim"]),
    }


def wilson(right: int, asked: int) -> tuple[float, float]:
    """95 % Wilson interval of a share; (0, 1) if nothing was asked."""
    if not asked:
        return 0.0, 1.0
    z, p = 1.96, right / asked
    middle = (p + z * z / (2 * asked)) / (1 + z * z / asked)
    half = z / (1 + z * z / asked) * (p * (1 - p) / asked + z * z / (4 * asked**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def evaluate_made_up(
    model: Any, tokenizer: Any, texts: Path, device: str, n: int = 100, show: int = 0
) -> dict[str, tuple[int, int]]:
    """Figures on ``n`` made-up diseases for each set of held-out forms, as (right, asked); prints them and failures."""
    modules = read_modules(texts)
    lexicon = build_lexicon(training_modules(modules))
    held_out = [m for m in modules if m.held_out]
    figures: dict[str, tuple[int, int]] = {}
    for name in HELD_OUT_FILES:
        forms = Library(held_out, lexicon, held_out_grammar(name))
        made_up = answer_all(model, tokenizer, made_up_questions(forms, n, 1), device)
        known, unknown = [a for a in made_up if a.fact], [a for a in made_up if not a.fact]
        found = {
            "right fact, right marker": (sum(map(is_right, known)), len(known)),
            "refused though present": (sum(refused(a.said) for a in known), len(known)),
            "refused when absent": (sum(refused(a.said) for a in unknown), len(unknown)),
            **copy_counts(known, lexicon),
        }
        figures |= {f"made-up, {name}: {figure}": counts for figure, counts in found.items()}
        for a in [x for x in known if not is_right(x)][:show] + [x for x in unknown if not refused(x.said)][:show]:
            failure = {"prompt": a.example.messages[-1]["content"], "fact": a.fact, "said": a.said}
            print(json.dumps(failure, ensure_ascii=False))
    report(figures)
    return figures


def evaluate_prose(model: Any, tokenizer: Any, texts: Path, device: str, n: int = 100) -> dict[str, tuple[int, int]]:
    """Figures on passages of the held-out modules, as (right, asked); prints them."""
    modules = read_modules(texts)
    lexicon = build_lexicon(training_modules(modules))
    prose = Library([m for m in modules if m.held_out], lexicon, training_grammar())
    present = answer_all(model, tokenizer, prose_questions(prose, 3 * n, False, 2), device)
    absent = answer_all(model, tokenizer, prose_questions(prose, n, True, 3), device)
    figures = {
        "held-out prose: refused though present": (sum(refused(a.said) for a in present), len(present)),
        "held-out prose: refused when absent": (sum(refused(a.said) for a in absent), len(absent)),
        "held-out prose: answer exactly as expected": (sum(a.said == a.fact for a in present), len(present)),
        **{f"held-out prose: {k}": v for k, v in copy_counts(present, lexicon).items()},
    }
    report(figures)
    return figures


def evaluate(folder: Path, texts: Path, device: str, small: bool = False, show: int = 0) -> dict[str, tuple[int, int]]:
    """All figures of the model in ``folder``; prints them and ``show`` failures of each kind."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = model.to(device).eval()
    n = 10 if small else 100
    return {
        **evaluate_made_up(model, tokenizer, texts, device, n, show),
        **evaluate_prose(model, tokenizer, texts, device, n),
    }


def report(figures: dict[str, tuple[int, int]]) -> None:
    """One line per figure."""
    for name, (right, asked) in figures.items():
        low, high = wilson(right, asked)
        share = f"{right / asked:.3f}" if asked else "none"
        print(f"{name:68} {right:6d}/{asked:<6d} {share}  [{low:.3f}, {high:.3f}]", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--small", action="store_true", help="a tenth of the questions")
    parser.add_argument("--show", type=int, default=0, help="print this many failures of each kind")
    args = parser.parse_args()
    evaluate(args.folder, args.texts, _device(), args.small, args.show)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
