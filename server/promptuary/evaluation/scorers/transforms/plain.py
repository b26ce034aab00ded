"""Transforms that run no code: fences and reasoning removed, a part of JSON, a part that a pattern finds."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.evaluation.applications.answer_path import AnswerPath, parse_path
from promptuary.evaluation.scorers.patterns.pattern import compile_javascript
from promptuary.models.calls.reasoning import split_reasoning
from promptuary.prompt.errors import Invalid

_FENCE = re.compile(r"(?m)^[ \t]*(?:```|~~~)[^\n`]*\n?")
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.IGNORECASE | re.DOTALL)


def strip_fences(text: str) -> str:
    """Return a text without the lines of code fences, and without white space around it; what they enclose stays."""
    return _FENCE.sub("", text).strip()


def strip_reasoning(text: str) -> str:
    """Return a text without the reasoning in tags, and without white space around it."""
    return _THOUGHT.sub("", split_reasoning(text)[1]).strip()


NAMED: Mapping[str, Callable[[str], str]] = {"strip-fences": strip_fences, "strip-reasoning": strip_reasoning}
"""Transforms that take nothing, by their names."""


@dataclass(frozen=True)
class JsonPart:
    """The part of JSON at a path: one value, or a list where the path can select several."""

    path: AnswerPath

    @classmethod
    def parse(cls, source: str) -> "JsonPart":
        """Parse a JSONPath.

        Raises:
            Invalid: for what is none.
        """
        return cls(parse_path(source))

    def apply(self, value: Any) -> Any:
        """Return the part of a value, or of the JSON in a text.

        Raises:
            LookupError: where there is nothing at the path.
            ValueError: for a text that is no JSON.
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except RecursionError:
                raise ValueError("the output is JSON that is nested too deeply") from None
            except ValueError:
                raise ValueError("the output is no JSON") from None
        return self.path.value(value)


@dataclass(frozen=True)
class PatternPart:
    """The part of a text that a pattern of JavaScript with the flag `u` finds: its first group, else all of it."""

    source: str
    compiled: Any

    @classmethod
    def parse(cls, source: str) -> "PatternPart":
        """Compile a pattern.

        Raises:
            Invalid: for what is none, and for one that RE2 cannot express.
        """
        pattern = compile_javascript(source, unicode=True)
        if pattern.backtracks:
            raise Invalid("has look-around, references back or another part that RE2 lacks; write it as javascript")
        return cls(source, pattern.compiled)

    def apply(self, text: str) -> str:
        """Return what the pattern finds first.

        Raises:
            LookupError: where it finds nothing.
        """
        match = self.compiled.search(text)
        if match is None:
            raise LookupError(f"nothing in the output matches {self.source}")
        groups = [group for group in match.groups() if group is not None]
        return str(groups[0] if groups else match.group())
