"""What may stand against a question in contrastive training: relations between pairs, hard negatives, false ones masked."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from finetune.negatives import plain
from medqa.records import Passage, QAPair

if TYPE_CHECKING:
    import numpy as np

BLOCK = 256
"""Questions scored at once: 256 x 50,000 passages in float32 are 50 MB."""
NEAR_DUPLICATE = 0.97
"""Cosine at which two passages on the same topic say the same."""


def label_pairs(pairs: Sequence[QAPair]) -> "np.ndarray":
    """(n, 3) int64: ids of each pair's question, answer, and topic together with question type.

    Two pairs that agree in any column are false negatives of each other. Topics that share a name or a synonym are one, and
    so are chains of them; a pair without topic has its own.
    """
    import numpy as np

    topics = topic_ids(pairs)
    columns = (
        [plain(p.question) for p in pairs],
        [plain(p.answer) for p in pairs],
        [f"{topic} {p.question_type}" for topic, p in zip(topics.tolist(), pairs, strict=True)],
    )
    return np.stack([_numbered(column) for column in columns], axis=1)


def topic_ids(pairs: Sequence[QAPair]) -> "np.ndarray":
    """(n,) int64: equal where topics share a name or a synonym, also through a third topic; else different."""
    import numpy as np

    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    names = [[plain(n) for n in (p.topic, *p.synonyms) if plain(n)] or [f"\0{p.id}"] for p in pairs]
    for first, *others in names:
        for other in others:
            parent[root(other)] = root(first)
    return np.asarray(_numbered([root(first) for first, *_ in names]))


def are_related(labels: Any, others: Any) -> Any:
    """(n, m) bool from (n, 3) and (m, 3) labels, NumPy or torch: may the second not be a negative of the first?"""
    return (labels[:, None] == others[None]).any(-1)


def informative(passages: Sequence[Passage], answers: Sequence[int]) -> "np.ndarray":
    """(m,) bool: False for passages whose text stands in several different answers: boilerplate says nothing of a question.

    Args:
        passages: m of them.
        answers: the answer's id of each passage's pair (second column of ``label_pairs``).
    """
    import numpy as np

    texts = [plain(p.text) for p in passages]
    spread = Counter(text for text, _ in set(zip(texts, answers, strict=True)))
    return np.array([spread[text] == 1 for text in texts], dtype=bool)


def own_passages(owner: Sequence[int], n: int, similarity: Any, usable: Sequence[bool], most: int) -> list[list[int]]:
    """Rows of each pair's own passages, the most similar to its question first, at most ``most``: its positives.

    Args:
        owner: row of each passage's pair.
        n: pairs.
        similarity: (m,) of each passage to its own pair's question.
        usable: see ``informative``; a pair with no usable passage keeps all.
        most: at most so many; the end of a long answer seldom answers the question.
    """
    rows: list[list[int]] = [[] for _ in range(n)]
    for row in sorted(range(len(owner)), key=lambda r: (-float(similarity[r]), r)):
        rows[owner[row]].append(row)
    return [([r for r in own if usable[r]] or own)[:most] for own in rows]


def mine(
    queries: Any,
    passages: Any,
    owner: Any,
    labels: Any,
    topics: Any,
    usable: Any,
    own: Sequence[Sequence[int]],
    depth: int,
) -> "np.ndarray":
    """(n, 2, depth) rows of hard negatives, most similar first, -1 where there are fewer: [:, 0] of the same topic but
    another aspect, [:, 1] of other topics.

    Passages of related pairs (``are_related``), unusable ones, and near-duplicates of the pair's own are left out.

    Args:
        queries: (n, dim) torch, L2-normalised: the questions.
        passages: (m, dim) torch, L2-normalised, on the same device.
        owner: (m,) rows of the passages' pairs, NumPy; so are the rest.
        labels: (n, 3), see ``label_pairs``.
        topics: (n,), see ``topic_ids``.
        usable: (m,) bool.
        own: each pair's own passages.
        depth: at most so many of each kind.
    """
    import numpy as np
    import torch

    device = queries.device
    owner, labels, topics, usable = (torch.as_tensor(a, device=device) for a in (owner, labels, topics, usable))
    depth = min(depth, len(passages))
    found = np.full((len(queries), 2, depth), -1, dtype=np.int64)
    for start in range(0, len(queries), BLOCK):
        block = slice(start, start + BLOCK)
        scores = queries[block] @ passages.T
        scores[are_related(labels[block], labels[owner]) | ~usable] = -torch.inf
        same = topics[block][:, None] == topics[owner][None]
        for kind, kept in enumerate((same, ~same)):
            best, rows = scores.masked_fill(~kept, -torch.inf).topk(depth)
            rows[best == -torch.inf] = -1
            found[block, kind] = rows.cpu().numpy()
    for i, mine_ in enumerate(own):
        rows = found[i, 0][found[i, 0] >= 0]
        if len(rows) and len(mine_):
            nearest = (passages[list(rows)] @ passages[list(mine_)].T).amax(1).cpu().numpy()
            rest = rows[nearest < NEAR_DUPLICATE]
            found[i, 0] = -1
            found[i, 0, : len(rest)] = rest
    return found


def _numbered(values: Sequence[str]) -> "np.ndarray":
    import numpy as np

    ids: dict[str, int] = {}
    return np.array([ids.setdefault(v, len(ids)) for v in values], dtype=np.int64)
