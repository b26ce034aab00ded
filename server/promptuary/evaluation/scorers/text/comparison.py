"""Scorers that compare an output with a text exactly: nothing is trimmed or case-folded that the type does not name."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import JsonValue

from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.scorers.markup.json_output import parse_json
from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern
from promptuary.evaluation.scorers.patterns.pattern import PATTERN_LIMIT, JavaScriptPattern, compile_javascript
from promptuary.evaluation.scorers.score import BaseScorer, Score, ScorerInput
from promptuary.evaluation.scorers.scorer_type import NoConfig, ScorerSettings, ScorerType, ScorerValue
from promptuary.evaluation.scorers.value_template import ValueTemplate, parse_value, value_text
from promptuary.evaluation.scorers.values import CaseTextListValue, TemplateValue, TextListValue, TextValue
from promptuary.prompt.canonical_json import json_equal
from promptuary.prompt.errors import Invalid

Quantity = Literal["one", "any", "all"]


@dataclass(frozen=True)
class PatternValue(ScorerValue):
    """A pattern of JavaScript.

    Attributes:
        template: the pattern, which may have tags.
        compiled: the pattern where it has no tag, or the error where a case's pattern is none in JavaScript.
    """

    template: ValueTemplate
    compiled: JavaScriptPattern | InvalidPattern | None = None

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Parse a suite's pattern, and compile it if it is the same for all cases."""
        TextValue.check(value)
        template = parse_value(value)
        if not isinstance(value, str):
            raise Invalid("must be a string")
        if len(value) > PATTERN_LIMIT or template.constant:
            return cls(template, cls.compile(value))
        return cls(template)

    @classmethod
    def compile(cls, source: str) -> JavaScriptPattern | InvalidPattern:
        """Compile a suite's pattern.

        Raises:
            Invalid: for what JavaScript does not accept, or is too long.
        """
        return compile_javascript(source)


class CasePatternValue(PatternValue):
    """A case's pattern: one that is none in JavaScript is accepted, and never passes."""

    @classmethod
    def compile(cls, source: str) -> JavaScriptPattern | InvalidPattern:
        """Compile a case's pattern; return the error for what JavaScript does not accept.

        Raises:
            Invalid: for one that is too long.
        """
        try:
            return super().compile(source)
        except InvalidPattern as error:
            return error


class EqualsValue(TemplateValue):
    """Any JSON value; whether null was written or left out is checked where the scorer is."""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Parse the value's templates."""
        return cls(parse_value(value))


