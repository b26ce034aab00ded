"""A compiled pattern of JavaScript: searched by RE2 where that can do it, else by the embedded engine within limits."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from promptuary.evaluation.scorers.patterns import engine, re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import BeyondRe2, translate_to_re2, utf16_text
from promptuary.prompt.errors import Invalid

PATTERN_LIMIT = re2_pattern.PATTERN_LIMIT


@dataclass(frozen=True)
class JavaScriptPattern:
    """A pattern of JavaScript.

    Attributes:
        source: as it was written.
        unicode: whether it has the flag `u`, as in JSON Schema.
        compiled: by RE2, in linear time; None where the engine searches, which may take as long as its limit.
    """

    source: str
    unicode: bool
    compiled: Any

    @property
    def backtracks(self) -> bool:
        """Whether a search may take long, so that it belongs in a thread."""
        return self.compiled is None

    def matches(self, text: str, *, seconds: float = engine.TIME_LIMIT_SECONDS) -> bool:
        """Return whether the pattern matches anywhere in a text.

        Raises:
            PatternTooSlow: where the engine reaches a limit.
        """
        if self.compiled is None:
            return engine.search(self.source, text, unicode=self.unicode, seconds=seconds)
        return re2_pattern.matches(self.compiled, text if self.unicode else utf16_text(text))


@lru_cache(maxsize=1024)
def compile_javascript(source: str, *, unicode: bool = False) -> JavaScriptPattern:
    """Compile a pattern with JavaScript's meaning.

    Args:
        source: the pattern.
        unicode: whether it has the flag `u`.

    Raises:
        InvalidPattern: for what JavaScript does not accept.
        Invalid: for one that is longer than the limit.
    """
    if len(source) > PATTERN_LIMIT:
        raise Invalid(f"the pattern is over the limit of {PATTERN_LIMIT} characters")
    if unicode:
        engine.check_pattern(source, unicode=True)
    try:
        translated = translate_to_re2(source, unicode=unicode)
    except BeyondRe2:
        return _for_engine(source, unicode=unicode)
    try:
        compiled = re2_pattern.compile_pattern(translated, limit=PATTERN_LIMIT * 100)
    except Invalid:  # RE2 has limits of its own, as for repetitions over 1,000
        return _for_engine(source, unicode=unicode)
    return JavaScriptPattern(source, unicode, compiled)


def _for_engine(source: str, *, unicode: bool) -> JavaScriptPattern:
    engine.check_pattern(source, unicode=unicode)
    return JavaScriptPattern(source, unicode, None)
