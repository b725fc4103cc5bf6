"""Text normalisation: pure functions from raw text to the text that is kept, and to the keys by which texts are compared.

Kept text keeps its case, since people read it. Case, punctuation and white space are folded in keys only.
"""

import html
import re
import unicodedata

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
_HIDDEN = re.compile(r"<!--.*?-->|<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
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

_QUESTION_MARKS = re.compile(r"(?:\s*\?)+")
_BULLET = re.compile(r"(?:^|\s{2,}|\n)[-*](?:\s+|$)|\s*[•▪◦‣]\s*")
# MedQuAD separates paragraphs by line breaks, or by three and more spaces where line breaks were lost.
_PARAGRAPH = re.compile(r"(?<=[.!?:;)])[ \t]{3,}|[ \t]{3,}(?=[A-Z])")


def clean_text(text: str) -> str:
    """NFKC text without markup, mojibake, control and invisible characters; line breaks are ``\\n``."""
    if not text.isascii():
        text = mend_mojibake(text)
    if "<" in text or "&" in text:
        text = strip_markup(text)
    if not text.isascii():
        text = compose(text)
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def clean_question(text: str) -> str:
    """One line; ``" ?"`` and ``"? ?"`` (as in MedQuAD) become ``"?"``."""
    return _QUESTION_MARKS.sub("?", " ".join(clean_text(text).split()))


def clean_answer(text: str) -> str:
    """Paragraphs and list items on lines of their own, items as ``- item``, no blank lines, single spaces within a line.

    A line break in a cleaned answer is thus always a sentence boundary too.
    """
    text = _PARAGRAPH.sub("\n", _BULLET.sub("\n- ", clean_text(text)))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line not in ("", "-"))


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
    return re.findall(r"\w+", text.casefold())


def same_key(text: str) -> str:
    """Key for "the same question, answer or topic": the words alone; texts without words keep all their characters."""
    return " ".join(words(text)) or fold(text)


def _without_tags(text: str) -> str:
    text = _HIDDEN.sub(" ", text)
    return _TAG.sub("", _BLOCK.sub("\n", _LIST_ITEM.sub("\n- ", text)))
