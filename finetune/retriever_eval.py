"""How good is a retriever, on validation questions of the corpus and on people's questions with graded answers?

Both rank by cosine and BM25 fused (``retrieval.fusion``), as the product does before aspects; each answer counts by its best
passage.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.augment import Frames, Mix, rename, surface_form
from finetune.mining import label_pairs
from medqa.errors import MedqaError
from medqa.records import Passage, QAPair
from retrieval.fusion import fuse, top_rows
from retrieval.lexical import LexicalIndex
from retrieval.metrics import ndcg

if TYPE_CHECKING:
    import numpy as np

CUTOFF = 10
CANDIDATES = 100
"""Passages that each arm hands to fusion, as by default in ``medqa.settings``."""
Figures = dict[str, float]
MakePassages = Callable[[Sequence[QAPair], Sequence[str]], list[Passage]]


@dataclass(frozen=True)
class Ranked:
    """One question's candidates after fusion, best first."""

    rows: "np.ndarray"
    """Rows of passages."""
    scores: "np.ndarray"
    """Fused scores in [0, 1]."""


class Pool:
    """Questions against passages: BM25 is computed once, cosines as often as the encoder changes."""

    def __init__(
        self,
        texts: Sequence[str],
        owner: Sequence[int],
        questions: Sequence[str],
        allowed: Sequence["np.ndarray"] | None,
    ) -> None:
        """``owner`` is the answer of each text; ``allowed`` the rows that each question may find, None for all."""
        import numpy as np

        self.texts, self.owner, self.questions, self.allowed = list(texts), np.asarray(owner), list(questions), allowed
        index = LexicalIndex.build(self.texts)
        self._lexical = np.stack([index.scores(q) for q in self.questions])

    def rank(self, cosines: "np.ndarray", lexical_weight: float) -> list[Ranked]:
        """Fused candidates of each question.

        Args:
            cosines: (questions, texts).
            lexical_weight: share of BM25; 0 ranks by cosine alone.
        """
        import numpy as np

        ranked: list[Ranked] = []
        for i, (dense, lexical) in enumerate(zip(cosines, self._lexical, strict=True)):
            rows = np.arange(len(dense)) if self.allowed is None else self.allowed[i]
            if self.allowed is None:
                proposed = np.argpartition(-dense, min(CANDIDATES, len(dense)) - 1)[:CANDIDATES]
                rows = np.union1d(proposed, top_rows(lexical, CANDIDATES)) if lexical_weight else proposed
            found = fuse(
                rows, dense[rows].astype(np.float64), lexical[rows].astype(np.float64), lexical_weight
            )  # fmt: skip
            ranked.append(Ranked(found.rows, found.scores))
        return ranked

    def fused_with(
        self, question: int, ranked: Ranked, more: "np.ndarray", cosines: "np.ndarray", weight: float
    ) -> Ranked:
        """``ranked`` with further rows, scored as ``retrieval.search`` does; ``cosines`` (texts,) are the question's."""
        import numpy as np

        rows = np.union1d(ranked.rows, more)
        proposed = np.isin(rows, more, invert=True)
        lexical = self._lexical[question]
        found = fuse(rows, cosines[rows].astype(np.float64), lexical[rows].astype(np.float64), weight, proposed)
        return Ranked(found.rows, found.scores)

    def answers(self, rows: Sequence[int]) -> list[int]:
        """Answers in the order of their best passage, each once."""
        return list(dict.fromkeys(int(self.owner[r]) for r in rows))


