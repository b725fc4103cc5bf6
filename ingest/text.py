"""Text normalisation: pure functions from raw text to the text that is kept, and to the keys by which texts are compared.

Kept text keeps its case, since people read it. Case, punctuation and white space are folded in keys only.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|caption|center|cite|code|col|dd|del|div|dl|dt|em|"
    "figure|font|footer|form|h1|h2|h3|h4|h5|h6|head|header|hr|html|i|img|ins|label|li|link|"
    "main|mark|meta|nav|ol|p|pre|q|s|section|small|span|strike|strong|sub|sup|table|tbody|td|"
    "tfoot|th|thead|title|tr|tt|u|ul"
)
_BLOCKS = (
    "article|blockquote|br|caption|dd|div|dl|dt|figure|footer|h[1-6]|header|hr|main|nav|ol|p|pre|section|table|tr|ul"
)
# Only known tags count: "p <0.05 and q> 0.1" and "<x" in prose are no markup.
_HIDING = re.compile(r"<!--|<(script|style)(?:\s[^<>]*)?>", re.IGNORECASE)
_CLOSES = {
    "": re.compile("-->"),
    "script": re.compile(r"</script\s{0,9}>", re.IGNORECASE),
    "style": re.compile(r"</style\s{0,9}>", re.IGNORECASE),
}
_LIST_ITEM = re.compile(r"<li(?:\s[^<>]*)?>", re.IGNORECASE)
_BLOCK = re.compile(rf"</?(?:{_BLOCKS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

# UTF-8 read as Windows-1252 or Latin-1: Â or Ã and one, â and two characters that stand for continuation bytes.
_C1 = {byte: bytes([byte]).decode("cp1252", "ignore") or None for byte in range(0x80, 0xA0)}
_BYTE = {
    char: byte for byte in range(0x80, 0x100) for char in {chr(byte), bytes([byte]).decode("cp1252", "ignore")} if char
}
_HIGH = "[" + "".join(re.escape(char) for char, byte in _BYTE.items() if byte < 0xC0) + "]"
_MOJIBAKE = re.compile(f"[ÂÃ]{_HIGH}|â{_HIGH}{{2}}")

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_POWER = re.compile(rf"(?<=\d)[{''.join(_SUPERSCRIPTS)}]+")
_MIXED_FRACTION = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")

_LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls, invisible and direction-changing characters, tag characters (text that only a model sees), lone surrogates
# (which cannot be written as UTF-8). Joiners U+200C/D stay: some scripts need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_WORD = re.compile(r"\w+")
_SURROGATES = re.compile("[\ud800-\udfff]")

_QUESTION_MARKS = re.compile(r"(?:\s*\?)+")
_DASH = re.compile(r"(?:^|\s{2,}|\n)[-*](?:\s+|$)")
_BULLET = re.compile(rf"{_DASH.pattern}|\s*[•▪◦‣]\s*")
# MedQuAD separates paragraphs by line breaks, or by three and more spaces where line breaks were lost.
_LONG_SPACE = re.compile(r"\s{9,}")
_PARAGRAPH = re.compile(r"(?<=[.!?:;)])[ \t]{3,}|[ \t]{3,}(?=[A-Z])")


def clean_text(text: str, unicode: bool = True, markup: bool = True) -> str:
    """NFKC text without markup, mojibake, control and invisible characters; line breaks are ``\\n``.

    Without ``unicode`` only lone surrogates go, which no file can hold; without ``markup`` tags and entities stay.
    """
    foreign = not text.isascii()
    if foreign and unicode:
        text = mend_mojibake(text)
    if markup and ("<" in text or "&" in text):
        text = strip_markup(text)
        foreign = not text.isascii()
    if not unicode:
        return _SURROGATES.sub("", _LINE_ENDS.sub("\n", text))
    if foreign:
        text = compose(text)
    elif text.isprintable() or text.replace("\n", "").isprintable():
        return text  # nothing in it that the patterns below could find
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def tidy_line(text: str) -> str:
    """One line; ``" ?"`` and ``"? ?"`` (as in MedQuAD) become ``"?"``."""
    line = " ".join(text.split())
    return _QUESTION_MARKS.sub("?", line) if "?" in line else line


def tidy_paragraphs(text: str) -> str:
    """Paragraphs and list items on lines of their own, items as ``- item``, no blank lines, single spaces within a line.

    A line break in a tidied answer is thus always a sentence boundary too.
    """
    # The patterns below look back over white space from every place in it: fifty thousand spaces would take minutes.
    text = _LONG_SPACE.sub(lambda m: "\n" if "\n" in m.group() else "    ", text)
    if "-" in text or "*" in text or not text.isascii():
        text = (_DASH if text.isascii() else _BULLET).sub("\n- ", text)  # the second takes twice as long
    if "   " in text or "\t" in text:
        text = _PARAGRAPH.sub("\n", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line not in ("", "-"))


def clean_question(text: str) -> str:
    """``clean_text`` on one line."""
    return tidy_line(clean_text(text))


def clean_answer(text: str) -> str:
    """``clean_text`` in tidy paragraphs."""
    return tidy_paragraphs(clean_text(text))


def strip_markup(text: str) -> str:
    """Known HTML tags removed (blocks become line breaks, list items bullets), entities resolved, comments dropped.

    Markup that was itself escaped (``&lt;p&gt;``) goes too, one level deep.
    """
    return _without_tags(_ENTITY.sub(lambda m: html.unescape(m.group()), _without_tags(text)))


def mend_mojibake(text: str) -> str:
    """``"donâ€™t"`` -> ``"don’t"``: UTF-8 that was read as Windows-1252, and C1 controls that are its punctuation."""

    def mend(match: re.Match[str]) -> str:
        try:
            return bytes(_BYTE[char] for char in match.group()).decode("utf-8")
        except UnicodeDecodeError:
            return match.group()

    return _MOJIBAKE.sub(mend, text).translate(_C1)


def compose(text: str) -> str:
    """Unicode NFKC, but ``10⁶`` becomes ``10^6`` and ``2½`` becomes ``2 1/2``.

    Plain NFKC makes 106 and 21⁄2 of them: in a dose, a change of meaning.
    """
    text = _POWER.sub(lambda m: "^" + "".join(_SUPERSCRIPTS[c] for c in m.group()), text)
    text = _MIXED_FRACTION.sub(" ", text)
    return unicodedata.normalize("NFKC", text).replace("\u2044", "/")


def fold(text: str) -> str:
    """Key for exact duplicates: NFKC, case and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """Case-folded runs of letters, digits and underscores."""
    return _WORD.findall(text.casefold())


def iterate_words(text: str) -> Iterator[str]:
    """``words``, one at a time."""
    return (match.group() for match in _WORD.finditer(text.casefold()))


def same_key(text: str) -> str:
    """Key for "the same question, answer or topic": the words alone; texts without words keep all their characters."""
    return " ".join(words(text)) or fold(text)


def _without_tags(text: str) -> str:
    return _TAG.sub("", _BLOCK.sub("\n", _LIST_ITEM.sub("\n- ", _without_hidden(text))))


def _without_hidden(text: str) -> str:
    """``text`` without comments, scripts and style sheets; each becomes a space. One that is never closed stays.

    By hand, since a pattern would search to the end of the text for the close of every opening.
    """
    parts, kept, place = [], 0, 0
    unclosed: set[str] = set()
    while opening := _HIDING.search(text, place):
        kind = (opening[1] or "").lower()
        close = None if kind in unclosed else _CLOSES[kind].search(text, opening.end())
        if close is None:
            unclosed.add(kind)
            place = opening.end()
        else:
            parts += [text[kept : opening.start()], " "]
            kept = place = close.end()
    return "".join([*parts, text[kept:]])
