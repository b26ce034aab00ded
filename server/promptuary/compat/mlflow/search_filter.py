"""The filters of MLflow's searches, as far as they apply to prompts; anything else is refused, not ignored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.core.errors import FieldError, InvalidRequest

_CLAUSE = re.compile(
    r"""\s*(?:(?P<name>name)|tags?\.(?:`(?P<quoted>[^`]+)`|(?P<key>[\w.-]+)))"""
    r"""\s*(?P<operator>=|!=|LIKE\b|ILIKE\b)\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*(?P<and>AND\b|\Z)""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clause:
    """One condition: on the name (`key` is None) or on a tag."""

    key: str | None
    operator: str
    value: str

    def matches(self, text: str | None) -> bool:
        """Return whether a text meets the condition; a missing tag (None) never does."""
        if text is None:
            return False
        if self.operator in ("=", "!="):
            return (text == self.value) is (self.operator == "=")
        return _like(self.value, re.IGNORECASE if self.operator == "ILIKE" else 0).fullmatch(text) is not None


def _like(value: str, flags: int) -> re.Pattern[str]:
    """Compile the value of a LIKE: `%` is any text, `_` any character. Atomic groups keep every value fast."""
    first, *rest = ["".join("." if mark == "_" else re.escape(mark) for mark in part) for part in value.split("%")]
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(first + middle + "".join(f".*{last}" for last in rest[-1:]), re.DOTALL | flags)


@dataclass(frozen=True)
class Filter:
    """A conjunction of conditions."""

    clauses: tuple[Clause, ...]

    @property
    def name(self) -> str | None:
        """The only name that can match; None where the filter has no `name = …`."""
        return next((clause.value for clause in self.clauses if clause.key is None and clause.operator == "="), None)

    def matches(self, name: str, tags: Mapping[str, str]) -> bool:
        """Return whether a prompt or version with this name and these tags meets all conditions."""
        return all(clause.matches(name if clause.key is None else tags.get(clause.key)) for clause in self.clauses)


def parse_filter(text: str) -> Filter:
    """Parse a filter: `name = 'a' AND name LIKE 'a%' AND tags.team = 'b'`; an empty one matches everything.

    Raises:
        InvalidRequest: for an unsupported condition, with the rest of the filter from there.
    """
    clauses: list[Clause] = []
    rest = text.strip()
    while rest or clauses:
        match = _CLAUSE.match(rest)
        if match is None:
            message = "is not supported: compare name or tags.<key> by =, !=, LIKE or ILIKE, joined by AND"
            raise InvalidRequest("the search is not possible", [FieldError("filter", f"'{rest[:100]}' {message}")])
        key = None if match["name"] else match["quoted"] or match["key"]
        value = match["single"] if match["single"] is not None else match["double"]
        clauses.append(Clause(key, match["operator"].upper(), value))
        if not match["and"]:
            break
        rest = rest[match.end() :].strip()
    return Filter(tuple(clauses))