@dataclass(frozen=True)
class Equals(BaseScorer):
    """Passes if the output is the value: an object, a list or null as JSON, with keys in any order; everything else as text."""

    waits: ClassVar[bool] = False

    expected: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the output with the value."""
        expected = self.expected.fill_whole(sample.case)
        if expected is None or isinstance(expected, dict | list):
            parsed = parse_json(sample.output)
            holds = parsed is not None and json_equal(expected, parsed.value)
        else:
            holds = value_text(expected) == sample.output
        verb = "equals" if holds else "does not equal"
        return self.pass_or_fail(holds, f"the output {verb} {_quoted(value_text(expected))}")


@dataclass(frozen=True)
class Contains(BaseScorer):
    """Passes if the output contains the text, or any or all of several; `ignore_case` compares in lower case.

    An empty text among several is an error, unless it is written as one: so cases of a promptfoo file have it, as there.
    """

    waits: ClassVar[bool] = False

    expected: ValueTemplate
    quantity: Quantity
    ignore_case: bool

    async def score(self, sample: ScorerInput) -> Score:
        """Search the output for each text."""
        many = self.quantity != "one"
        if self.expected.parsed == [] and self.quantity == "any" and not self.inverse:
            return self.pass_or_fail(False, "there is no text to look for")
        texts = self.expected.texts(sample.case, commas=True) if many else [self.expected.text(sample.case)]
        if not any(texts) or texts.count("") > self.expected.empty_items:
            raise Invalid(f"a text of the value is empty for case '{sample.case.id}', so that every output contains it")
        output = sample.output.lower() if self.ignore_case else sample.output
        missing = [text for text in texts if (text.lower() if self.ignore_case else text) not in output]
        if self.quantity == "any":
            reason = f"contains {len(texts) - len(missing)} of {_quoted(*texts)}"
            return self.pass_or_fail(len(missing) < len(texts), reason)
        reason = f"does not contain {_quoted(*missing)}" if missing else f"contains {_quoted(*texts)}"
        return self.pass_or_fail(not missing, reason)


@dataclass(frozen=True)
class StartsWith(BaseScorer):
    """Passes if the output begins with the text."""

    waits: ClassVar[bool] = False

    expected: ValueTemplate

    async def score(self, sample: ScorerInput) -> Score:
        """Compare the beginning of the output."""
        text = self.expected.text(sample.case)
        if not text:
            raise Invalid(f"the value is empty for case '{sample.case.id}'")
        holds = sample.output.startswith(text)
        return self.pass_or_fail(holds, f"{'starts' if holds else 'does not start'} with {_quoted(text)}")


@dataclass(frozen=True)
class Regex(BaseScorer):
    """Passes if the pattern, with JavaScript's meaning, matches anywhere in the output.

    What is no pattern in JavaScript, such as `(?i)` at the beginning, is an error of a suite. In a case it fails with a score
    of 0, with `not-` too, as in promptfoo.
    """

    pattern: PatternValue

    async def score(self, sample: ScorerInput) -> Score:
        """Search the output; in a thread, where the search may take long."""
        source = self.pattern.template.text(sample.case)
        if not source:
            raise Invalid(f"the pattern is empty for case '{sample.case.id}', so that it matches every output")
        compiled = self.pattern.compiled or CasePatternValue.compile(source)
        if isinstance(compiled, InvalidPattern):
            return Score(self.name, False, 0.0, f"{_quoted(source)} is no pattern in JavaScript: {compiled.message}")
        if compiled.backtracks:
            holds = await asyncio.to_thread(compiled.matches, sample.output)
        else:
            holds = compiled.matches(sample.output)
        return self.pass_or_fail(holds, f"{'matches' if holds else 'does not match'} {_quoted(source)}")


def _quoted(*texts: str, limit: int = 120) -> str:
    """Return texts in quotes for a reason, each cut to a length that fits a table, and at most five of them."""

    def join(parts: Sequence[str]) -> str:
        return ", ".join(f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'" for text in parts)

    return join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


def _contains(quantity: Quantity, *, ignore_case: bool) -> ScorerType[Any, Any]:
    def build(settings: ScorerSettings[Any, NoConfig], _: ScorerDependencies) -> Contains:
        return Contains(*settings.base, settings.value.template, quantity, ignore_case)

    if quantity == "one":
        return ScorerType(TextValue, build)
    return ScorerType(TextListValue, build, case_value=CaseTextListValue)


def _equals(settings: ScorerSettings[TemplateValue, NoConfig], _: ScorerDependencies) -> Equals:
    return Equals(*settings.base, settings.value.template)


def _starts_with(settings: ScorerSettings[TextValue, NoConfig], _: ScorerDependencies) -> StartsWith:
    return StartsWith(*settings.base, settings.value.template)


def _regex(settings: ScorerSettings[PatternValue, NoConfig], _: ScorerDependencies) -> Regex:
    return Regex(*settings.base, settings.value)


SCORER_TYPES: dict[str, ScorerType[Any, Any]] = {
    "equals": ScorerType(EqualsValue, _equals, takes_null=True),
    "contains": _contains("one", ignore_case=False),
    "icontains": _contains("one", ignore_case=True),
    "contains-any": _contains("any", ignore_case=False),
    "contains-all": _contains("all", ignore_case=False),
    "icontains-any": _contains("any", ignore_case=True),
    "icontains-all": _contains("all", ignore_case=True),
    "starts-with": ScorerType(TextValue, _starts_with),
    "regex": ScorerType(PatternValue, _regex, case_value=CasePatternValue),
}