@dataclass(frozen=True)
class ValidationSet:
    """Validation questions in several wordings against the passages of train and validation."""

    pool: Pool
    groups: Mapping[str, range]
    """Wording -> its questions in the pool: ``plain``, ``synonym``, ``people`` (held-out frames)."""
    relevant: Sequence[frozenset[int]]
    """Answers that count, per question: of all pairs with the same question or the same answer."""

    @classmethod
    def of(cls, pairs: Sequence[QAPair], passages: Sequence[Passage], limit: int, seed: int) -> "ValidationSet":
        """``pairs`` are those of train and validation, ``passages`` theirs, without question and synonyms in the header.

        Args:
            pairs: asking (validation) and other ones.
            passages: of all of them.
            limit: validation pairs that ask, drawn with the seed.
            seed: of draw and wordings.
        """
        row = {p.id: i for i, p in enumerate(pairs)}
        labels = label_pairs(pairs)
        asking = sorted((i for i, p in enumerate(pairs) if p.split == "validation"), key=lambda i: pairs[i].id)
        rng = random.Random(f"{seed}:validation")
        asking = sorted(rng.sample(asking, min(limit, len(asking))))
        wordings: dict[str, list[tuple[int, str]]] = {"plain": [(i, pairs[i].question) for i in asking]}
        wordings["synonym"] = [
            (i, text) for i in asking if pairs[i].synonyms and (text := _by_synonym(pairs[i], rng)) is not None
        ]
        only_people = Mix(synonym=0.0, people=1.0, symptoms=0.0, typos=0.15)
        held_out: Frames = "held-out"
        wordings["people"] = [(i, surface_form(pairs[i], (), rng, only_people, held_out)) for i in asking]
        questions: list[str] = []
        groups: dict[str, range] = {}
        asked: list[int] = []
        for name, items in wordings.items():
            groups[name] = range(len(questions), len(questions) + len(items))
            questions += [text for _, text in items]
            asked += [i for i, _ in items]
        same = [
            frozenset(
                int(j) for j in ((labels[:, 0] == labels[i, 0]) | (labels[:, 1] == labels[i, 1])).nonzero()[0]
            )
            for i in asked
        ]  # fmt: skip
        owner = [row[p.pair_id] for p in passages]
        return cls(Pool([p.embedded_text for p in passages], owner, questions, None), groups, same)

    def figures(self, rankings: Sequence[Sequence[int]]) -> Figures:
        """nDCG@10 of each wording, from rows of passages per question, best first."""
        values = []
        for rows, relevant in zip(rankings, self.relevant, strict=True):
            grades = [1.0 if a in relevant else 0.0 for a in self.pool.answers(rows)]
            values.append(ndcg(grades, [1.0] * len(relevant), CUTOFF))
        return {f"{name} nDCG@10": _mean([values[i] for i in group]) for name, group in self.groups.items() if group}


@dataclass(frozen=True)
class GradedSet:
    """People's questions, each with candidate answers that experts graded."""

    pool: Pool
    grades: Sequence[Mapping[int, float]]
    """Per question: answer -> grade, from 0."""

    @classmethod
    def read(cls, path: Path, make_passages: MakePassages) -> "GradedSet":
        """JSONL of ``{"question", "answers": [{"text", "grade" from 1}]}``; the answers are cut into passages without header.

        Raises:
            MedqaError: other content.
        """
        import numpy as np

        try:
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            questions = [str(line["question"]) for line in lines]
            answers = [
                (i, str(a["text"]), float(a["grade"]) - 1) for i, row in enumerate(lines) for a in row["answers"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise MedqaError(
                f"wanted lines of question and graded answers in {path}, found other content ({error!r})"
            ) from error
        pairs = [QAPair(f"{number:06}", questions[i], text) for number, (i, text, _) in enumerate(answers)]
        passages = make_passages(pairs, ())
        owner = np.array([int(p.pair_id) for p in passages])
        question_of = np.array([i for i, _, _ in answers])[owner]
        allowed = [np.flatnonzero(question_of == i) for i in range(len(questions))]
        grades: list[dict[int, float]] = [{} for _ in questions]
        for number, (i, _, grade) in enumerate(answers):
            grades[i][number] = grade
        return cls(Pool([p.embedded_text for p in passages], owner.tolist(), questions, allowed), grades)

    def figures(self, rankings: Sequence[Sequence[int]]) -> Figures:
        """Mean grade of the first answer, and nDCG@10 over the questions that have any answer above 0."""
        first, gains = [], []
        for rows, grades in zip(rankings, self.grades, strict=True):
            found = [grades[a] for a in self.pool.answers(rows)]
            first.append(found[0])
            if max(grades.values()) > 0:
                gains.append(ndcg(found, list(grades.values()), CUTOFF))
        return {"first grade": _mean(first), "nDCG@10": _mean(gains)}


def cosines(pool: Pool, embed: Callable[[Sequence[str]], Any]) -> "np.ndarray":
    """(questions, texts) cosines of the pool by ``embed`` (texts -> unit vectors, torch)."""
    found: np.ndarray = (embed(pool.questions) @ embed(pool.texts).T).cpu().numpy()
    return found


def loses(tuned: Figures, stock: Figures) -> list[str]:
    """What got worse than stock, in words; empty when the gate holds.

    A difference below 1e-9 is rounding.
    """
    return [
        f"{name} {tuned[name]:.4f} against {stock[name]:.4f}" for name in stock if tuned[name] < stock[name] - 1e-9
    ]  # fmt: skip


def _by_synonym(pair: QAPair, rng: random.Random) -> str | None:
    return rename(pair.question, pair.topic, rng.choice(pair.synonyms))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
