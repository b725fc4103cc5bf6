"""Contrastive training of an encoder: fresh question forms, in-batch and hard negatives, and a tether to the stock encoder."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune.augment import Mix
from finetune.mining import are_related, mine, own_passages
from finetune.retriever_data import TrainData, draw_header
from finetune.retriever_model import TrainableEncoder
from medqa.records import Passage

if TYPE_CHECKING:
    import numpy as np

POSITIVES = 4
"""Own passages of a pair that may stand for its answer."""
DEPTH = 32
"""Hard negatives kept per question and kind; each step draws from them."""
SENTENCES = 20_000
"""Plain sentences whose stock similarities are kept, at most."""
SIBLINGS = 8
"""Passages of one topic, without header, whose order under a question of that topic is kept as the stock encoder has it."""


@dataclass(frozen=True, slots=True)
class ContrastivePlan:
    """How to train; the meanings are those of ``medqa.settings.RetrieverSettings``."""

    rounds: int
    epochs: int
    batch: int
    chunk: int
    recompute: bool
    negatives: int
    learning_rate: float
    temperature: float
    distill: float
    mix: Mix
    seed: int


def train_encoder(
    encoder: TrainableEncoder, data: TrainData, plan: ContrastivePlan, say: Callable[[str], None]
) -> list[dict[str, float]]:
    """Train in ``plan.rounds``: mine with the encoder as it is, then ``plan.epochs`` over all pairs. One learning-rate cycle.

    Returns:
        Loss by step: ``{"step", "loss", "distill"}``.
    """
    import torch
    from tqdm import tqdm

    tether = _Tether(encoder, data, plan)
    parameters = encoder.parameters()
    steps_per_epoch = max(1, len(data.pairs) // plan.batch)
    total = plan.rounds * plan.epochs * steps_per_epoch
    optimiser = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=total, pct_start=0.1, cycle_momentum=False
    )
    history: list[dict[str, float]] = []
    rng = random.Random(f"{plan.seed}:retriever")
    bar = tqdm(total=total, desc="retriever", unit="step", disable=None)
    for turn in range(plan.rounds):
        own, negatives = _mined(encoder, data)
        say(f"round {turn + 1}: {(negatives >= 0).sum() / len(data.pairs):.1f} hard negatives per question")
        for _ in range(plan.epochs):
            order = list(range(len(data.pairs)))
            rng.shuffle(order)
            for start in range(0, steps_per_epoch * plan.batch, plan.batch):
                rows = order[start : start + plan.batch]
                batch = _Batch.draw(data, rows, own, negatives, plan, rng)
                loss, kept = _step(encoder, data, batch, tether, plan, rng)
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)  # customary; a rare spike must not undo a round
                optimiser.step()
                optimiser.zero_grad()
                schedule.step()
                history.append({"step": len(history) + 1, "loss": loss, "distill": kept})
                bar.update(1)
                if len(history) % max(1, total // 20) == 0:
                    say(f"step {len(history)}/{total}: loss {loss:.3f}, drift {kept:.4f}")
    bar.close()
    return history


def contrastive_loss(queries: Any, passages: Any, blocked: Any, temperature: float) -> Any:
    """InfoNCE (van den Oord et al. 2018, arXiv:1807.03748): the i-th passage answers the i-th query, all others do not.

    Args:
        queries: (n, dim), unit.
        passages: (m, dim), unit, m >= n.
        blocked: (n, m) bool: false negatives, which do not count.
        temperature: cosines are divided by it.
    """
    import torch

    logits = (queries @ passages.T / temperature).masked_fill(blocked, -torch.inf)
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(queries), device=queries.device))


def kept_order(now: Any, stock: Any, temperature: float) -> Any:
    """KL divergence of each text's similarities (softmax over the passages) from the stock encoder's: 0 is no drift.

    Args:
        now: (n, m) cosines as they are.
        stock: (n, m) cosines of the stock encoder.
        temperature: cosines are divided by it.
    """
    import torch

    return torch.nn.functional.kl_div(
        torch.log_softmax(now / temperature, dim=1),
        torch.log_softmax(stock / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """One step's texts: queries, then positives (aligned with them) and negatives, and which pair each passage is of."""

    queries: list[str]
    passages: list[str]
    rows: list[int]
    owners: list[int]

    @classmethod
    def draw(
        cls,
        data: TrainData,
        rows: Sequence[int],
        own: Sequence[Sequence[int]],
        negatives: "np.ndarray",
        plan: ContrastivePlan,
        rng: random.Random,
    ) -> "_Batch":
        header = draw_header(rng)  # one for the whole batch, as in an index: the header itself must tell nothing
        # The passage nearest to the question most often (63 %), the second 23 %, ...
        positives = [own[r][min(int(rng.expovariate(1.0)), len(own[r]) - 1)] for r in rows]
        hard: list[int] = []
        for r in rows:
            for n in range(plan.negatives):
                # Without a header nothing says what a passage is about, and on one topic the corpus' own answer is not the only
                # good one: such passages are not pushed apart.
                kind = negatives[r, n % 2 if header else 1]
                eligible = kind[kind >= 0]
                if len(eligible):
                    hard.append(int(eligible[rng.randrange(len(eligible))]))
        shown = [*positives, *hard]
        return cls(
            [data.form(r, rng, plan.mix) for r in rows],
            [data.shown(p, header) for p in shown],
            list(rows),
            [int(data.owner[p]) for p in shown],
        )


