"""The lookup of mustache: the value at a dotted path, or where the path ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.templates.value import describe_type, may_lack

_INDEX_DIGITS = 9
_SHOWN_MEMBERS = 8
_SHOWN_LENGTH = 40


@dataclass(frozen=True)
class MissingValue:
    """The end of a path that leads to no value.

    Attributes:
        position: the position in the path of the part that does not exist.
        holder: the value that does not have it; not used at position 0, where no scope has it.
        absent: whether the holder could have it. A text and a number have no members at all.
        optional: whether the declarations of the variables let it be missing.
    """

    position: int
    holder: Any
    absent: bool
    optional: bool

    def describe(self, path: tuple[str, ...], *, members: bool) -> str:
        """Return what exists at the place where the path ends.

        Args:
            path: the path.
            members: whether the names of an object's members may be shown.
        """
        whole, part = ".".join(path[: self.position]), path[self.position]
        text = f"'{whole}' is {describe_type(self.holder)}"
        if isinstance(self.holder, Mapping):
            names = _shown_names(self.holder) if members else []
            return f"{text} without '{part}'" + (f"; it has {', '.join(names)}" if names else "")
        if isinstance(self.holder, list | tuple) and is_index(part):
            return f"{text}, so it has no item {part}" + ("; the first is item 0" if self.holder else "")
        if isinstance(self.holder, list | tuple):
            return f"{text}: '{part}' is no item of it; write a section, or a number as in {whole}.0"
        return f"{text}, so it has no '{part}'"


def look_up(path: tuple[str, ...], stack: Sequence[Any]) -> Any:
    """Return the value at a path, or a `NoValue`.

    The innermost scope that has the first part decides. A number is a position in a list, from 0.

    Args:
        path: the parts of the name; `.` alone is the innermost scope itself.
        stack: the scopes, the innermost last.
    """
    first = path[0]
    if first == ".":
        return stack[-1]
    for scope in reversed(stack):
        if (isinstance(scope, Mapping) and first in scope) or _has_item(scope, first):
            holder = scope
            break
    else:
        return MissingValue(0, None, absent=True, optional=any(may_lack(scope, first) for scope in stack))
    value = holder
    for position, part in enumerate(path):
        parent, holder = holder, value
        if isinstance(holder, Mapping) and part in holder:
            value = holder[part]
        elif _has_item(holder, part):
            value = holder[int(part)]
        else:
            absent = holder is None or isinstance(holder, Mapping) or (isinstance(holder, list | tuple) and is_index(part))
            optional = may_lack(holder, part) or (holder is None and may_lack(parent, path[position - 1]))
            return MissingValue(position, holder, absent, optional)
    return value


def is_index(part: str) -> bool:
    """Return whether a part of a path is a position in a list."""
    return part.isascii() and part.isdigit() and len(part) <= _INDEX_DIGITS


def _has_item(value: Any, part: str) -> bool:
    return isinstance(value, list | tuple) and is_index(part) and int(part) < len(value)


def _shown_names(value: Mapping[str, Any]) -> list[str]:
    """Return the names of members that are plain words; any other key may be a part of the data, such as an address."""
    names = [name for name in value if name.isidentifier() and len(name) <= _SHOWN_LENGTH]
    return [*names[:_SHOWN_MEMBERS], "…"] if len(names) > _SHOWN_MEMBERS else names
