"""The differences between two texts, word by word, as Markdown with escaped texts.

The UI is a REST client and cannot import the server's comparison (`promptuary.prompt.diff.words`). The API's diff has lines
only, and it compares versions, while these texts are also drafts and outputs. So the UI compares words itself, by difflib.
"""

import difflib
import re
from collections.abc import Sequence

import streamlit as st

from promptuary_ui.components.text import escape_hidden, escape_markdown, show_block

WORD_LIMIT = 3000
"""Above this number of words in a text, texts are compared by lines, because a comparison by words takes too long."""
_WORD = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_BLANKS = re.compile(r"(\s+)")
NO_BREAK_SPACE = "\u00a0"
"""A space that Markdown preserves."""
_MarkedPieces = list[tuple[str, bool]]


def show_side_by_side(before: str, after: str, titles: tuple[str, str]) -> None:
    """Show two texts side by side; words that only the first has are red, words that only the second has are green."""
    pieces = compare_words(before, after)
    if before == after:
        st.caption(":material/check: Both texts are equal.")
    if pieces is None:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *titles, lineterm="")
        st.code(escape_hidden("\n".join(lines)) or "(empty)", language="diff", wrap_lines=True)
        return
    for column, title, words, colour in zip(st.columns(2), titles, pieces, ("red", "green"), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.caption(escape_markdown(title))
            _show(words, colour)


def show_against(base: str, text: str) -> None:
    """Show a text with the words that `base` does not have in green; a text that is too long is shown unmarked."""
    pieces = compare_words(base, text)
    if pieces is None:
        show_block(text)
    else:
        _show(pieces[1], "green")


def compare_words(before: str, after: str) -> tuple[_MarkedPieces, _MarkedPieces] | None:
    """Split both texts into pieces, each with whether it is missing in the other text; None for texts that are too long."""
    left_words, right_words = _WORD.findall(before), _WORD.findall(after)
    if max(len(left_words), len(right_words)) > WORD_LIMIT:
        return None
    left: _MarkedPieces = []
    right: _MarkedPieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(str.isspace, left_words, right_words, autojunk=False).get_opcodes():
        if a < b:
            left.append(("".join(left_words[a:b]), kind != "equal"))
        if c < d:
            right.append(("".join(right_words[c:d]), kind != "equal"))
    return _merge_marks(left), _merge_marks(right)


def _merge_marks(pieces: _MarkedPieces) -> _MarkedPieces:
    """Mark spaces and punctuation between two marked words too, so that they read as one change."""
    merged: _MarkedPieces = []
    for number, (text, marked) in enumerate(pieces):
        between = 0 < number < len(pieces) - 1 and not re.search(r"\w|\n", text)
        marked = marked or (between and pieces[number - 1][1] and pieces[number + 1][1])
        if merged and merged[-1][1] == marked:
            merged[-1] = (merged[-1][0] + text, marked)
        else:
            merged.append((text, marked))
    return merged


def to_markdown(words: Sequence[tuple[str, bool]], colour: str) -> str:
    """Return pieces as Markdown that preserves lines and spaces, with a coloured background behind the marked ones."""
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
    """Escape a text and preserve its spaces; `fixed` also preserves those at its ends, which Markdown would remove."""
    parts = [part for part in _BLANKS.split(text) if part]
    whole = ""
    for number, part in enumerate(parts):
        edge = (number == 0 and fixed) or (number == len(parts) - 1 and fixed)
        if part.strip():
            whole += escape_markdown(part)
        else:
            whole += NO_BREAK_SPACE * len(part) if edge else NO_BREAK_SPACE * (len(part) - 1) + " "
    return whole
