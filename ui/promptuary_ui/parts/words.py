"""What differs between two texts, word by word, as Markdown in which all of the texts is escaped.

The UI is a REST client and cannot import the server's comparison (`promptuary.prompt.diff.words`). The API's diff has lines
only, and it compares versions, while these texts are also drafts and outputs. So the UI compares words itself, by difflib.
"""

import difflib
import re
from collections.abc import Sequence

import streamlit as st

from promptuary_ui.parts.text import block, plain, visible

WORDS = 3000
"""Beyond so many words on a side, texts are compared by lines: by words it would take too long, and nobody would read it."""
_WORD = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_BLANKS = re.compile(r"(\s+)")
FIXED = "\u00a0"
"""A blank that Markdown keeps."""
_Marked = list[tuple[str, bool]]


def beside(before: str, after: str, titles: tuple[str, str]) -> None:
    """Show two texts side by side: what only the first has is red in it, what only the second has is green in it."""
    marked = compared(before, after)
    if before == after:
        st.caption(":material/check: Both are the same.")
    if marked is None:
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *titles, lineterm="")
        st.code(visible("\n".join(lines)) or "(empty)", language="diff", wrap_lines=True)
        return
    for column, title, words, colour in zip(st.columns(2), titles, marked, ("red", "green"), strict=True):
        with column, st.container(border=True, height="stretch"):
            st.caption(plain(title))
            _show(words, colour)


def against(base: str, text: str) -> None:
    """Show a text with what `base` does not have in green; a text that is too long is shown as it is."""
    marked = compared(base, text)
    if marked is None:
        block(text)
    else:
        _show(marked[1], "green")


def compared(before: str, after: str) -> tuple[_Marked, _Marked] | None:
    """Give both texts in pieces, each with whether the other has not got it; None for texts that are too long."""
    ours, theirs = _WORD.findall(before), _WORD.findall(after)
    if max(len(ours), len(theirs)) > WORDS:
        return None
    left: _Marked = []
    right: _Marked = []
    for kind, a, b, c, d in difflib.SequenceMatcher(str.isspace, ours, theirs, autojunk=False).get_opcodes():
        if a < b:
            left.append(("".join(ours[a:b]), kind != "equal"))
        if c < d:
            right.append(("".join(theirs[c:d]), kind != "equal"))
    return _whole(left), _whole(right)


def _whole(pieces: _Marked) -> _Marked:
    """Mark what is between two marked words and no word itself with them, so that they are read as one change."""
    whole: _Marked = []
    for number, (text, marked) in enumerate(pieces):
        between = 0 < number < len(pieces) - 1 and not re.search(r"\w|\n", text)
        marked = marked or (between and pieces[number - 1][1] and pieces[number + 1][1])
        if whole and whole[-1][1] == marked:
            whole[-1] = (whole[-1][0] + text, marked)
        else:
            whole.append((text, marked))
    return whole


def markdown(words: Sequence[tuple[str, bool]], colour: str) -> str:
    """Give pieces as Markdown that keeps lines and blanks, with the marked ones on a coloured ground."""
    lines: list[list[str]] = [[]]
    for text, marked in words:
        for number, part in enumerate(visible(text).split("\n")):
            if number:
                if marked:
                    lines[-1].append(_marked("↵", colour))
                lines.append([])
            if part:
                lines[-1].append(_marked(part, colour) if marked else _kept(part, fixed=not lines[-1]))
    return "  \n".join("".join(line) or FIXED for line in lines)


def _show(words: _Marked, colour: str) -> None:
    st.markdown(markdown(words, colour) if words else ":gray[(empty)]")


def _marked(text: str, colour: str) -> str:
    return f":{colour}-background[{_kept(text, fixed=True)}]"


def _kept(text: str, *, fixed: bool) -> str:
    """Escape a text without losing a blank; `fixed` holds the first one, which Markdown would take away."""
    parts = [part for part in _BLANKS.split(text) if part]
    whole = ""
    for number, part in enumerate(parts):
        edge = (number == 0 and fixed) or (number == len(parts) - 1 and fixed)
        if part.strip():
            whole += plain(part)
        else:
            whole += FIXED * len(part) if edge else FIXED * (len(part) - 1) + " "
    return whole
