"""``report.html``: the report of a corpus as one file for people, with plots, without scripts or anything from elsewhere."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ingest.page_tables import absent, by_size, by_split, interval, median_interval
from ingest.plots import MEASURES, figures
from medqa.html import beside, counted, document, escaped, numeral, quoted, table_html, tile_html
from medqa.records import SPLITS
from medqa.svg import inline_svg

_PHI_ACTIONS = {
    "report": "They are kept as they are and listed.",
    "mask": "What looks like it was masked in them.",
    "drop": "They were dropped.",
}


def to_html(report: Mapping[str, Any]) -> str:
    """``report.json`` as a page: the certificate first, then splits, drops, groups, lengths, types, topics, personal data
    and sources, a plot with its table each.

    The same report gives the same bytes under the same version of matplotlib. The page loads nothing; all text of the
    corpus is escaped. ``lengths`` (whose last interval is open), ``cluster_sizes``, ``topics``, ``phi``, ``boilerplate``
    and ``update`` may be missing from ``report``.
    """
    plots = {name: inline_svg(name, figure) for name, figure in figures(report).items()}
    sections = {
        "Certificate": _certificate(report, plots),
        "Splits": _splits(report),
        "Dropped rows": _drops(report, plots),
        "Near-duplicates and groups": _groups(report, plots),
        "Lengths": _lengths(report, plots),
        "Question types": by_split(report["by_type"], "type", "types", plots),
        "Topics": _topics(report, plots),
        "Personal data": _phi(report),
        "Sources": by_split(report["by_source"], "source", "sources", plots),
    }
    return document("Corpus report", _summary(report), sections)


def _summary(report: Mapping[str, Any]) -> str:
    rows, unanswered = report["rows"], report["documents_without_answers"]
    lost = rows["in"] - rows["kept"] - rows["dropped"]
    tiles = [
        tile_html(numeral(rows["in"]), "rows read"),
        tile_html(numeral(rows["kept"]), "kept"),
        tile_html(numeral(rows["dropped"]), "dropped, each with its reason"),
        tile_html(numeral(report["groups"]["count"]), "groups, each in one split"),
    ]
    parts = [
        f'<div class="tiles">{"".join(tiles)}</div>',
        f'<p class="note">{numeral(abs(lost))} rows are unaccounted for: read is not kept and dropped.</p>'
        if lost
        else "",
        f"<p>Documents published without any answer: {numeral(unanswered)}.</p>" if unanswered else "",
        *(f'<p class="note">{escaped(warning)}</p>' for warning in report["warnings"]),
        _update(report.get("update")),
    ]
    return "\n".join(part for part in parts if part)


def _update(update: Mapping[str, int] | None) -> str:
    if not update:
        return ""
    lines = [[escaped(name.replace("_", " ")), numeral(value)] for name, value in update.items()]
    return table_html("The last update", ["what", "#rows"], lines)


def _certificate(report: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    certificate, splits = report["certificate"], report["splits"]
    ours, chance = certificate["split"], certificate["random"]
    empty = [split for split in SPLITS if not splits[split]["rows"]]
    crossings = {name: counts for name, counts in ours.items() if not set(name.split("/")) & set(empty)}
    shared = [
        f"{numeral(value)} {escaped(measure.replace('_', ' '))} of {' and '.join(name.split('/'))}"
        for name, counts in crossings.items()
        for measure, value in counts.items()
        if value and not isinstance(value, float)  # a share is said with its count
    ]
    checked = ", ".join(
        label for measure, label in MEASURES.items() if any(c.get(measure) is not None for c in crossings.values())
    )
    if not crossings:
        verdict = "There are no two splits with rows: nothing could be compared."
    elif shared:
        verdict = f"Not everything is apart. {'; '.join(shared)}."
    else:
        verdict = f"Nothing is shared: 0 pairs of rows across {_splits_of(crossings)} ({checked})."
    tables = "".join(
        table_html(
            f"Rows of {' and '.join(name.split('/'))}",
            ["what", "#this split", "#random split"],
            [[escaped(m.replace("_", " ")), numeral(n), numeral(chance[name][m])] for m, n in counts.items()],
        )
        for name, counts in ours.items()
    )
    near = certificate["threshold"]
    return "\n".join(
        [
            f"<p><strong>{verdict}</strong></p>",
            *(
                f'<p class="note">{split} has no rows; what it is compared with counts as nothing.</p>'
                for split in empty
            ),
            _leaked(report, next(iter(crossings), None)),
            f"<p>Every row of one split was compared with every row of the other; nothing was sampled. Near-duplicates are "
            f"pairs whose word 3-shingles of question and answer have a Jaccard similarity of at least {near}. The random "
            "split has the same sizes.</p>",
            beside(
                "certificate", "Pairs of rows that two splits share, this split against a random one", plots, tables
            ),
            _closest(certificate["closest"]),
        ]
    )


def _leaked(report: Mapping[str, Any], crossing: str | None) -> str:
    """Two tiles on the first crossing that has rows (test and train, which results stand on); the table has the others."""
    if crossing is None:
        return ""
    first, second = crossing.split("/")
    of = f"of {numeral(report['splits'][first]['rows'])} {first} rows have their question or answer in {second}"
    ours, chance = (report["certificate"][side][crossing] for side in ("split", "random"))
    here, there = ours["rows_sharing_question_or_answer"], chance["rows_sharing_question_or_answer"]
    share = numeral(chance["share_of_rows_sharing_question_or_answer"])
    return (
        f'<div class="tiles">{tile_html(numeral(here), f"{of}: this split", "bad" if here else "good")}'
        f"{tile_html(numeral(there), f'{of}: a random split ({share})', 'bad' if there else '')}</div>"
    )


def _closest(closest: Mapping[str, Any]) -> str:
    if closest["jaccard"] is None:
        return f"<p>Closest pair across test and train: {escaped(closest['reason'])}.</p>"
    pairs = [closest, *closest.get("others", [])]
    rows = [[f"{p['jaccard']:.3f}", quoted(p["test"]["question"]), quoted(p["train"]["question"])] for p in pairs]
    return (
        f"<p>The closest pair across test and train has similarity {closest['jaccard']:.3f}: "
        f"“{quoted(closest['test']['question'])}” in test and “{quoted(closest['train']['question'])}” in train.</p>"
        + (
            table_html("The closest pairs", ["#similarity", "*question in test", "*question in train"], rows)
            if rows[1:]
            else ""
        )
    )


def _splits(report: Mapping[str, Any]) -> str:
    by = "A group lies in one split; rows " + (
        "that are near-duplicates, or have the same question, answer or topic, are in one group."
        if report["split_by"] == "topic"
        else "that are near-duplicates, or have the same question or answer, are in one group (topics may cross splits)."
    )
    rows = [
        [split, numeral(v["rows"]), f"{v['share']:.2%}", f"{v['wanted']:.1%}", numeral(v["groups"])]
        for split, v in report["splits"].items()
    ]
    return f"<p>{by}</p>" + table_html("Sizes", ["split", "#rows", "#share", "#wanted", "#groups"], rows)


def _drops(report: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    rows = report["rows"]
    if not rows["dropped"]:
        return "<p>None.</p>"
    lines = [[escaped(reason), numeral(n), f"{n / rows['in']:.2%}"] for reason, n in rows["dropped_by_reason"].items()]
    table = table_html("By reason", ["reason", "#rows", "#share of rows read"], lines)
    said = "<p>Each one is in <code>dropped.csv</code>, with its file, row and reason.</p>"
    return said + beside("drops", "Rows dropped, by reason", plots, table)


def _groups(report: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    near, groups = report["near_duplicates"], report["groups"]
    said = (
        f"<p>{counted(near['rows'], 'row')} in {counted(near['sets'], 'near-duplicate set')} (the largest has "
        f"{numeral(near['largest'])}). Closed under everything that keeps rows together, the rows make "
        f"{counted(groups['count'], 'group')}.</p>"
    )
    largest = [
        [
            f"<code>{escaped(g['id'])}</code>",
            numeral(g["rows"]),
            f"{g['share']:.1%}",
            escaped(g["split"]),
            numeral(g["topics"]),
            numeral(g["rows_with_commonest_answer"]),
            quoted(", ".join(g["some_topics"])),
        ]
        for g in groups["largest"]
    ]
    header = ["group", "#rows", "#share", "split", "#topics", "#rows with its commonest answer", "*some topics"]
    answers = [[numeral(r["rows"]), numeral(r["topics"]), quoted(r["answer"])] for r in report["repeated_answers"]]
    return "\n".join(
        [
            said,
            _boilerplate(report.get("boilerplate")),
            by_size(report, "cluster_sizes", "groups", "group", "How many groups have each size", plots),
            table_html("The largest groups", header, largest),
            table_html("Answers that stand under several questions", ["#rows", "#topics", "*answer"], answers)
            or "<p>No answer stands under several questions.</p>",
        ]
    )


def _boilerplate(found: Mapping[str, int] | None) -> str:
    if not found:
        return ""
    return (
        f"<p>{counted(found['answers'], 'answer')} repeated over at least {numeral(found['least'])} questions; "
        f"{counted(found['rows'], 'row')} with one of them.</p>"
    )


def _lengths(report: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    lengths = report.get("lengths")
    if not lengths:
        return absent("lengths", "lengths of questions and answers")
    parts = []
    for name in ("question", "answer"):
        histogram = lengths.get(name)
        if not histogram:
            parts.append(absent(f"lengths.{name}", f"lengths of {name}s"))
            continue
        edges = histogram["edges"]
        intervals = [*(interval(low, high) for low, high in pairwise(edges[:-1])), f"{edges[-2]:,} or more"]
        rows = [
            [interval, *(numeral(histogram[split][i]) for split in SPLITS)]
            for i, interval in enumerate(intervals)
            if any(histogram[split][i] for split in SPLITS)
        ]
        median = [
            [split, numeral(sum(histogram[split])), median_interval(intervals, histogram[split])]
            for split in SPLITS
            if sum(histogram[split])
        ]
        table = table_html(f"Median of {name}s", ["split", "#rows", "#median words"], median)
        listed = table_html(f"Rows by words of the {name}", ["words", *(f"#{s}" for s in SPLITS)], rows)
        opened = f"<details><summary>All counts, {name}s</summary>{listed}</details>"
        parts.append(beside(f"{name}s", f"Words of the {name}, by split", plots, table + opened))
    return "\n".join(parts)


def _topics(report: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    topics = report.get("topics")
    if not topics:
        return absent("topics", "topics")
    if not topics["topics"]:
        return "<p>The data has no topics.</p>"
    kept = report["rows"]["kept"]
    frequent = [[quoted(name), numeral(n)] for name, n in topics["most_frequent"]]
    title = f"The {len(frequent)} most frequent topics"
    return "\n".join(
        [
            f"<p>{counted(topics['topics'], 'topic')}; {numeral(topics['rows_with_topic'])} of {numeral(kept)} rows "
            "have one.</p>",
            by_size(topics, "sizes", "topics", "topic", "How many topics have so many rows", plots, "topic-sizes"),
            beside("topics", f"{title}, rows of each", plots, table_html(title, ["topic", "#rows"], frequent)),
        ]
    )


def _phi(report: Mapping[str, Any]) -> str:
    phi = report.get("phi")
    if not phi:
        return absent("phi", "the screen for personal data")
    if phi["action"] == "none":
        return "<p>The rows were not screened.</p>"
    if not phi["rows"]:
        return "<p>No row looks like personal data.</p>"
    rows = [[escaped(rule), numeral(n)] for rule, n in phi["by_rule"].items()]
    said = _PHI_ACTIONS.get(phi["action"], escaped(phi["action"]))
    return (
        f"<p>{counted(phi['rows'], 'row')} with what looks like personal data. {said} A row can match several rules.</p>"
        + table_html("By rule", ["rule", "#rows"], rows)
    )


def _splits_of(crossings: Mapping[str, Any]) -> str:
    named = [split for split in SPLITS if any(split in name.split("/") for name in crossings)]
    return f"{', '.join(named[:-1])} and {named[-1]}"
