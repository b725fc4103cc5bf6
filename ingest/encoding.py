"""Bytes to lines: decompression, detection of the encoding, mending of stray bytes. Streams."""

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from medqa.errors import MedqaError

_SAMPLE = 256 * 1024  # bytes looked at to tell the encoding: some 200 answers, and well under 1 s of detection
# UTF-32 stands before UTF-16, whose little-endian mark is the beginning of UTF-32's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-16", "utf-32")  # no line ends at the byte level
_EVIDENCE = 16  # characters outside ASCII; statistics on fewer take "38 °C" for Chinese

# Windows-1252 as browsers read it: the five bytes that it does not define stand for themselves. Double mistakes (UTF-8
# read as Windows-1252) hold them, and could not be undone without.
_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0x100)}
# What "surrogateescape" makes of a byte that is not UTF-8 -> what the byte says in Windows-1252, the usual culprit.
_STRAY = {0xDC00 + byte: char for byte, char in _WINDOWS.items()}


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of ``path``, decompressed if it ends in ``.gz`` or ``.xz``."""
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what a damaged, truncated or unreadable file raises into one line.

    Raises:
        MedqaError: in place of the library's own exception.
    """
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise MedqaError(
            f"wanted a complete {path.suffix} file, found {path} damaged ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise MedqaError(f"wanted to read {path}, found: {error.strerror or error}") from error


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a text file with their line ends, NUL characters removed.

    Every line that is UTF-8 is read as UTF-8, whatever the others are: exports pasted together from several sources mix
    encodings, and one odd row must not cost the rest.
    """
    with readable(path), open_bytes(path) as raw:
        encoding = detect_encoding(raw.read(_SAMPLE))
        raw.seek(0)
        by_line = encoding not in _WIDE
        with io.TextIOWrapper(raw, encoding="latin-1" if by_line else encoding, errors="replace", newline="") as text:
            for number, line in enumerate(text):
                if by_line and not line.isascii():
                    line = decode_line(line.encode("latin-1"), encoding)
                yield (line.removeprefix("\ufeff") if number == 0 else line).replace("\0", "")


def decode_line(line: bytes, encoding: str) -> str:
    """``line`` as UTF-8; where it is not, in ``encoding``, single stray bytes of a UTF-8 file as Windows-1252."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        if encoding == "utf-8":
            return line.decode("utf-8", "surrogateescape").translate(_STRAY)
        if encoding == "cp1252":
            return line.decode("latin-1").translate(_WINDOWS)
        return line.decode(encoding, "replace")


def detect_encoding(sample: bytes) -> str:
    """Codec name for a text that begins with ``sample``: byte-order mark, else UTF-8, else by character statistics."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    foreign = [line for line in sample.splitlines() if not line.isascii()]
    strange = [line for line in foreign if not _is_utf8(line)]
    if 2 * len(strange) <= len(foreign):
        return "utf-8"
    # Only the lines that tell encodings apart: plain ASCII is alike in all of them.
    text = b"\n".join(strange)
    if sum(byte >= 0x80 for byte in text) < _EVIDENCE:
        return "cp1252"
    from charset_normalizer import from_bytes

    guesses = from_bytes(text)
    best = guesses.best()
    # Western and Central European pages share most letters; at a tie the far more frequent one is meant.
    if best is None or any("cp1252" in g.could_be_from_charset and g.chaos <= best.chaos for g in guesses):
        return "cp1252"
    return best.encoding


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"  # the sample may end within a character
    return True
