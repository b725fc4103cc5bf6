"""``report.json`` and ``report.md`` of a corpus: every row accounted for, what the groups look like, and the certificate."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.clean import REASONS, Drop
from ingest.groups import Group
from ingest.text import same_key
from medqa.records import SPLITS, QAPair, Split

_LARGEST = 10  # groups and answers listed
_NAMED = 5  # topics named per group


def count_drops(drops: Sequence[Drop]) -> dict[str, int]:
    """Reason -> rows, in the order of the rules, reasons that did not occur left out."""
    counts = Counter(drop.reason for drop in drops)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def count_by(pairs: Sequence[QAPair], key: Callable[[QAPair], str]) -> dict[str, dict[str, int]]:
    """Value of ``key`` -> split -> rows, the most frequent value first."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        table[key(pair)][pair.split] += 1
    by_size = sorted(table.items(), key=lambda item: (-item[1].total(), item[0]))
    return {name: {split: counts[split] for split in SPLITS} for name, counts in by_size}


def split_sizes(pairs: Sequence[QAPair], groups: Sequence[Group], shares: Mapping[Split, float]) -> dict[str, Any]:
    """Per split: rows, their share of all, the share aimed at, groups."""
    rows = Counter(pair.split for pair in pairs)
    held = Counter(pairs[group.rows[0]].split for group in groups)
    return {
        s: {"rows": rows[s], "share": rows[s] / len(pairs), "wanted": round(shares[s], 6), "groups": held[s]}
        for s in SPLITS
    }


def largest_groups(pairs: Sequence[QAPair], groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The largest groups, with the topics that most of their rows have and the answer most of them share.

    A boilerplate answer chains the topics that use it: here it shows.
    """
    largest = sorted(groups, key=lambda g: (-len(g), g.id))[:_LARGEST]
    return [_describe(group, [pairs[i] for i in group.rows], len(pairs)) for group in largest]


def repeated_answers(pairs: Sequence[QAPair]) -> list[dict[str, Any]]:
    """Answers that stand under several questions, the most frequent first."""
    rows: dict[str, list[QAPair]] = defaultdict(list)
    for pair in pairs:
        rows[same_key(pair.answer)].append(pair)
    repeated = sorted((r for r in rows.values() if len(r) > 1), key=lambda r: (-len(r), r[0].answer))[:_LARGEST]
    return [
        {"rows": len(r), "topics": len({same_key(p.topic) for p in r}), "answer": _start(r[0].answer)} for r in repeated
    ]


def to_markdown(report: Mapping[str, Any]) -> str:
    """``report.json`` as a page for people."""
    rows, near, certificate = report["rows"], report["near_duplicates"], report["certificate"]
    unanswered = report["documents_without_answers"]
    parts = [
        "# Corpus report",
        f"{rows['in']:,} rows read, {rows['kept']:,} kept, {rows['dropped']:,} dropped.",
        f"{unanswered:,} documents were published without any answer." if unanswered else "",
        *(f"**Note.** {warning}" for warning in report["warnings"]),
        "## Dropped rows",
        _table(["reason", "rows"], [[k, f"{v:,}"] for k, v in rows["dropped_by_reason"].items()]) or "None.",
        "Each one is in `dropped.csv`, with its file, row and reason." if rows["dropped"] else "",
        "## Splits",
        _table(
            ["split", "rows", "share", "wanted", "groups"],
            [
                [s, f"{v['rows']:,}", f"{v['share']:.2%}", f"{v['wanted']:.1%}", f"{v['groups']:,}"]
                for s, v in report["splits"].items()
            ],
        ),
        "## Certificate",
        _certificate(certificate),
        "## Near-duplicates and groups",
        f"{near['rows']:,} rows lie in {near['sets']:,} near-duplicate sets (Jaccard similarity of word 3-shingles of question "
        f"and answer at least {near['threshold']}). Closed under the same question and the same answer"
        f"{' and the same topic' if report['split_by'] == 'topic' else ''} they make {report['groups']['count']:,} groups; "
        "a group lies in one split. The largest:",
        _table(
            ["group", "rows", "share", "split", "topics", "rows with its commonest answer", "some topics"],
            [
                [
                    g["id"],
                    f"{g['rows']:,}",
                    f"{g['share']:.1%}",
                    g["split"],
                    f"{g['topics']:,}",
                    f"{g['rows_with_commonest_answer']:,}",
                    ", ".join(g["some_topics"]),
                ]
                for g in report["groups"]["largest"]
            ],
        ),
        "## Answers that stand under several questions",
        _table(
            ["rows", "topics", "answer"], [[r["rows"], r["topics"], r["answer"]] for r in report["repeated_answers"]]
        )
        or "None.",
        "## Question types",
        _by_split(report["by_type"]),
        "## Sources",
        _by_split(report["by_source"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _certificate(certificate: Mapping[str, Any]) -> str:
    """Every crossing of the split beside the same crossing of a random split."""
    lines = []
    for crossing, counts in certificate["split"].items():
        for name, value in counts.items():
            lines.append(
                [crossing, name.replace("_", " "), _shown(value), _shown(certificate["random"][crossing][name])]
            )
    closest = certificate["closest"]
    survivor = (
        f"The closest pair across test and train has similarity {closest['jaccard']:.3f}: "
        f"“{closest['test']['question']}” and “{closest['train']['question']}”."
        if closest["jaccard"] is not None
        else f"Closest pair across test and train: {closest['reason']}."
    )
    return (
        "Every row of one split was compared with every row of the other; nothing was sampled.\n\n"
        + _table(["rows of", "what", "this split", "random split of the same sizes"], lines)
        + f"\n\n{survivor}"
    )


def _describe(group: Group, members: Sequence[QAPair], total: int) -> dict[str, Any]:
    topics = Counter(p.topic for p in members if p.topic)
    answers = Counter(same_key(p.answer) for p in members)
    return {
        "id": group.id,
        "rows": len(group),
        "share": len(group) / total,
        "split": members[0].split,
        "topics": len({same_key(t) for t in topics}),
        "rows_with_commonest_answer": max(answers.values()),
        "some_topics": [t for t, _ in sorted(topics.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]],
    }


def _by_split(table: Mapping[str, Mapping[str, int]]) -> str:
    shown = [[name or "(none)", *(f"{counts[s]:,}" for s in SPLITS)] for name, counts in list(table.items())[:50]]
    more = f"\n\nand {len(table) - 50:,} more, in `report.json`." if len(table) > 50 else ""
    return _table(["", *SPLITS], shown) + more


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; empty for no rows."""
    if not rows:
        return ""
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _shown(value: float | None) -> str:
    if value is None:
        return "no data"
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"


def _start(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else f"{flat[:99]}…"
