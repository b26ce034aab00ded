r"""The translation of JavaScript's regular expressions to RE2: a pattern means the same, and cannot hang.

Patterns are read as JavaScript reads them without flags, as promptfoo does, or with the flag `u`, as JSON Schema does. Without
flags JavaScript matches units of UTF-16, so that `.` is half an emoji: `utf16_text` writes each half as a character of its own.
What RE2 cannot do (look-around, back-references) raises `BeyondRe2`. What is no pattern in JavaScript, such as Python's `(?i)`
at the beginning, has an error of its own: in promptfoo it is not an error of the suite but a scorer that never passes.

Why own code: of the libraries at hand, `js-regex` translates to Python's `re`, `regress` and the JavaScript engines match as
JavaScript does. All of them backtrack, so that a pattern of a stranger's suite runs into a time limit where RE2 answers at
once, and no library translates to its dialect. The translation must also know where the two dialects differ without an error:
`.`, `\s`, `[]`, octal and control escapes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptuary.prompt.errors import Invalid

JAVASCRIPT_SPACE = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""The characters that JavaScript treats as white space, as ranges for a class of a regular expression."""

_GROUP = re.compile(r"\(\?(?::|<([A-Za-z_$][\w$]*)>|(<?[=!])|([ims]*(?:-[ims]*)?):)", re.ASCII)
_OTHER_NAME = re.compile(r"\(\?<[^=!>]")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_OCTAL = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c([A-Za-z])")
_CODE_POINT = re.compile(r"u(?:\{([0-9a-fA-F]{1,8})\}|([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2}))")
_PROPERTY = re.compile(r"[pP]\{(?:(?:(?:General_Category|gc)=)?([A-Z][a-z]?)|(?:Script|sc)=([A-Z][A-Za-z_]*))\}")
_BACK_REFERENCE = re.compile(r"[1-9]\d*")
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_NUMBERED_GROUP = re.compile(r"\((?!\?)|\(\?<(?![=!])")
_SPACES = "".join(f"\\x{{{ord(character):x}}}" if character != "-" else "-" for character in JAVASCRIPT_SPACE)
_ANY, _NONE = r"(?s:.)", r"[^\x00-\x{10ffff}]"
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_BACKSPACE, _LAST_CODE_POINT = 8, 0x10FFFF
_FIRST_SURROGATE, _LAST_SURROGATE = 0xD800, 0xDFFF
_UNIT_BASE = 0xF0000
"""The character that stands for the first surrogate, in patterns and texts of UTF-16 units; RE2 takes no surrogates."""
_BEYOND_UNITS = re.compile("[\ud800-\udfff\U00010000-\U0010ffff]")


class InvalidPattern(Invalid):
    """The pattern is none in JavaScript."""

    code = "invalid_pattern"


class BeyondRe2(Invalid):
    """The pattern needs what RE2 does not have: look-around, references back to a group, some properties of characters."""

    code = "beyond_re2"


def translate_to_re2(pattern: str, *, unicode: bool = False) -> str:
    """Return an RE2 pattern that matches the same as a pattern of JavaScript.

    Args:
        pattern: of JavaScript.
        unicode: whether it has the flag `u`, and is known to be valid; else it matches in texts of `utf16_text`.

    Raises:
        InvalidPattern: for what JavaScript does not accept without flags.
        BeyondRe2: for what RE2 does not have.
    """
    source = pattern if unicode else _BEYOND_UNITS.sub(lambda match: "".join(map(chr, _utf16_units(match.group()))), pattern)
    return _Translator(source, _count_groups(source), unicode).translate()


def utf16_text(text: str) -> str:
    """Return a text with each half of a surrogate pair as a character of its own, as patterns without flags match it."""
    return _BEYOND_UNITS.sub(lambda match: "".join(chr(_character_of(unit)) for unit in _utf16_units(match.group())), text)


def _utf16_units(character: str) -> tuple[int, ...]:
    code = ord(character)
    if code <= 0xFFFF:
        return (code,)
    return 0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF)


def _character_of(unit: int) -> int:
    """Return the code point that stands for a UTF-16 unit."""
    return unit - _FIRST_SURROGATE + _UNIT_BASE if _FIRST_SURROGATE <= unit <= _LAST_SURROGATE else unit


