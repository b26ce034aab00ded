r"""The translation of JavaScript's regular expressions to RE2: a pattern means the same as in promptfoo, and cannot hang.

Patterns are read as JavaScript reads them without flags. What RE2 cannot do (look-around, back-references) is refused. What is
no pattern in JavaScript, such as Python's `(?i)` at the beginning, has an error of its own: in promptfoo it is not an error of
the suite but a scorer that never passes.

Why own code: of the libraries at hand, `js-regex` translates to Python's `re`, `regress` and the JavaScript engines match as
JavaScript does. All of them backtrack, so that one pattern of a stranger's suite can occupy a worker for hours. RE2 cannot, and
no library translates to its dialect. The translation must also know where the two dialects differ without an error: `.`, `\s`,
`[]`, octal and control escapes.
"""

import re
from dataclasses import dataclass

from promptuary.prompt.errors import Invalid

JAVASCRIPT_SPACE = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""The characters that JavaScript treats as white space, as ranges for a class of a regular expression."""

_GROUP = re.compile(r"\(\?(?::|<([A-Za-z_$][\w$]*)>|(<?[=!])|([ims]*(?:-[ims]*)?):)")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_OCTAL = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c([A-Za-z])")
_BACK_REFERENCE = re.compile(r"[1-9]\d*")
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_NUMBERED_GROUP = re.compile(r"\((?!\?)|\(\?<(?![=!])")
_SPACES = "".join(f"\\x{{{ord(character):x}}}" if character != "-" else "-" for character in JAVASCRIPT_SPACE)
_ANY, _NONE = r"(?s:.)", r"[^\x00-\x{10ffff}]"
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_BACKSPACE, _LAST_CODE_POINT = 8, 0x10FFFF


class InvalidPattern(Invalid):
    """The pattern is none in JavaScript."""

    code = "invalid_pattern"


def translate_to_re2(pattern: str) -> str:
    """Return an RE2 pattern that matches the same as a pattern of JavaScript.

    Raises:
        InvalidPattern: for what JavaScript does not accept.
        Invalid: for look-around and back-references, which RE2 does not have.
    """
    return _Translator(pattern, _count_groups(pattern)).translate()


@dataclass
class _Translator:
    """Reads a pattern from left to right.

    Attributes:
        pattern: of JavaScript.
        groups: how many numbered groups it has.
        position: of the next character.
        depth: how many groups are open.
        may_repeat: whether a quantifier may stand at the position.
    """

    pattern: str
    groups: int
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
        return re.escape(character) if character in "]{}" else character

    def _open_group(self, start: int) -> str:
        self.depth += 1
        if not self.pattern.startswith("(?", start):
            return "("
        group = _GROUP.match(self.pattern, start)
        if group is None:
            hint = "; to ignore case write (?i:…)" if self.pattern.startswith("(?i)", start) else ""
            raise InvalidPattern(f"the group at {start} begins as none does in JavaScript{hint}")
        if group.group(2):
            raise Invalid("RE2 has no look-around, as in (?=…); check the parts with scorers of their own")
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
            raise Invalid(r"RE2 has no references back to a group, as in \k<name>")
        number = _BACK_REFERENCE.match(self.pattern, self.position)
        if number and int(number.group()[:4]) <= self.groups:
            raise Invalid(rf"RE2 has no references back to a group, as in \{number.group()[:4]}")
        return self._single_character()

    def _escaped_character(self) -> str:
        if self.position >= len(self.pattern):
            raise InvalidPattern("a backslash stands at the end")
        return self.pattern[self.position]

    def _single_character(self) -> str:
        """Translate an escape that means one character, inside a class or outside."""
        character = self.pattern[self.position]
        octal = _OCTAL.match(self.pattern, self.position)
        if octal:
            self.position = octal.end()
            return _code_point(int(octal.group(), 8))
        if code := _HEX.match(self.pattern, self.position):
            self.position = code.end()
            return _code_point(ord(code.group(3)) % 32 if code.group(3) else int(code.group(1) or code.group(2), 16))
        if character == "c":  # a backslash before a `c` without a letter means itself
            return _code_point(ord("\\"))
        self.position += 1
        return _code_point(_CONTROLS.get(character, ord(character)))

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
        first, first_is_single = self._class_member()
        if not pattern.startswith("-", self.position) or pattern[self.position + 1 : self.position + 2] in ("]", ""):
            return first
        self.position += 1
        last, last_is_single = self._class_member()
        if not (first_is_single and last_is_single):
            return f"{first}\\-{last}"
        if int(first[3:-1], 16) > int(last[3:-1], 16):
            raise InvalidPattern("a range in square brackets runs backwards")
        return f"{first}-{last}"

    def _class_member(self) -> tuple[str, bool]:
        """Translate the next member of a class; return it, and whether it is a single character."""
        character = self.pattern[self.position]
        self.position += 1
        if character != "\\":
            return _code_point(ord(character)), True
        escaped = self._escaped_character()
        if escaped in "dDwWsS":
            self.position += 1
            return {"s": _SPACES, "S": _NOT_SPACES}.get(escaped, f"\\{escaped}"), False
        if escaped == "b":
            self.position += 1
            return _code_point(_BACKSPACE), True
        return self._single_character(), True


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
