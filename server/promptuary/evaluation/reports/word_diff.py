"""Two texts with the words marked in which they differ."""

import re
from difflib import SequenceMatcher
from html import escape

from promptuary.prompt.text import show_hidden

WORDS_LIMIT = 800


def mark_differences(before: str, after: str) -> tuple[str, str]:
    """Give both as HTML; texts of very many words are left unmarked, since comparing them takes too long."""
    old, new = (re.findall(r"\s+|[^\s\w]|\w+", text) for text in (before, after))
    if len(old) > WORDS_LIMIT or len(new) > WORDS_LIMIT:
        return escape(show_hidden(before)), escape(show_hidden(after))
    left: list[str] = []
    right: list[str] = []
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for side, tag, text in ((left, "del", "".join(old[i:j])), (right, "ins", "".join(new[k:m]))):
            safe = escape(show_hidden(text))
            side.append(safe if kind == "equal" or not safe else f"<{tag}>{safe}</{tag}>")
    return "".join(left), "".join(right)
