"""JavaScript's own regular expressions, in the embedded engine QuickJS, for patterns that RE2 cannot express.

The engine backtracks, so each search has limits of time and memory, and a pattern that reaches one is an error. A context of
the engine is created, used and dropped in one call: one that two threads use ends the process. It is in this process, unlike
the engine of suites' JavaScript, because a pattern is no program: searching is the one thing that runs here, and it looks at
the limit of time.
"""

import json

from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern
from promptuary.prompt.errors import Invalid

TIME_LIMIT_SECONDS = 0.5
MEMORY_LIMIT_BYTES = 64 * 1024 * 1024
STACK_LIMIT_BYTES = 512 * 1024
_CHECK_SECONDS = 0.2


class PatternTooSlow(Invalid):
    """A search reached its limit of time or memory, so that it is not known whether the pattern matches."""

    code = "pattern_too_slow"


def check_pattern(source: str, *, unicode: bool) -> None:
    """Check that JavaScript accepts a pattern.

    Raises:
        InvalidPattern: where it does not.
    """
    _evaluate(f"new RegExp({_literal(source)}, {_flags(unicode)}); true", _CHECK_SECONDS)


def search(source: str, text: str, *, unicode: bool, seconds: float = TIME_LIMIT_SECONDS) -> bool:
    """Return whether a pattern matches anywhere in a text.

    Args:
        source: the pattern.
        text: is searched.
        unicode: whether the pattern has the flag `u`; else it matches units of UTF-16.
        seconds: the time limit, of processor time.

    Raises:
        InvalidPattern: where JavaScript does not accept the pattern.
        PatternTooSlow: at the limit of time or memory.
    """
    return _evaluate(f"new RegExp({_literal(source)}, {_flags(unicode)}).test({_literal(text)})", seconds)


def _evaluate(expression: str, seconds: float) -> bool:
    import quickjs

    context = quickjs.Context()
    context.set_time_limit(seconds)
    context.set_memory_limit(MEMORY_LIMIT_BYTES)
    context.set_max_stack_size(STACK_LIMIT_BYTES)
    try:
        return bool(context.eval(expression))
    except (quickjs.JSException, quickjs.StackOverflow) as error:
        message = next(iter(str(error).splitlines()), "")
        if message.startswith("SyntaxError: "):
            raise InvalidPattern(message.removeprefix("SyntaxError: ")) from None
        raise PatternTooSlow(
            "the pattern reaches the limit of time or memory on this text; write it without nested repetitions"
        ) from None


def _literal(text: str) -> str:
    """Write a text as JavaScript, in ASCII: the engine's own conversion refuses halves of surrogate pairs."""
    return json.dumps(text)


def _flags(unicode: bool) -> str:
    return '"u"' if unicode else '""'
