"""Images, sound and files inside messages: no pattern finds a person in them, so that none of them is stored."""

import re

import re2

_DATA_URL = re2.compile(
    r"data:([A-Za-z]{1,20})/?[A-Za-z0-9.+\-]{0,80}(?:;[A-Za-z0-9=._\-]{1,80}){0,5};base64,([A-Za-z0-9+/=_\-%]*)"
)
_BASE64 = re2.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")
_SHORTEST = 512
"""Characters of a whole text that is base64 without its name."""


def replace_binary_data(text: str) -> tuple[str, int]:
    """Return a text with `[image: 1234 bytes]` in place of encoded data, and how many there were."""
    count = 0
    if ";base64," in text:
        matches = list(_DATA_URL.finditer(text))
        count, pieces, end = len(matches), list[str](), 0
        for match in matches:
            pieces += [text[end : match.start()], f"[{match[1].lower()}: {_size(match[2])} bytes]"]
            end = match.end()
        text = "".join([*pieces, text[end:]])
    if len(text) >= _SHORTEST and _is_base64(text):
        return f"[data: {_size(text)} bytes]", count + 1
    return text, count


def _is_base64(text: str) -> bool:
    is_mixed = all(re.search(kind, text) for kind in ("[0-9]", "[A-Z]", "[a-z]"))
    return is_mixed and " " not in text and _BASE64.fullmatch(text) is not None


def _size(encoded: str) -> int:
    """Return the bytes that base64 stands for."""
    return len(re.sub(r"[\s=]", "", encoded)) * 3 // 4
