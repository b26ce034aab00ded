"""JavaScript's regular expressions, read and written anew for RE2: a pattern means what it means in promptfoo, and cannot hang.

Read as JavaScript reads them without flags. What RE2 cannot do (look-around, references back to a group) is refused; what is
no pattern in JavaScript, such as Python's `(?i)` at the beginning, is told apart: in promptfoo it is not an error of the suite
but a scorer that never passes.
"""

import re
from dataclasses import dataclass

from promptuary.evaluation.scorers.text.treebank import JAVASCRIPT_SPACE
from promptuary.prompt.errors import Invalid

_GROUP = re.compile(r"\(\?(?::|<([A-Za-z_$][\w$]*)>|(<?[=!])|([ims]*(?:-[ims]*)?):)")
_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
_SPACES = "".join(f"\\x{{{ord(one):x}}}" if one != "-" else "-" for one in JAVASCRIPT_SPACE)
_ANY, _NONE = r"(?s:.)", r"[^\x00-\x{10ffff}]"
_LINE_ENDS = r"\n\r\x{2028}\x{2029}"
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c([A-Za-z])")


class InvalidPattern(Invalid):
    """The pattern is none in JavaScript."""

    code = "invalid_pattern"


def translate_to_re2(pattern: str) -> str:
    """Write a pattern of JavaScript's as one of RE2's that matches the same.

    Raises:
        InvalidPattern: for what JavaScript does not take.
        Invalid: for look-around and for references back, which RE2 has not.
    """
    return _Reader(pattern, _groups(pattern)).read()


@dataclass
class _Reader:
    pattern: str
    groups: int
    at: int = 0
    depth: int = 0
    may_repeat: bool = False

    def read(self) -> str:
        out: list[str] = []
        while self.at < len(self.pattern):
            out.append(self._next())
        if self.depth:
            raise InvalidPattern("a group is not closed")
        return "".join(out)

    def _next(self) -> str:
        pattern, at = self.pattern, self.at
        one = pattern[at]
        if found := _QUANTIFIER.match(pattern, at):
            if not self.may_repeat:
                raise InvalidPattern(f"there is nothing to repeat at {at}")
            self.at, self.may_repeat = found.end(), False
            return found.group()
        self.at += 1
        self.may_repeat = one not in "(|^$"
        if one == "(":
            return self._group(at)
        if one == ")":
            self.depth -= 1
            if self.depth < 0:
                raise InvalidPattern("a bracket closes no group")
            return one
        if one == "[":
            return self._class()
        if one == "\\":
            return self._escape()
        if one == ".":
            return f"[^{_LINE_ENDS}]"
        return one if one in "|^$" else re.escape(one) if one in "]{}" else one

    def _group(self, at: int) -> str:
        self.depth += 1
        if not self.pattern.startswith("(?", at):
            return "("
        found = _GROUP.match(self.pattern, at)
        if found is None:
            hint = "; for case left aside write (?i:…)" if self.pattern.startswith("(?i)", at) else ""
            raise InvalidPattern(f"the group at {at} begins as none does in JavaScript{hint}")
        if found.group(2):
            raise Invalid("RE2 has no look-around, as in (?=…); ask for the parts with scorers of their own")
        self.at = found.end()
        return f"(?P<{found.group(1).replace('$', '_')}>" if found.group(1) else found.group()

    def _escape(self) -> str:
        if self.at >= len(self.pattern):
            raise InvalidPattern("a backslash stands at the end")
        one = self.pattern[self.at]
        if one in "bB":
            self.at += 1
            self.may_repeat = False
            return f"\\{one}"
        if one in "dDwW":
            self.at += 1
            return f"\\{one}"
        if one in "sS":
            self.at += 1
            return f"[{'^' if one == 'S' else ''}{_SPACES}]"
        if one == "k" and "(?<" in self.pattern:
            raise Invalid(r"RE2 has no references back to a group, as in \k<name>")
        digits = re.compile(r"[1-9]\d*").match(self.pattern, self.at)
        if digits and int(digits.group()[:4]) <= self.groups:
            raise Invalid(rf"RE2 has no references back to a group, as in \{digits.group()[:4]}")
        return self._character()

    def _character(self) -> str:
        """Read what stands for one character after a backslash, in a class or outside."""
        pattern, one = self.pattern, self.pattern[self.at]
        octal = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?").match(pattern, self.at)
        code = _HEX.match(pattern, self.at)
        found = octal or code
        self.at = found.end() if found else self.at + 1
        if octal:
            return _point(int(octal.group(), 8))
        if code:
            number = ord(code.group(3)) % 32 if code.group(3) else int(code.group(1) or code.group(2), 16)
            return _point(number)
        if one == "c":
            self.at -= 1
            return _point(ord("\\"))
        return _point(_CONTROLS.get(one, ord(one)))

    def _class(self) -> str:
        pattern = self.pattern
        negative = pattern.startswith("^", self.at)
        self.at += negative
        out: list[str] = []
        while self.at < len(pattern) and pattern[self.at] != "]":
            first, single = self._member()
            if pattern.startswith("-", self.at) and pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last, also = self._member()
                if single and also and int(first[3:-1], 16) > int(last[3:-1], 16):
                    raise InvalidPattern("a range in square brackets runs backwards")
                out.append(f"{first}-{last}" if single and also else f"{first}\\-{last}")
            else:
                out.append(first)
        if self.at >= len(pattern):
            raise InvalidPattern("a class in square brackets is not closed")
        self.at += 1
        if not out:
            return _ANY if negative else _NONE
        return f"[{'^' if negative else ''}{''.join(out)}]"

    def _member(self) -> tuple[str, bool]:
        """Read a class's next member, and whether it is one character."""
        one = self.pattern[self.at]
        self.at += 1
        if one != "\\":
            return _point(ord(one)), True
        if self.at >= len(self.pattern):
            raise InvalidPattern("a backslash stands at the end")
        kind = self.pattern[self.at]
        if kind in "dDwWsS":
            self.at += 1
            return {"s": _SPACES, "S": _NOT_SPACES}.get(kind, f"\\{kind}"), False
        if kind == "b":
            self.at += 1
            return _point(8), True
        return self._character(), True


def _point(code: int) -> str:
    return f"\\x{{{code:x}}}"


def _groups(pattern: str) -> int:
    """Count the groups that are numbered, wherever they stand."""
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", pattern, flags=re.DOTALL)
    return len(re.findall(r"\((?!\?)|\(\?<(?![=!])", bare))


def _not_spaces() -> str:
    """Give what is no white space as ranges, for a class that has more in it."""
    spaces: list[int] = []
    for place, one in enumerate(JAVASCRIPT_SPACE):
        if one == "-":
            spaces += range(ord(JAVASCRIPT_SPACE[place - 1]), ord(JAVASCRIPT_SPACE[place + 1]))
        else:
            spaces.append(ord(one))
    out, last = [], 0
    for code in sorted(set(spaces)):
        if code > last:
            out.append(f"{_point(last)}-{_point(code - 1)}")
        last = code + 1
    return "".join(out) + f"{_point(last)}-{_point(0x10FFFF)}"


_NOT_SPACES = _not_spaces()
