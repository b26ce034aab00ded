"""A scorer as a suite says it, and what each type of scorer takes."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from promptuary.core.wire import RequestModel
from promptuary.evaluation.canonical_json import unsupported_values
from promptuary.evaluation.scorers.catalog import find_scorer_type, scorer_types
from promptuary.evaluation.scorers.score import METRIC as METRIC
from promptuary.models.chat_models import model_name_error

INVERSE = "not-"
NESTED_LIMIT = 5
OWN = {"own": True}
"""The context in which a scorer of a case is checked: what promptfoo takes and lets fail is then no fault."""
LocatedError = tuple[tuple[str | int, ...], str]


def validate_with_errors(value: Any, handler: ValidatorFunctionWrapHandler, found: Iterable[LocatedError]) -> Any:
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


class ScorerSpec(RequestModel):
    """A scorer of a suite: its type (with `not-` before it the verdict turns), what it compares with, and its metric's name."""

    type: str
    value: JsonValue = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    name: Annotated[str, Field(pattern=METRIC)] | None = None
    weight: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    model: Annotated[str, Field(max_length=200)] | None = None
    asserts: Annotated[list["ScorerSpec"] | None, Field(alias="assert", min_length=1, max_length=100)] = None
    config: dict[str, JsonValue] | None = None

    @classmethod
    def of_case(cls, body: Mapping[str, Any]) -> "ScorerSpec":
        """Read a scorer of a case, of which more is taken than of a suite's.

        Raises:
            ValidationError: with all its faults.
        """
        return cls.model_validate(body, context=OWN)

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

    @model_serializer(mode="wrap")
    def _without_what_it_does_not_say(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out fields that came later and say nothing, so that the digests of suites stay what they were."""
        body: dict[str, Any] = handler(self)
        nested = body.pop("asserts", None) or body.pop("assert", None)
        config = body.pop("config", None)
        return body | ({"assert": nested} if nested else {}) | ({"config": config} if config else {})

    @model_validator(mode="wrap")
    @classmethod
    def _fits_its_type(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        own = info.context is OWN
        return validate_with_errors(value, handler, _faults(value, own=own) if isinstance(value, dict) else ())


def _faults(spec: dict[str, Any], *, own: bool) -> Iterator[LocatedError]:
    name = spec.get("type")
    if not isinstance(name, str):
        return
    kind_name = name.removeprefix(INVERSE)
    kind = find_scorer_type(kind_name)
    if kind is None:
        yield ("type",), f"'{name}' is not a known scorer; known are {', '.join(sorted(scorer_types()))}, each also with not-"
        return
    if not kind.inverse and name.startswith(INVERSE):
        yield ("type",), f"'{kind_name}' cannot be turned by not-"
    value = spec.get("value")
    words = next(unsupported_values(value), None) or (kind.own if own and kind.own else kind.value)(value)
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
    elif isinstance(model, str) and (words := model_name_error(model)):
        yield ("model",), words
    asserts = spec.get("assert")
    if kind.nested and not asserts:
        yield ("assert",), f"'{name}' needs the scorers that it is made of"
    elif kind.nested and _depth(spec) > NESTED_LIMIT:
        yield ("assert",), f"is nested more than {NESTED_LIMIT} deep"
    elif kind.nested and (compares := _comparing(asserts)):
        yield ("assert",), f"'{compares}' compares variants, so it stands by itself, in no set"
    elif not kind.nested and asserts is not None:
        yield ("assert",), f"'{name}' is not made of other scorers"
    config = spec.get("config")
    if config is not None:
        words = next(unsupported_values(config), None) or (
            kind.config(config) if kind.config else f"'{name}' has no further settings"
        )
        if words:
            yield ("config",), words


def _depth(spec: Any) -> int:
    """How many sets stand in each other, counted to one over the limit."""
    depth, inner = 0, [spec]
    while inner and depth <= NESTED_LIMIT:
        inner = [
            one for each in inner if isinstance(each, dict) and isinstance(each.get("assert"), list) for one in each["assert"]
        ]
        depth += bool(inner)
    return depth


def _comparing(asserts: Any) -> str | None:
    """Give the type of a scorer in a set that compares variants, which only the whole of them can be asked."""
    for one in asserts if isinstance(asserts, list) else ():
        name = one.get("type") if isinstance(one, dict) else None
        kind = find_scorer_type(name.removeprefix(INVERSE)) if isinstance(name, str) else None
        if kind is not None and kind.grouped:
            return str(name)
    return None
