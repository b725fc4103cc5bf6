"""The figures of ``report.json``: every row accounted for, what the groups look like, what is in the corpus."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ingest.clean import Rows
from ingest.features import Features
from ingest.groups import Group
from ingest.rules import REASONS
from medqa.records import SPLITS, Split

_LARGEST = 10  # groups and answers listed
_NAMED = 5  # topics named per group
_FREQUENT = 20  # topics listed
_QUESTION_EDGES = (0, *range(2, 31, 2), 40, 60, 100)  # words; half of MedQuAD's questions have eight and less
_ANSWER_EDGES = (
    0,
    5,
    10,
    15,
    20,
    30,
    45,
    65,
    100,
    150,
    215,
    320,
    470,
    690,
    1000,
    1500,
    2150,
    3200,
    4700,
)  # about ×1.47


def ordered_reasons(counts: Mapping[str, int]) -> dict[str, int]:
    """Reason -> rows, in the order of the rules, reasons that did not occur left out."""
    return {reason: counts[reason] for reason in REASONS if counts.get(reason)}


def count_by(values: Sequence[str], splits: Sequence[str]) -> dict[str, dict[str, int]]:
    """Value -> split -> rows, the most frequent value first."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for value, split in zip(values, splits, strict=True):
        table[value][split] += 1
    by_size = sorted(table.items(), key=lambda item: (-item[1].total(), item[0]))
    return {name: {split: counts[split] for split in SPLITS} for name, counts in by_size}


def split_sizes(groups: Sequence[Group], splits: Sequence[str], shares: Mapping[Split, float]) -> dict[str, Any]:
    """Per split: rows, their share of all, the share aimed at, groups."""
    rows = Counter(splits)
    held = Counter(splits[group.rows[0]] for group in groups)
    return {
        s: {"rows": rows[s], "share": rows[s] / len(splits), "wanted": round(shares[s], 6), "groups": held[s]}
        for s in SPLITS
    }


def largest_groups(known: Features, groups: Sequence[Group], splits: Sequence[str]) -> list[dict[str, Any]]:
    """The largest groups, with the topics that most of their rows have and the answer most of them share.

    A boilerplate answer chains the topics that use it: here it shows.
    """
    largest = sorted(groups, key=lambda g: (-len(g), g.id))[:_LARGEST]
    return [_describe(known, group, splits) for group in largest]


def group_sizes(groups: Sequence[Group]) -> dict[str, int]:
    """Size -> number of groups of it, smallest first."""
    counts = Counter(map(len, groups))
    return {str(size): counts[size] for size in sorted(counts)}


def repeated_answers(known: Features, rows: Rows) -> list[dict[str, Any]]:
    """Answers that stand under several questions, the most frequent first."""
    values, places, inverse = np.unique(known.keys.answer, return_index=True, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(values))
    often = sorted(np.flatnonzero(counts > 1).tolist(), key=lambda v: (-counts[v], places[v]))[:_LARGEST]
    return [
        {
            "rows": int(counts[v]),
            "topics": len(np.unique(known.keys.topic[inverse == v])),
            "answer": _start(rows[int(places[v])].pair.answer),
        }
        for v in often
    ]


def boilerplate(known: Features, least: int) -> dict[str, int]:
    """How many answers stand under at least ``least`` questions, and how many rows they make."""
    _, counts = np.unique(known.keys.answer, return_counts=True)
    return {"least": least, "answers": int((counts >= least).sum()), "rows": int(counts[counts >= least].sum())}


def lengths(known: Features, splits: np.ndarray) -> dict[str, Any]:
    """Histograms of words per question and per answer, by split; bin ``k`` is ``[edges[k], edges[k + 1])``, the last open."""
    tables: dict[str, Any] = {}
    for name, values, edges in (
        ("question", known.question_words, _QUESTION_EDGES),
        ("answer", known.answer_words, _ANSWER_EDGES),
    ):
        bins = np.minimum(np.searchsorted(edges, values, side="right"), len(edges) - 1) - 1
        counts = {s: np.bincount(bins[splits == s], minlength=len(edges) - 1).tolist() for s in SPLITS}
        tables[name] = {"edges": list(edges), **counts}
    return tables


def topics(known: Features) -> dict[str, Any]:
    """How many topics there are, the most frequent, and how many topics have how many rows."""
    values, places, inverse = np.unique(known.keys.topic, return_index=True, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(values))
    named = [v for v in range(len(values)) if values[v]]
    sizes = Counter(int(counts[v]) for v in named)
    frequent = sorted(named, key=lambda v: (-counts[v], known.topics[places[v]]))[:_FREQUENT]
    return {
        "topics": len(named),
        "rows_with_topic": int(counts[named].sum()),
        "most_frequent": [[known.topics[places[v]], int(counts[v])] for v in frequent],
        "sizes": {str(size): sizes[size] for size in sorted(sizes)},
    }


def _describe(known: Features, group: Group, splits: Sequence[str]) -> dict[str, Any]:
    rows = np.array(group.rows)
    named = Counter(topic for i in group.rows if (topic := known.topics[i]))
    return {
        "id": group.id,
        "rows": len(group),
        "share": len(group) / len(known),
        "split": splits[group.rows[0]],
        "topics": len(np.unique(keys[keys != 0])) if len(keys := known.keys.topic[rows]) else 0,
        "rows_with_commonest_answer": int(np.unique(known.keys.answer[rows], return_counts=True)[1].max()),
        "some_topics": [t for t, _ in sorted(named.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]],
    }


def _start(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else f"{flat[:99]}…"
