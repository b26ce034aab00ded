"""Regular expressions by RE2, whose time is linear in the text, so that no pattern can block a worker."""

from typing import Protocol

from promptuary.prompt.errors import Invalid
from promptuary.prompt.text import replace_surrogates

PATTERN_LIMIT = 1000


class CompiledPattern(Protocol):
    """A pattern that RE2 has compiled; its package states no types."""

    def search(self, text: str) -> object | None:
        """Return the first match; None where there is none."""


def compile_pattern(pattern: str, limit: int = PATTERN_LIMIT) -> CompiledPattern:
    """Compile a pattern for `matches`.

    Raises:
        Invalid: for one that is longer than the limit, or that RE2 does not accept: it has no look-around and no
            back-references.
    """
    import re2

    if len(pattern) > limit:
        raise Invalid(f"the pattern is over the limit of {limit} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: CompiledPattern = re2.compile(replace_surrogates(pattern), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not understood"
        message = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise Invalid(f"the pattern is not one that RE2 takes: {message}") from None
    return compiled


def matches(pattern: CompiledPattern, text: str) -> bool:
    """Return whether a compiled pattern matches anywhere in the text."""
    return pattern.search(replace_surrogates(text)) is not None
