"""A scorer as a suite says it, and what each type of scorer takes."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationError, ValidatorFunctionWrapHandler, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from promptuary.base.wire import Received
from promptuary.evaluation.case import uncarried
from promptuary.evaluation.models import name_fault
from promptuary.evaluation.scorers import pattern, schema
from promptuary.evaluation.scorers.value import split, value_of
from promptuary.prompt.errors import Invalid

INVERSE = "not-"
METRIC = r"^[A-Za-z0-9_][A-Za-z0-9_./ -]{0,99}$"
Found = tuple[tuple[str | int, ...], str]


def with_faults(value: Any, handler: ValidatorFunctionWrapHandler, found: Iterable[Found]) -> Any:
    """Validate, and raise pydantic's faults and the ones that were found besides, all at once and each in its place.

    Raises:
        ValidationError: when there are any.
    """
    details: list[InitErrorDetails] = []
    made = None
    try:
        made = handler(value)
    except ValidationError as error:
        details += [
            InitErrorDetails(type=PydanticCustomError(each["type"], each["msg"]), loc=each["loc"], input=None)
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    details += [InitErrorDetails(type=PydanticCustomError("value_error", words), loc=loc, input=None) for loc, words in found]
    if details:
        raise ValidationError.from_exception_data("suite", details)
    return made


class ScorerSpec(Received):
    """A scorer of a suite: its type (with `not-` before it the verdict turns), what it compares with, and its metric's name."""

    type: str
    value: JsonValue = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    name: Annotated[str, Field(pattern=METRIC)] | None = None
    weight: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    model: Annotated[str, Field(max_length=200)] | None = None

    @property
    def inverse(self) -> bool:
        """Whether the verdict turns."""
        return self.type.startswith(INVERSE)

    @property
    def kind(self) -> str:
        """The type without `not-`."""
        return self.type.removeprefix(INVERSE)

    @property
    def metric(self) -> str:
        """The metric's name: the one given, else the type."""
        return self.name or self.type

    @model_validator(mode="wrap")
    @classmethod
    def _fits_its_type(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return with_faults(value, handler, _faults(value) if isinstance(value, dict) else ())


@dataclass(frozen=True)
class Kind:
    """What a type takes: a check of its value, the range of its threshold (None: it has none), and whether a model judges."""

    value: Callable[[Any], str | None]
    threshold: tuple[float, float] | None = None
    needs_threshold: bool = False
    judged: bool = False


def _faults(spec: dict[str, Any]) -> Iterator[Found]:
    name = spec.get("type")
    if not isinstance(name, str):
        return
    kind = KINDS.get(name.removeprefix(INVERSE))
    if kind is None:
        yield ("type",), f"'{name}' is not a known scorer; known are {', '.join(sorted(KINDS))}, each also with not-"
        return
    value = spec.get("value")
    words = next(uncarried(value), None) or kind.value(value)
    if words:
        yield ("value",), words
    threshold, model = spec.get("threshold"), spec.get("model")
    if kind.threshold is None:
        if threshold is not None:
            yield ("threshold",), f"'{name}' takes no threshold"
    elif threshold is None:
        if kind.needs_threshold:
            yield ("threshold",), f"'{name}' needs a threshold"
    elif isinstance(threshold, float | int) and math.isfinite(threshold):
        low, high = kind.threshold
        if not low <= threshold <= high:
            yield ("threshold",), f"should be from {low:g} to {high:g}"
    if kind.judged and model is None:
        yield ("model",), f"'{name}' needs a model that judges, as in local:smollm2"
    elif not kind.judged and model is not None:
        yield ("model",), f"'{name}' takes no model"
    elif isinstance(model, str) and (words := name_fault(model)):
        yield ("model",), words


def _checked(parse: Callable[[Any], object]) -> Callable[[Any], str | None]:
    """Make a check of a parser: its first fault in words."""

    def check(value: Any) -> str | None:
        try:
            parse(value)
        except Invalid as error:
            return error.faults[0].message if error.faults else error.message
        return None

    return check


def _given(value: Any) -> None:
    if value is None:
        raise Invalid("is required")
    value_of(value)


def _text(value: Any) -> None:
    if value in (None, ""):
        raise Invalid("is required and must not be empty")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid("must be a string or a number")
    value_of(value)


def _texts(value: Any) -> None:
    if not isinstance(value, list):
        _text(value)
        if isinstance(value, str) and value_of(value).constant and not split(value):
            raise Invalid("must name at least one text")
        return
    if not value:
        raise Invalid("must not be an empty list")
    for item in value:
        _text(item)


def _reference(value: Any) -> None:
    if not isinstance(value, str):
        raise Invalid("is required and must be a string")
    value_of(value)


def _pattern(value: Any) -> None:
    _text(value)
    if not isinstance(value, str):
        raise Invalid("must be a string")
    if len(value) > pattern.PATTERN_LIMIT or value_of(value).constant:
        pattern.compiled(value)


def _schema(value: Any) -> None:
    if value is not None:
        schema.schema_of(value)


def _rubric(value: Any) -> None:
    if not value or not isinstance(value, str | dict | list):
        raise Invalid("is required: the rubric that the judge is to apply")
    value_of(value)


def _count(value: Any) -> None:
    if isinstance(value, dict):
        low, high = value.get("min"), value.get("max")
        bounds = [bound for bound in (low, high) if bound is not None]
        if not bounds or value.keys() - {"min", "max"} or not all(_is_count(bound) for bound in bounds):
            raise Invalid("must have min, max or both, as whole numbers")
        if low is not None and high is not None and low > high:
            raise Invalid("has a min above its max")
    elif not _is_count(value):
        raise Invalid("must be a whole number, or an object of min and max")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _nothing(value: Any) -> None:
    if value is not None:
        raise Invalid("is not taken")


_TEXT, _TEXTS = Kind(_checked(_text)), Kind(_checked(_texts))
KINDS: dict[str, Kind] = {
    "equals": Kind(_checked(_given)),
    "contains": _TEXT,
    "icontains": _TEXT,
    "contains-any": _TEXTS,
    "contains-all": _TEXTS,
    "icontains-any": _TEXTS,
    "icontains-all": _TEXTS,
    "starts-with": _TEXT,
    "regex": Kind(_checked(_pattern)),
    "is-json": Kind(_checked(_schema)),
    "contains-json": Kind(_checked(_schema)),
    "levenshtein": Kind(_checked(_reference), threshold=(0, 1_000_000)),
    "word-count": Kind(_checked(_count)),
    "latency": Kind(_checked(_nothing), threshold=(0, 3_600_000), needs_threshold=True),
    "similar": Kind(_checked(_texts), threshold=(0, 1)),
    "llm-rubric": Kind(_checked(_rubric), threshold=(0, 1), judged=True),
}