class _Tether:
    """Plain sentences against passages, and questions against passages of their topic, all without header, with the stock
    encoder's vectors; drawn anew each step."""

    def __init__(self, encoder: TrainableEncoder, data: TrainData, plan: ContrastivePlan) -> None:
        rng = random.Random(f"{plan.seed}:tether")
        self._data = data
        self._rows = rng.sample(range(len(data.passages)), min(SENTENCES, len(data.passages)))
        self._sentences = [_sentence(data.passages[r], rng) for r in self._rows]
        # An eighth of the texts of a batch: enough to notice a drift.
        self._size = min(plan.batch // 4, len(self._rows))
        self._crowds = _crowds(data)
        self._groups = min(plan.batch // 8, len(self._crowds))  # with their siblings about as many texts again
        if plan.distill:
            with encoder.at_scale(0.0):
                self._sentence_vectors = encoder.embed(self._sentences, label="tether")
                self._passage_vectors = encoder.embed([p.text for p in data.passages], label="tether")
                self._question_vectors = encoder.embed([p.question for p in data.pairs], label="tether")

    def draw(self, rng: random.Random) -> "_Held":
        """What one step must not move."""
        places = rng.sample(range(len(self._sentences)), self._size)
        plain_rows = [self._rows[i] for i in places]
        crowds = [self._crowds[i] for i in rng.sample(range(len(self._crowds)), self._groups)]
        siblings = [rng.sample(crowd, SIBLINGS) for crowd in crowds]
        asked = [int(self._data.owner[rng.choice(crowd)]) for crowd in crowds]
        texts = [self._sentences[i] for i in places] + [self._data.passages[r].text for r in plain_rows]
        texts += [self._data.pairs[a].question for a in asked]
        shown = [r for rows in siblings for r in rows]
        texts += [self._data.passages[r].text for r in shown]
        return _Held(
            texts,
            self._sentence_vectors[places] @ self._passage_vectors[plain_rows].T,
            _each(self._question_vectors[asked], self._passage_vectors[shown]) if asked else None,
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """``n`` sentences, ``n`` passages, ``g`` questions and ``g * SIBLINGS`` passages, in this order; stock cosines."""

    texts: list[str]
    plain: Any
    """(n, n): sentences, passages."""
    siblings: Any
    """(g, SIBLINGS): each question with its own siblings; None where no topic has so many passages."""

    def loss(self, vectors: Any, temperature: float) -> Any:
        """Mean of both ``kept_order`` divergences, from the (n + n + g + g * SIBLINGS, dim) vectors of ``texts`` now."""
        n = len(self.plain)
        sentences, passages, rest = vectors[:n], vectors[n : 2 * n], vectors[2 * n :]
        plain = kept_order(sentences @ passages.T, self.plain, temperature)
        if self.siblings is None:
            return plain
        g = len(self.siblings)
        return (plain + kept_order(_each(rest[:g], rest[g:]), self.siblings, temperature)) / 2


def _each(questions: Any, siblings: Any) -> Any:
    """(g, SIBLINGS) cosines of each of (g, dim) questions with its own of (g * SIBLINGS, dim) passages."""
    return (siblings.view(len(questions), SIBLINGS, -1) @ questions[:, :, None])[:, :, 0]


def _crowds(data: TrainData) -> list[list[int]]:
    """Rows of the usable passages of each topic that has at least ``SIBLINGS`` of them."""
    rows: dict[int, list[int]] = {}
    for row, owner in enumerate(data.owner.tolist()):
        if data.usable[row]:
            rows.setdefault(int(data.topics[owner]), []).append(row)
    return [crowd for _, crowd in sorted(rows.items()) if len(crowd) >= SIBLINGS]


def _sentence(passage: Passage, rng: random.Random) -> str:
    start, end = rng.choice(passage.sentences)
    return re.sub(r"\s+", " ", passage.text[start:end])


def _mined(encoder: TrainableEncoder, data: TrainData) -> tuple[list[list[int]], "np.ndarray"]:
    """(positives, hard negatives) by the encoder as it is, under the header that evaluation uses."""
    questions = encoder.embed([p.question for p in data.pairs], label="questions")
    passages = encoder.embed([data.shown(i, "topic") for i in range(len(data.passages))], label="passages")
    similarity = (questions[data.owner.tolist()] * passages).sum(1).cpu().numpy()
    own = own_passages(data.owner.tolist(), len(data.pairs), similarity, data.usable.tolist(), POSITIVES)
    return own, mine(questions, passages, data.owner, data.labels, data.topics, data.usable, own, DEPTH)


def _step(
    encoder: TrainableEncoder,
    data: TrainData,
    batch: _Batch,
    tether: _Tether,
    plan: ContrastivePlan,
    rng: random.Random,
) -> tuple[float, float]:
    """Gradients of one batch; with ``plan.recompute`` by chunks that fit into memory (GradCache: Gao et al. 2021,
    arXiv:2101.06983): all texts are embedded without gradients, the loss gives the gradient of every vector, and each chunk is
    embedded again to carry its vectors' gradients into the weights. Equal to one large backward pass.
    """
    import torch

    held = tether.draw(rng) if plan.distill else None
    texts = batch.queries + batch.passages + (held.texts if held else [])
    rows = encoder.tokenise(texts)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    chunks = [order[i : i + plan.chunk] for i in range(0, len(order), plan.chunk)]
    batches = [encoder.batch([rows[i] for i in chunk]) for chunk in chunks]
    with torch.set_grad_enabled(not plan.recompute):
        parts = torch.cat([encoder.forward(b) for b in batches])
    vectors = parts[torch.as_tensor(order, device=parts.device).argsort()]
    vectors.requires_grad_(True)

    n, m = len(batch.queries), len(batch.passages)
    asked = torch.as_tensor(data.labels[batch.rows], device=vectors.device)
    owned = torch.as_tensor(data.labels[batch.owners], device=vectors.device)
    blocked = are_related(asked, owned)
    blocked[range(n), range(n)] = False
    loss = contrastive_loss(vectors[:n], vectors[n : n + m], blocked, plan.temperature)
    drift = torch.zeros(())
    if held is not None:
        drift = held.loss(vectors[n + m :], plan.temperature)
        (loss + plan.distill * drift).backward()
    else:
        loss.backward()
    if plan.recompute:
        assert vectors.grad is not None  # the loss depends on every vector
        for chunk, b in zip(chunks, batches, strict=True):
            (encoder.forward(b) * vectors.grad[chunk]).sum().backward()
    return float(loss.detach()), float(drift.detach())
