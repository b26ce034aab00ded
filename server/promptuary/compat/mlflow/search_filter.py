"""The filters of MLflow's searches, as far as a registry of prompts can answer them; anything else is refused, not ignored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from promptuary.core.errors import FieldError, InvalidRequest

_CLAUSE = re.compile(
    r"""\s*(?:(?P<name>name)|tags?\.(?:`(?P<quoted>[^`]+)`|(?P<key>[\w.-]+)))"""
    r"""\s*(?P<word>=|!=|LIKE\b|ILIKE\b)\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*(?P<and>AND\b|\Z)""",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clause:
    """One condition: of the name (`key` is None) or of a tag."""

    key: str | None
    word: str
    value: str

    def holds(self, text: str | None) -> bool:
        """Tell whether it holds for a text; for what is not there it never does."""
        if text is None:
            return False
        if self.word in ("=", "!="):
            return (text == self.value) is (self.word == "=")
        return _like(self.value, re.IGNORECASE if self.word == "ILIKE" else 0).fullmatch(text) is not None


def _like(value: str, flags: int) -> re.Pattern[str]:
    """Read a LIKE's value: `%` is any text, `_` any character. What matched once is not tried again, so no value is slow."""
    first, *rest = ["".join("." if mark == "_" else re.escape(mark) for mark in part) for part in value.split("%")]
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(first + middle + "".join(f".*{last}" for last in rest[-1:]), re.DOTALL | flags)


@dataclass(frozen=True)
class Filter:
    """Conditions that all hold."""

    clauses: tuple[Clause, ...]

    @property
    def name(self) -> str | None:
        """The one name that it can hold for, where it says so."""
        return next((clause.value for clause in self.clauses if clause.key is None and clause.word == "="), None)

    def holds(self, name: str, tags: Mapping[str, str]) -> bool:
        """Tell whether it holds for a prompt or a version of that name, with these tags."""
        return all(clause.holds(name if clause.key is None else tags.get(clause.key)) for clause in self.clauses)


def read(text: str) -> Filter:
    """Read a filter: `name = 'a' AND name LIKE 'a%' AND tags.team = 'b'`; empty holds for all.

    Raises:
        InvalidRequest: for what is not taken, with the rest of the filter from there on.
    """
    clauses: list[Clause] = []
    rest = text.strip()
    while rest or clauses:
        match = _CLAUSE.match(rest)
        if match is None:
            raise InvalidRequest(
                "the search cannot be made",
                [
                    FieldError(
                        "filter",
                        f"'{rest[:100]}' is not taken: compare name or tags.<key> by =, !=, LIKE or ILIKE, joined by AND",
                    )
                ],
            )
        key = None if match["name"] else match["quoted"] or match["key"]
        value = match["single"] if match["single"] is not None else match["double"]
        clauses.append(Clause(key, match["word"].upper(), value))
        if not match["and"]:
            break
        rest = rest[match.end() :].strip()
    return Filter(tuple(clauses))
