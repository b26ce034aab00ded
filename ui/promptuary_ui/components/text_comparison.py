"""What differs between two texts, word by word, as Markdown in which all of the texts is escaped.

The UI is a REST client and cannot import the server's comparison (`promptuary.prompt.diff.words`). The API's diff has lines
only, and it compares versions, while these texts are also drafts and outputs. So the UI compares words itself, by difflib.
"""

import difflib
import re
from collections.abc import Sequence

import streamlit as st

from promptuary_ui.components.text import escape_hidden, escape_markdown, show_block

WORD_LIMIT = 3000
"""Beyond so many words on a side, texts are compared by lines: by words it would take too long, and nobody would read it."""
_WORD = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_BLANKS = re.compile(r"(\s+)")
NO_BREAK_SPACE = "\u00a0"
"""A blank that Markdown keeps."""
_MarkedPieces = list[tuple[str, bool]]


def show_side_by_side(before: str, after: str, titles: tuple[str, str]) -> None:
    """Show two texts side by side: what only the first has is red in it, what only the second has is green in it."""
    marked = compare_words(before, after)
    if before == after:
        st.caption(":material/check: Both are the same.")
    if marked is None:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *titles, lineterm="")
        st.code(escape_hidden("\n".join(lines)) or "(empty)", language="diff", wrap_lines=True)
        return
    for column, title, words, colour in zip(st.columns(2), titles, marked, ("red", "green"), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.caption(escape_markdown(title))
            _show(words, colour)


def show_against(base: str, text: str) -> None:
    """Show a text with what `base` does not have in green; a text that is too long is shown as it is."""
    marked = compare_words(base, text)
    if marked is None:
        show_block(text)
    else:
        _show(marked[1], "green")


def compare_words(before: str, after: str) -> tuple[_MarkedPieces, _MarkedPieces] | None:
    """Give both texts in pieces, each with whether the other has not got it; None for texts that are too long."""
    ours, theirs = _WORD.findall(before), _WORD.findall(after)
    if max(len(ours), len(theirs)) > WORD_LIMIT:
        return None
    left: _MarkedPieces = []
    right: _MarkedPieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(str.isspace, ours, theirs, autojunk=False).get_opcodes():
        if a < b:
            left.append(("".join(ours[a:b]), kind != "equal"))
        if c < d:
            right.append(("".join(theirs[c:d]), kind != "equal"))
    return _merge_marks(left), _merge_marks(right)


def _merge_marks(pieces: _MarkedPieces) -> _MarkedPieces:
    """Mark what is between two marked words and no word itself with them, so that they are read as one change."""
    whole: _MarkedPieces = []
    for number, (text, marked) in enumerate(pieces):
        between = 0 < number < len(pieces) - 1 and not re.search(r"\w|\n", text)
        marked = marked or (between and pieces[number - 1][1] and pieces[number + 1][1])
        if whole and whole[-1][1] == marked:
            whole[-1] = (whole[-1][0] + text, marked)
        else:
            whole.append((text, marked))
    return whole


def to_markdown(words: Sequence[tuple[str, bool]], colour: str) -> str:
    """Give pieces as Markdown that keeps lines and blanks, with the marked ones on a coloured ground."""
    lines: list[list[str]] = [[]]
    for text, marked in words:
        for number, part in enumerate(escape_hidden(text).split("\n")):
            if number:
                if marked:
                    lines[-1].append(_highlight("↵", colour))
                lines.append([])
            if part:
                lines[-1].append(_highlight(part, colour) if marked else _keep_blanks(part, fixed=not lines[-1]))
    return "  \n".join("".join(line) or NO_BREAK_SPACE for line in lines)


def _show(words: _MarkedPieces, colour: str) -> None:
    st.markdown(to_markdown(words, colour) if words else ":gray[(empty)]")


def _highlight(text: str, colour: str) -> str:
    return f":{colour}-background[{_keep_blanks(text, fixed=True)}]"


def _keep_blanks(text: str, *, fixed: bool) -> str:
    """Escape a text without losing a blank; `fixed` holds the first one, which Markdown would take away."""
    parts = [part for part in _BLANKS.split(text) if part]
    whole = ""
    for number, part in enumerate(parts):
        edge = (number == 0 and fixed) or (number == len(parts) - 1 and fixed)
        if part.strip():
            whole += escape_markdown(part)
        else:
            whole += NO_BREAK_SPACE * len(part) if edge else NO_BREAK_SPACE * (len(part) - 1) + " "
    return whole
