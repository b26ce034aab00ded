"""The words of JavaScript outside its texts, patterns and comments: enough to find names and exports, not a parser."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SKIPPED = re.compile(r"\s+|//[^\n]*|/\*[\s\S]*?(?:\*/|$)")
_TEXT = re.compile(r"""'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?""")
# Not possessive: of a choice, Python before 3.11.3 then matches nothing. The choices begin differently, so no search is long.
_TEMPLATE = re.compile(r"(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(`|\$\{|\\?\Z)")
_PATTERN = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")
_NUMBER = re.compile(r"\.?\d[\w.]*")
_WORD = re.compile(r"[A-Za-z_$\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*")
_SIGN = re.compile(r"\?\.(?!\d)|=>|\.\.\.|[\s\S]")
FAILED_PATTERNS_LIMIT = 20
"""How many slashes may begin what is no pattern; each costs a search to the end of its line. Later ones are signs."""
_BEFORE_PATTERN = frozenset(
    {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof", "yield", "await"}
)


@dataclass(frozen=True)
class Word:
    """A word, a sign, or a whole text, pattern or number.

    Attributes:
        text: as it stands in the source; `''` for a text, a pattern or a number, `${` for a text that continues behind a value.
        start: its position.
        end: the position behind it.
        depth: how many brackets of any kind are open.
    """

    text: str
    start: int
    end: int
    depth: int


def words_of(source: str) -> Iterator[Word]:
    """Yield the words of a source in their order; what is no JavaScript yields something, and raises nothing."""
    position, depth, previous, failed = 0, 0, "", 0
    templates: list[int] = []  # the depths at which `${` stands
    while position < len(source):
        if skipped := _SKIPPED.match(source, position):
            position = skipped.end()
            continue
        start, character = position, source[position]
        if character == "`" or (character == "}" and templates and templates[-1] == depth):
            if character == "}":
                depth = templates.pop() - 1
            template = _TEMPLATE.match(source, position + 1)
            assert template is not None
            position, text = template.end(), "''"
            if template[1] == "${":
                text = "${"  # a value begins behind it, so that a slash begins a pattern
                depth += 1
                templates.append(depth)
        elif literal := _literal(source, position, previous, patterns=failed < FAILED_PATTERNS_LIMIT):
            position, text = literal.end(), "''"
        else:
            word = _WORD.match(source, position) or _SIGN.match(source, position)
            assert word is not None
            position, text = word.end(), word[0]
            failed += text == "/" and not _is_value(previous)
            depth -= text in (")", "]", "}")
        yield Word(text, start, position, depth)
        depth += text in ("(", "[", "{")
        previous = text


def _literal(source: str, position: int, previous: str, *, patterns: bool) -> re.Match[str] | None:
    """Match a text, a number or a pattern; a slash begins a pattern where a value may stand."""
    character = source[position]
    if character in "'\"":
        return _TEXT.match(source, position)
    if character.isdigit() or (character == "." and source[position + 1 : position + 2].isdigit()):
        return _NUMBER.match(source, position)
    if character != "/" or not patterns:
        return None
    return None if _is_value(previous) else _PATTERN.match(source, position)


def _is_value(previous: str) -> bool:
    """Return whether a word ends a value, so that a slash behind it divides."""
    return previous in ("''", ")", "]", "}") or (bool(_WORD.fullmatch(previous)) and previous not in _BEFORE_PATTERN)
