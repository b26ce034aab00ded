"""A text as a person reads it, and where each of its characters stands in the original: patterns look there.

Applications write the same address or number with escapes of JSON, HTML and URLs, in full-width characters, or with characters
between that nobody sees. A pattern for each would miss the next one.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import re2

_INVISIBLE = r"\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff"
_WIDE = r"\uff01-\uff60\u2000-\u200a\u202f\u205f\u3000"
_ENCODED = re.compile(
    rf"(?P<invisible>[{_INVISIBLE}])"
    rf"|(?P<wide>[{_WIDE}])"
    r"|(?P<url>(?:%(?:25)*[0-9A-Fa-f]{2})+)"
    r"|(?P<entity>&(?:amp;)*(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,12});)"
    r"|(?P<json>\\+(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/]))"
)
_MAY_BE_ENCODED = re2.compile(
    r"[%&\\\x{ad}\x{34f}\x{61c}\x{180e}\x{2000}-\x{200f}\x{202a}-\x{202f}\x{205f}-\x{206f}\x{3000}"
    r"\x{fe00}-\x{fe0f}\x{feff}\x{ff01}-\x{ff60}]"
)
_URL_BYTE = re.compile(r"%(?:25)*([0-9A-Fa-f]{2})")
_SPACES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class ReadableText:
    """A text without escapes and invisible characters.

    Attributes:
        text: as it is read.
        starts: where each of its characters begins in the original, and the original's length at the end.
        ends: where each of its characters ends in the original.
    """

    text: str
    starts: list[int]
    ends: list[int]

    def span_of(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters from `start` to before `end` stand in the original."""
        return self.starts[start], self.ends[end - 1]


def read_text(original: str) -> ReadableText | None:
    """Return a text as it is read; None where that is the original."""
    if not _MAY_BE_ENCODED.search(original):
        return None
    matches = list(_ENCODED.finditer(original))
    if not matches:
        return None
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for before, match in pairwise([None, *matches, None]):
        first = before.end() if before else 0
        last = match.start() if match else len(original)
        characters.append(original[first:last])
        starts.extend(range(first, last))
        ends.extend(range(first + 1, last + 1))
        for character, start, end in _decoded(match) if match else ():
            characters.append(character)
            starts.append(start)
            ends.append(end)
    return ReadableText("".join(characters), starts, ends)


def _decoded(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the characters that a match stands for, each with its place; none for an invisible one."""
    start, end = match.span()
    kind, text = match.lastgroup, match[0]
    if kind == "url":
        yield from _decoded_url(match)
    elif kind != "invisible":
        for character in _plain(str(kind), text):
            yield character, start, end


def _plain(kind: str, text: str) -> str:
    if kind == "json":
        escape = text.lstrip("\\")
        code = escape[1:]
        text = chr(int(code, 16)) if code else _SPACES.get(escape, escape)
    elif kind == "entity":
        text = html.unescape(text.replace("amp;", "") if text != "&amp;" else text)
    text = unicodedata.normalize("NFKC", text)
    return "" if re.fullmatch(f"[{_INVISIBLE}]+", text) else text


def _decoded_url(match: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the characters of bytes in a URL's encoding, of UTF-8; what is none stays as it is written."""
    places = list(_URL_BYTE.finditer(match[0]))
    position = 0
    while position < len(places):
        length = _utf8_length(int(places[position][1], 16))
        part = places[position : position + length]
        try:
            character = bytes(int(place[1], 16) for place in part).decode("utf-8")
        except UnicodeDecodeError:
            part, character = part[:1], part[0][0]
        start, end = match.start() + part[0].start(), match.start() + part[-1].end()
        for each in _plain("url", character):
            yield each, start, end
        position += len(part)


def _utf8_length(first: int) -> int:
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
