"""The encoding of a text file: UTF-8, or what its byte order mark or its NUL bytes show."""

import codecs
import io
from typing import IO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
REMEDY = "save it as UTF-8, as 'CSV UTF-8' in Excel"


def open_text(file: IO[bytes]) -> io.TextIOWrapper:
    """Return a file from its start as text, without its byte order mark; lines keep their ends.

    Reading raises `UnicodeDecodeError`. The caller detaches the text, for the file is its opener's to close.
    """
    file.seek(0)
    first = file.read(4)
    length, encoding = detect_encoding(first)
    file.seek(length)
    return io.TextIOWrapper(file, encoding=encoding, newline="")


def detect_encoding(first: bytes) -> tuple[int, str]:
    """Return the length of a file's byte order mark, and its encoding.

    Args:
        first: the first four bytes of the file, or all where it is shorter.
    """
    for mark, encoding in _MARKS:
        if first.startswith(mark):
            return len(mark), encoding
    if len(first) >= 2 and first[0] and not first[1]:
        return 0, "utf-16-le"  # a text of Windows without a mark
    if len(first) >= 2 and not first[0] and first[1]:
        return 0, "utf-16-be"
    return 0, "utf-8"
