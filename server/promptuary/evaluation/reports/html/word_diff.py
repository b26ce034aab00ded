"""Two texts as HTML, with the words marked in which they differ."""

from collections.abc import Sequence
from html import escape

from promptuary.prompt.diff.words import TextSegment, compare_words
from promptuary.prompt.text import show_hidden


def mark_differences(before: str, after: str) -> tuple[str, str]:
    """Return both texts as HTML: words that only the first has in `<del>`, words that only the second has in `<ins>`."""
    old_parts, new_parts = compare_words(before, after)
    return _html(old_parts, "del"), _html(new_parts, "ins")


def _html(parts: Sequence[TextSegment], tag: str) -> str:
    texts = ((escape(show_hidden(part.text)), part.changed) for part in parts)
    return "".join(f"<{tag}>{text}</{tag}>" if changed else text for text, changed in texts)
