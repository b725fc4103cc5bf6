"""``report.md``: a corpus' report as a page for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from medqa.records import SPLITS

_CLOSED = {
    ("topic", True): " and the same topic (also by a synonym)",
    ("topic", False): " and the same topic",
    ("cluster", True): "",
    ("cluster", False): "",
}


def to_markdown(report: Mapping[str, Any]) -> str:
    """``report.json`` as a page for people."""
    rows, near, certificate = report["rows"], report["near_duplicates"], report["certificate"]
    unanswered, boilerplate = report["documents_without_answers"], report["boilerplate"]
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
        f"{_CLOSED[report['split_by'], report['synonyms_join']]} they make {report['groups']['count']:,} groups; "
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
        f"{boilerplate['answers']:,} answers stand under {boilerplate['least']} questions or more "
        f"({boilerplate['rows']:,} rows). They are kept: each is somebody's answer. Rows that share one lie in one split.",
        _table(
            ["rows", "topics", "answer"], [[r["rows"], r["topics"], r["answer"]] for r in report["repeated_answers"]]
        )
        or "None.",
        "## Personal data",
        _personal_data(report["phi"]),
        *_update(report.get("update")),
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
    survivors = (
        "The closest pairs across test and train:\n\n"
        + _table(
            ["similarity", "test", "train"],
            [
                [f"{c['jaccard']:.3f}", c["test"]["question"], c["train"]["question"]]
                for c in [closest, *closest["others"]]
            ],
        )
        if closest["jaccard"] is not None
        else f"Closest pair across test and train: {closest['reason']}."
    )
    return (
        "Every row of one split was compared with every row of the other; nothing was sampled.\n\n"
        + _table(["rows of", "what", "this split", "random split of the same sizes"], lines)
        + f"\n\n{survivors}"
    )


def _personal_data(phi: Mapping[str, Any]) -> str:
    if not phi["rows"]:
        return "No row looks like personal data." if phi["action"] != "none" else "Not looked for."
    done = {"report": "kept as they are", "mask": "kept, with the places masked", "drop": "dropped"}[phi["action"]]
    table = _table(["rule", "rows"], [[rule, f"{rows:,}"] for rule, rows in phi["by_rule"].items()])
    return f"{phi['rows']:,} rows look like personal data; they were {done}. The places are in `phi.csv`.\n\n{table}"


def _update(update: Mapping[str, Any] | None) -> list[str]:
    if update is None:
        return []
    return ["## Last update", _table(["rows", ""], [[k.replace("_", " "), f"{v:,}"] for k, v in update.items()])]


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
