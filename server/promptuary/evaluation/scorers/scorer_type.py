"""What a type of scorer is: what it takes, how it is checked, how it is made. Each family of scorers has a table of its own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from promptuary.evaluation.scorers import json_schema
from promptuary.evaluation.scorers.patterns import re2_pattern
from promptuary.evaluation.scorers.patterns.javascript import InvalidPattern
from promptuary.evaluation.scorers.score import Scorer
from promptuary.evaluation.scorers.value_template import parse_value, split_list
from promptuary.models.calls import ModelReply
from promptuary.prompt.errors import Invalid

if TYPE_CHECKING:
    from promptuary.evaluation.scorers.judge.judge import JudgeTask
    from promptuary.evaluation.scorers.spec import ScorerSpec


class JudgeClient(Protocol):
    """Asks a model for an answer in the form of a JSON schema; counted, limited and remembered like every call of a run."""

    def __call__(
        self, model: str, messages: Sequence[Mapping[str, str]], *, schema: Mapping[str, Any] | None = None, repeat: int = 0
    ) -> Awaitable[ModelReply]:
        """Ask; the reply's `parsed` is None where the model did not keep to the schema."""


@dataclass(frozen=True)
class ScorerDependencies:
    """What scorers need from outside.

    Attributes:
        embed: texts to an n×d float array with rows of unit length; may block, is called in a thread.
        ask: asks a judging model.
        code: whether scorers may run the suite's own code.
        webhook_hosts: the hosts that scorers may send outputs to.
        closing: is given what ends a scorer's processes, to be called when the scorers are no longer needed.
    """

    embed: Callable[[Sequence[str]], Any]
    ask: JudgeClient
    code: bool = False
    webhook_hosts: frozenset[str] = frozenset()
    closing: Callable[[Callable[[], None]], object] = lambda close: None


@dataclass(frozen=True)
class ScorerType:
    """What a type takes, and how a scorer of it is made.

    Attributes:
        value: says what is wrong with a value, or None.
        build: makes the scorer from a spec that was checked.
        threshold: the range of its threshold; None where it takes none.
        needs_threshold: whether it cannot do without one.
        judged: whether a model judges, so that it needs one.
        nested: whether it is made of other scorers.
        inverse: whether `not-` may stand before it.
        own: as `value`, for a scorer of a case, where that takes more than a suite's.
        config: says what is wrong with its further settings, or None; without it, none are taken.
        forms: the questions that its judge is asked.
        grouped: whether it compares the outputs of all variants, so that it stands in no set.
    """

    value: Callable[[Any], str | None]
    build: "Callable[[ScorerSpec, ScorerDependencies], Scorer]"
    threshold: tuple[float, float] | None = None
    needs_threshold: bool = False
    judged: bool = False
    nested: bool = False
    inverse: bool = True
    own: Callable[[Any], str | None] | None = None
    config: Callable[[Any], str | None] | None = None
    forms: "tuple[JudgeTask[Any], ...]" = ()
    grouped: bool = False


def validator_of(parse: Callable[[Any], object]) -> Callable[[Any], str | None]:
    """Make a check of a parser: its first fault in words."""

    def check(value: Any) -> str | None:
        try:
            parse(value)
        except Invalid as error:
            return error.field_errors[0].message if error.field_errors else error.message
        return None

    return check


def _given(value: Any) -> None:
    if value is None:
        raise Invalid("is required")
    parse_value(value)


def _text(value: Any) -> None:
    if value in (None, ""):
        raise Invalid("is required and must not be empty")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid("must be a string or a number")
    parse_value(value)


def _texts(value: Any) -> None:
    if not isinstance(value, list):
        _text(value)
        if isinstance(value, str) and parse_value(value).constant and not split_list(value):
            raise Invalid("must name at least one text")
        return
    if not value:
        raise Invalid("must not be an empty list")
    for item in value:
        _text(item)


def _reference(value: Any) -> None:
    if not isinstance(value, str):
        raise Invalid("is required and must be a string")
    parse_value(value)


def _pattern(value: Any) -> None:
    _text(value)
    if not isinstance(value, str):
        raise Invalid("must be a string")
    if len(value) > re2_pattern.PATTERN_LIMIT or parse_value(value).constant:
        re2_pattern.compile_javascript(value)


def _own_pattern(value: Any) -> None:
    with suppress(InvalidPattern):
        _pattern(value)


def _schema(value: Any) -> None:
    if value is not None:
        json_schema.json_schema_validator(value)


def _rubric(value: Any) -> None:
    if not value or not isinstance(value, str | dict | list):
        raise Invalid("is required: the rubric that the judge is to apply")
    parse_value(value)


def _count(value: Any) -> None:
    if isinstance(value, dict):
        low, high = value.get("min"), value.get("max")
        bounds = [bound for bound in (low, high) if bound is not None]
        if not bounds or value.keys() - {"min", "max"} or not all(_may_count(bound) for bound in bounds):
            raise Invalid("must have min, max or both, as whole numbers")
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise Invalid("has a min above its max")
    elif not _may_count(value):
        raise Invalid("must be a whole number, or an object of min and max")


def _may_count(value: Any) -> bool:
    """Tell whether a value is a number, or may be one once its template is filled."""
    if isinstance(value, str):
        return not parse_value(value).constant or (value.isascii() and value.strip().isdigit())
    return is_count(value)


def is_count(value: Any) -> bool:
    """Tell whether a value is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _nothing(value: Any) -> None:
    if value is not None:
        raise Invalid("is not taken")


GIVEN, TEXT, TEXTS, REFERENCE = validator_of(_given), validator_of(_text), validator_of(_texts), validator_of(_reference)
PATTERN, OWN_PATTERN, SCHEMA, RUBRIC, COUNT, NOTHING = (
    validator_of(_pattern),
    validator_of(_own_pattern),
    validator_of(_schema),
    validator_of(_rubric),
    validator_of(_count),
    validator_of(_nothing),
)