@dataclass
class _Translator:
    """Reads a pattern from left to right.

    Attributes:
        pattern: of JavaScript.
        groups: how many numbered groups it has.
        unicode: whether it has the flag `u`.
        position: of the next character.
        depth: how many groups are open.
        may_repeat: whether a quantifier may stand at the position.
    """

    pattern: str
    groups: int
    unicode: bool
    position: int = 0
    depth: int = 0
    may_repeat: bool = False

    def translate(self) -> str:
        """Return the whole pattern, translated."""
        parts: list[str] = []
        while self.position < len(self.pattern):
            parts.append(self._next())
        if self.depth:
            raise InvalidPattern("a group is not closed")
        return "".join(parts)

    def _next(self) -> str:
        start = self.position
        character = self.pattern[start]
        if quantifier := _QUANTIFIER.match(self.pattern, start):
            if not self.may_repeat:
                raise InvalidPattern(f"there is nothing to repeat at {start}")
            self.position, self.may_repeat = quantifier.end(), False
            return quantifier.group()
        self.position += 1
        self.may_repeat = character not in "(|^$"
        match character:
            case "(":
                return self._open_group(start)
            case ")":
                return self._close_group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case ".":
                return f"[^{_LINE_ENDS}]"
        if _FIRST_SURROGATE <= ord(character) <= _LAST_SURROGATE:
            return self._code_point(ord(character))
        return re.escape(character) if character in "]{}" else character

    def _open_group(self, start: int) -> str:
        self.depth += 1
        if not self.pattern.startswith("(?", start):
            return "("
        group = _GROUP.match(self.pattern, start)
        if group is None and _OTHER_NAME.match(self.pattern, start):
            raise BeyondRe2("RE2 has no groups with such names")
        if group is None:
            hint = "; to ignore case write (?i:…)" if self.pattern.startswith("(?i)", start) else ""
            raise InvalidPattern(f"the group at {start} begins as none does in JavaScript{hint}")
        if group.group(2):
            raise BeyondRe2("RE2 has no look-around, as in (?=…)")
        self.position = group.end()
        return f"(?P<{group.group(1).replace('$', '_')}>" if group.group(1) else group.group()

    def _close_group(self) -> str:
        self.depth -= 1
        if self.depth < 0:
            raise InvalidPattern("a bracket closes no group")
        return ")"

    def _escape(self) -> str:
        """Translate what follows a backslash outside a class."""
        character = self._escaped_character()
        if character in "bB":
            self.position += 1
            self.may_repeat = False
            return f"\\{character}"
        if character in "dDwW":
            self.position += 1
            return f"\\{character}"
        if character in "sS":
            self.position += 1
            return f"[{'^' if character == 'S' else ''}{_SPACES}]"
        if character == "k" and "(?<" in self.pattern:
            raise BeyondRe2(r"RE2 has no references back to a group, as in \k<name>")
        number = _BACK_REFERENCE.match(self.pattern, self.position)
        if number and int(number.group()[:4]) <= self.groups:
            raise BeyondRe2(rf"RE2 has no references back to a group, as in \{number.group()[:4]}")
        if self.unicode and character in "pP":
            return self._property()
        return self._code_point(self._single_character())

    def _property(self) -> str:
        """Translate a property of characters: a general category or a script."""
        name = _PROPERTY.match(self.pattern, self.position)
        if name is None:
            raise BeyondRe2(r"RE2 has no such property of characters, as in \p{Emoji}")
        self.position = name.end()
        return f"\\{name.group()[0]}{{{name.group(1) or name.group(2)}}}"

    def _escaped_character(self) -> str:
        if self.position >= len(self.pattern):
            raise InvalidPattern("a backslash stands at the end")
        return self.pattern[self.position]

    def _single_character(self) -> int:
        """Return the code of an escape that means one character, inside a class or outside."""
        character = self.pattern[self.position]
        if self.unicode and (code := _CODE_POINT.match(self.pattern, self.position)):
            self.position = code.end()
            if code.group(1):
                return int(code.group(1), 16)
            return 0x10000 + ((int(code.group(2), 16) & 0x3FF) << 10) + (int(code.group(3), 16) & 0x3FF)
        octal = _OCTAL.match(self.pattern, self.position)
        if octal:
            self.position = octal.end()
            return int(octal.group(), 8)
        if code := _HEX.match(self.pattern, self.position):
            self.position = code.end()
            return ord(code.group(3)) % 32 if code.group(3) else int(code.group(1) or code.group(2), 16)
        if character == "c":  # a backslash before a `c` without a letter means itself
            return ord("\\")
        self.position += 1
        return _CONTROLS.get(character, ord(character))

    def _code_point(self, code: int) -> str:
        """Write a character for RE2."""
        if self.unicode and _FIRST_SURROGATE <= code <= _LAST_SURROGATE:
            raise BeyondRe2("RE2 has no half of a surrogate pair")
        return _code_point(code if self.unicode else _character_of(code))

    def _class(self) -> str:
        """Translate a class in square brackets; `[]` matches nothing, `[^]` anything."""
        negated = self.pattern.startswith("^", self.position)
        self.position += negated
        members: list[str] = []
        while self.position < len(self.pattern) and self.pattern[self.position] != "]":
            members.append(self._class_range())
        if self.position >= len(self.pattern):
            raise InvalidPattern("a class in square brackets is not closed")
        self.position += 1
        if not members:
            return _ANY if negated else _NONE
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _class_range(self) -> str:
        """Translate one member of a class, or a range of two."""
        pattern = self.pattern
        first = self._class_member()
        if not pattern.startswith("-", self.position) or pattern[self.position + 1 : self.position + 2] in ("]", ""):
            return first if isinstance(first, str) else self._code_point(first)
        self.position += 1
        last = self._class_member()
        if isinstance(first, str) or isinstance(last, str):
            return "\\-".join(member if isinstance(member, str) else self._code_point(member) for member in (first, last))
        if first > last:
            raise InvalidPattern("a range in square brackets runs backwards")
        return "".join(f"{self._code_point(low)}-{self._code_point(high)}" for low, high in self._contiguous(first, last))

    def _contiguous(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a range below the surrogates, of the surrogates, and above them."""
        bounds = (0, _FIRST_SURROGATE - 1), (_FIRST_SURROGATE, _LAST_SURROGATE), (_LAST_SURROGATE + 1, _LAST_CODE_POINT)
        for low, high in bounds:
            if first <= high and low <= last and not (self.unicode and low == _FIRST_SURROGATE and first < low):
                yield max(first, low), min(last, high)

    def _class_member(self) -> str | int:
        """Translate the next member of a class: the code of a single character, or a class of its own."""
        character = self.pattern[self.position]
        self.position += 1
        if character != "\\":
            return ord(character)
        escaped = self._escaped_character()
        if escaped in "dDwWsS":
            self.position += 1
            return {"s": _SPACES, "S": _NOT_SPACES}.get(escaped, f"\\{escaped}")
        if self.unicode and escaped in "pP":
            return self._property()
        if escaped == "b":
            self.position += 1
            return _BACKSPACE
        return self._single_character()


def _code_point(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _count_groups(pattern: str) -> int:
    """Count the numbered groups, wherever they stand."""
    return len(_NUMBERED_GROUP.findall(_ESCAPED_OR_CLASS.sub("", pattern)))


def _not_spaces() -> str:
    """Return the ranges of all characters that are no white space, for a class that has further members."""
    spaces: set[int] = set()
    for position, character in enumerate(JAVASCRIPT_SPACE):
        if character == "-":
            spaces.update(range(ord(JAVASCRIPT_SPACE[position - 1]), ord(JAVASCRIPT_SPACE[position + 1])))
        else:
            spaces.add(ord(character))
    ranges, start = [], 0
    for code in sorted(spaces):
        if code > start:
            ranges.append(f"{_code_point(start)}-{_code_point(code - 1)}")
        start = code + 1
    return "".join(ranges) + f"{_code_point(start)}-{_code_point(_LAST_CODE_POINT)}"


_NOT_SPACES = _not_spaces()
