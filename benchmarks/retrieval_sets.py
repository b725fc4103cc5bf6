"""The question sets of the retrieval benchmark: who is asked, and what counts as right."""

import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.augment import Mix, surface_form
from ingest.text import same_key
from medqa.files import sha256_bytes
from medqa.records import QAPair

POOL = 2048
"""Size of the published task."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and the grades of what can be found (pair id -> grade above 0)."""

    id: str
    question: str
    grades: dict[str, float]
    candidates: frozenset[str] = frozenset()
    """Where not empty: only these are ranked."""


def pair_questions(asked: Sequence[QAPair], pool: Sequence[QAPair]) -> list[Asked]:
    """Each pair's question; right are, with grade 1, the pair and all of ``pool`` with the same question or answer."""
    by_question, by_answer = defaultdict(set), defaultdict(set)
    for pair in pool:
        by_question[same_key(pair.question)].add(pair.id)
        by_answer[same_key(pair.answer)].add(pair.id)
    return [
        Asked(p.id, p.question, dict.fromkeys(by_question[same_key(p.question)] | by_answer[same_key(p.answer)], 1.0))
        for p in asked
    ]


def with_synonyms(asked: Sequence[QAPair], seed: int) -> list[QAPair]:
    """Those whose question names their topic, with that name replaced by one of the pair's synonyms, drawn by seed and id.

    A synonym that holds the topic's name, or that the name holds, would leave the name in the question: it is not drawn.
    """
    found = []
    for pair in asked:
        topic = same_key(pair.topic)
        names = sorted(s for s in pair.synonyms if (k := same_key(s)) and k not in topic and topic not in k)
        pattern = re.compile(re.escape(pair.topic), re.IGNORECASE)
        if pair.topic and names and pattern.search(pair.question):
            name = names[int(sha256_bytes(f"{seed}:{pair.id}".encode()), 16) % len(names)]
            found.append(replace(pair, question=pattern.sub(lambda _, name=name: name, pair.question)))
    return found


def in_own_words(asked: Sequence[QAPair], seed: int) -> list[QAPair]:
    """Each question as somebody might put it, in frames that no training saw; some with typing errors."""
    rng, mix = random.Random(f"{seed}:people"), Mix(synonym=0.0, people=1.0, symptoms=0.0, typos=0.15)
    return [replace(pair, question=surface_form(pair, (), rng, mix, "held-out")) for pair in asked]


def small_pool(pairs: Sequence[QAPair], seed: int) -> list[QAPair]:
    """``POOL`` pairs of all splits, drawn with ``seed``; independent of their order."""
    return random.Random(seed).sample(sorted(pairs, key=lambda p: p.id), min(POOL, len(pairs)))


def consumer_questions(file: Path) -> tuple[list[Asked], list[QAPair]]:
    """Judged answers to consumers' questions: each question ranks its own candidates, grades 1 to 4 less one.

    The answers come back as pairs without question and topic: nothing but their text is indexed.
    """
    asked, answers = [], []
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        own = {f"{row['id']}/{a['id']}": a for a in row["answers"]}
        grades = {name: float(a["grade"] - 1) for name, a in own.items()}
        answers += [QAPair(name, "", a["text"]) for name, a in own.items()]
        asked.append(Asked(row["id"], row["question"], grades, frozenset(own)))
    return asked, answers
