"""Pages for people as one file: tables, tiles and plots in one look, without scripts or anything from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from medqa.page_style import STYLE
from medqa.svg import readable


def document(title: str, summary: str, sections: Mapping[str, str]) -> str:
    """A whole page. ``title`` is text; ``summary`` and the values of ``sections`` (heading -> body) are HTML already."""
    anchors = {name: "-".join(name.lower().split()) for name in sections}
    links = "".join(f'<a href="#{anchors[name]}">{escaped(name)}</a>' for name in sections)
    body = "\n".join(
        f'<section aria-labelledby="{anchors[name]}">\n<h2 id="{anchors[name]}">{escaped(name)}</h2>\n{section}\n</section>'
        for name, section in sections.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escaped(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # The browser itself refuses scripts and requests, should anything slip through the escaping.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{escaped(title)}</h1>\n{summary}\n"
        f'<nav aria-label="Sections">{links}</nav>\n</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    )


def beside(name: str, title: str, plots: Mapping[str, str], table: str) -> str:
    """A plot and its table, side by side where the window is wide; without data for the plot, a sentence in its place."""
    if name not in plots:
        return f"<p>No plot: {title[0].lower()}{title[1:]} — there are no rows to draw.</p>{table}"
    return (
        f'<div class="beside">\n<figure><figcaption id="{name}-caption">{title}</figcaption>\n{plots[name]}</figure>\n'
        f"<div>{table}</div>\n</div>"
    )


def table_html(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already, the first of each row its header; empty for no rows.

    A column's name starts with ``#`` if it holds numbers (aligned right), with ``*`` if it holds text that needs room.
    """
    classes = [{"#": ' class="n"', "*": ' class="wide"'}.get(name[0], "") for name in header]
    lines = [
        "<tr>"
        + "".join(
            f'<th scope="row"{kind}>{cell}</th>' if i == 0 else f"<td{kind}>{cell}</td>"
            for i, (cell, kind) in enumerate(zip(row, classes, strict=True))
        )
        + "</tr>"
        for row in rows
    ]
    if not lines:
        return ""
    head = "".join(
        f'<th scope="col"{kind}>{name.lstrip("#*")}</th>' for name, kind in zip(header, classes, strict=True)
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def tile_html(number: str, label: str, kind: str = "") -> str:
    """A number in large type and what it counts; ``kind`` is ``good``, ``bad`` or empty."""
    return f'<p class="tile{f" {kind}" if kind else ""}"><b>{number}</b> <span>{label}</span></p>'


def counted(n: int, one: str) -> str:
    """``2 rows``."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def numeral(value: float | None) -> str:
    """A count, or a float as a share."""
    if value is None:
        return "no data"
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"


def escaped(text: str) -> str:
    """Text of any origin, inert."""
    return escape(readable(str(text)))


def quoted(text: str) -> str:
    """Text of the corpus, in whatever direction its script runs."""
    shown = escaped(text)
    return f"<bdi>{shown}</bdi>" if shown else ""
