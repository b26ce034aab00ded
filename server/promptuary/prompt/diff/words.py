"""Word by word, what differs between two texts."""

import re
from dataclasses import dataclass

from promptuary.prompt.diff.sequences import EFFORT_LIMIT, edits

_TOKEN = re.compile(r"\s+|[^\s\w]|\w+")


@dataclass(frozen=True)
class TextSegment:
    """A segment of a text, and whether the other text lacks it."""

    text: str
    changed: bool


def compare_words(before: str, after: str, effort: int = EFFORT_LIMIT) -> tuple[list[TextSegment], list[TextSegment]]:
    """Return both texts in segments, which join to the text.

    Words, runs of white space and single other characters are compared.

    Args:
        before: the old text.
        after: the new text.
        effort: about how many steps the comparison may take. Texts that differ too much for it have only their common
            beginning and end unchanged.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    old_parts: list[TextSegment] = []
    new_parts: list[TextSegment] = []
    position = new_position = 0
    for edit in edits(old, new, effort):
        _append(old_parts, old[position : edit.start], changed=False)
        _append(new_parts, new[new_position : edit.new_start], changed=False)
        _append(old_parts, old[edit.start : edit.end], changed=True)
        _append(new_parts, new[edit.new_start : edit.new_end], changed=True)
        position, new_position = edit.end, edit.new_end
    _append(old_parts, old[position:], changed=False)
    _append(new_parts, new[new_position:], changed=False)
    return old_parts, new_parts


def _append(parts: list[TextSegment], tokens: list[str], *, changed: bool) -> None:
    if tokens:
        parts.append(TextSegment("".join(tokens), changed))
