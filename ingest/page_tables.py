"""Tables that several sections of ``report.html`` share: by split, by size, and what intervals are called."""

from collections.abc import Mapping, Sequence
from typing import Any

from medqa.html import beside, numeral, quoted, table_html
from medqa.records import SPLITS

_LISTED = 50  # rows of a table; report.json has them all
_BANDS = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, 1000), (1001, None))  # sizes in a table


def bands(sizes: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Of a table size -> how many have it: ``(band of sizes, how many, rows in them)``, empty bands left out."""
    found = []
    for low, high in _BANDS:
        inside = [(int(s), n) for s, n in sizes.items() if low <= int(s) and (high is None or int(s) <= high)]
        name = f"over {low - 1:,}" if high is None else f"{low:,}" if low == high else f"{low:,} to {high:,}"
        if inside:
            found.append((name, sum(n for _, n in inside), sum(s * n for s, n in inside)))
    return found


def by_split(table: Mapping[str, Mapping[str, int]], what: str, name: str, plots: Mapping[str, str]) -> str:
    """Rows and shares of every category in every split, beside the plot."""
    if not table:
        return f"<p>The data has no {name}.</p>"
    totals = {split: sum(counts[split] for counts in table.values()) for split in SPLITS}
    rows = [
        [
            quoted(category) or "(none)",
            *(
                numeral(counts[s]) + (f" <small>{counts[s] / totals[s]:.1%}</small>" if totals[s] else "")
                for s in SPLITS
            ),
        ]
        for category, counts in list(table.items())[:_LISTED]
    ]
    more = len(table) - _LISTED
    rest = f"<p>And {numeral(more)} more, in <code>report.json</code>.</p>" if more > 0 else ""
    title = f"Rows by {what}, with their share of the split"
    listed = table_html(title, [what, *(f"#{s}" for s in SPLITS)], rows)
    return beside(name, f"Share of each {what} in the splits", plots, listed + rest)


def by_size(
    holder: Mapping[str, Any], key: str, what: str, one: str, title: str, plots: Mapping[str, str], plot: str = "groups"
) -> str:
    """A table size -> how many, in bands, beside its plot."""
    sizes = holder.get(key)
    if not sizes:
        return absent(key, f"sizes of {what}")
    rows = [[band, numeral(count), numeral(members)] for band, count, members in bands(sizes)]
    return beside(
        plot,
        title,
        plots,
        table_html(f"{what.capitalize()} by size", [f"rows of the {one}", f"#{what}", "#rows in all"], rows),
    )


def median_interval(intervals: Sequence[str], counts: Sequence[int]) -> str:
    """The interval that holds the lower median of a histogram with rows."""
    seen = 0
    for interval, count in zip(intervals, counts, strict=True):
        seen += count
        if 2 * seen >= sum(counts):
            return interval
    raise AssertionError("unreachable: all rows were seen")


def interval(low: int, high: int) -> str:
    """The whole numbers of ``[low, high)``."""
    return f"{low:,}" if high - low == 1 else f"{low:,} to {high - 1:,}"


def absent(key: str, what: str) -> str:
    """The sentence that stands for figures which the report of an earlier version does not have."""
    return f"<p>Not shown: {what}. This report has no <code>{key}</code>; making the corpus again counts it.</p>"
