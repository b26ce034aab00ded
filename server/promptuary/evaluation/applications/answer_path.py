"""JSONPath (RFC 9535) for the part of an answer that is the output. The only module that imports python-jsonpath."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonpath
from jsonpath import JSONPathEnvironment

from promptuary.prompt.errors import Invalid

PATH_LIMIT = 500
_DESCENDANTS = 1
_PATTERN_FUNCTIONS = ("match", "search")  # their regular expressions would run without a limit of time


@dataclass(frozen=True)
class AnswerPath:
    """A JSONPath.

    Attributes:
        source: as the suite has it.
        compiled: of the library.
    """

    source: str
    compiled: Any

    def values(self, answer: Any) -> list[Any]:
        """Return the values at the path, in the answer's order."""
        return list(self.compiled.findall(answer))

    def value(self, answer: Any) -> Any:
        """Return the value at the path; a list where the path can select several.

        Raises:
            LookupError: when there is none.
        """
        values = self.values(answer)
        if not values:
            raise LookupError(f"there is nothing at {self.source}")
        return values[0] if self.compiled.singular_query() else values


def parse_path(source: str) -> AnswerPath:
    """Parse a JSONPath.

    Raises:
        Invalid: for what is none, or could take long.
    """
    if len(source) > PATH_LIMIT:
        raise Invalid(f"is a JSONPath of more than {PATH_LIMIT} characters")
    if source.count("..") > _DESCENDANTS:
        raise Invalid("may search all levels (`..`) once, not more often")
    try:
        return AnswerPath(source, _environment().compile(source))
    except jsonpath.JSONPathError as error:
        message = str(error.args[0] if error.args else error).splitlines()[0]
        raise Invalid(f"is no JSONPath: {message}") from None


@cache
def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    for name in _PATTERN_FUNCTIONS:
        environment.function_extensions.pop(name, None)
    return environment
