"""A scorer as a suite or a case names it: the wire model, with one rule for each field, checked against the catalog."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
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
from promptuary.evaluation.json_object import JsonObject
from promptuary.evaluation.scorers.catalog import find_scorer_type, scorer_types
from promptuary.evaluation.scorers.invalid_value import invalid_message
from promptuary.evaluation.scorers.score import METRIC
from promptuary.evaluation.scorers.scorer_type import ScorerType
from promptuary.evaluation.scorers.transforms.steps import transform_error
from promptuary.models.model_spec import ModelRef

INVERSE = "not-"
NESTED_LIMIT = 5
CASE_CONTEXT = {"scorer": "of a case"}
"""The validation context of a case's scorer, which may have a value that promptfoo accepts and that can only fail."""
_LATER_FIELDS = ("config", "transform", "context_transform", "each_turn")
"""Fields of later releases, which are left out where they are empty."""
LocatedError = tuple[tuple[str | int, ...], str]


def validate_with_errors(value: Any, handler: ValidatorFunctionWrapHandler, errors: Iterable[LocatedError]) -> Any:
    """Validate a value, and raise pydantic's errors and further ones together, each at its place and once.

    Pydantic may call the validator of a model that contains itself once more around itself.

    Raises:
        ValidationError: where there are any.
    """
    details: list[InitErrorDetails] = []
    model = None
    try:
        model = handler(value)
    except ValidationError as error:
        details += [
            InitErrorDetails(type=PydanticCustomError(each["type"], each["msg"]), loc=each["loc"], input=None)
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    known = {(detail["loc"], str(detail["type"])) for detail in details}
    details += [
        InitErrorDetails(type=PydanticCustomError("value_error", message), loc=location, input=None)
        for location, message in errors
        if (location, message) not in known
    ]
    if details:
        raise ValidationError.from_exception_data("suite", details)
    return model


class ScorerSpec(RequestModel):
    """A scorer of a suite: its type (`not-` before it inverts the verdict), its value, and its metric's name.

    It scores a conversation as a whole, or with `each_turn` each of its answers.
    """

    type: str
    value: JsonValue = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    name: Annotated[str, Field(pattern=METRIC)] | None = None
    weight: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0
    model: ModelRef | None = None
    asserts: Annotated[list["ScorerSpec"] | None, Field(alias="assert", min_length=1, max_length=100)] = None
    config: dict[str, JsonValue] | None = None
    transform: JsonValue = None
    context_transform: JsonValue = None
    each_turn: bool = False

    @classmethod
    def of_case(cls, body: JsonObject) -> "ScorerSpec":
        """Parse a scorer of a case, whose value may be one that can only fail.

        Raises:
            ValidationError: with all errors.
        """
        return cls.model_validate(body, context=CASE_CONTEXT)

    @property
    def inverse(self) -> bool:
        """Whether `not-` inverts the verdict."""
        return self.type.startswith(INVERSE)

    @property
    def type_name(self) -> str:
        """The type without `not-`."""
        return self.type.removeprefix(INVERSE)

    @property
    def metric(self) -> str:
        """The metric's name: the scorer's own, else the type."""
        return self.name or self.type

    @model_serializer(mode="wrap")
    def _without_newer_defaults(self, handler: SerializerFunctionWrapHandler) -> JsonObject:
        """Omit newer fields that are empty, so that the digests of suites stay the same; keep a value that is null."""
        body: dict[str, Any] = handler(self)
        if self.value is None and "value" in self.model_fields_set and (scorer_type := find_scorer_type(self.type_name)):
            body |= {"value": None} if scorer_type.takes_null else {}
        nested = body.pop("asserts", None) or body.pop("assert", None)
        later = {name: body.pop(name, None) for name in _LATER_FIELDS}
        return body | ({"assert": nested} if nested else {}) | {name: part for name, part in later.items() if part}

    @model_validator(mode="wrap")
    @classmethod
    def _fits_its_type(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        in_case = info.context is CASE_CONTEXT
        return validate_with_errors(value, handler, _spec_errors(value, in_case=in_case) if isinstance(value, dict) else ())


@dataclass(frozen=True)
class _RawSpec:
    """A scorer's fields before validation, with the type that they are checked against."""

    name: str
    scorer_type: ScorerType[Any, Any]
    fields: JsonObject
    in_case: bool


def _spec_errors(fields: JsonObject, *, in_case: bool) -> Iterator[LocatedError]:
    """Yield what in a scorer does not fit its type; errors that pydantic reports itself are not repeated."""
    name = fields.get("type")
    if not isinstance(name, str):
        return
    scorer_type = find_scorer_type(name.removeprefix(INVERSE))
    if scorer_type is None:
        yield ("type",), f"'{name}' is not a known scorer; known are {', '.join(sorted(scorer_types()))}, each also with not-"
        return
    raw = _RawSpec(name, scorer_type, fields, in_case)
    for field, error_of in _RULES.items():
        if message := error_of(raw):
            yield (field,), message


def _type_error(raw: _RawSpec) -> str | None:
    if raw.name.startswith(INVERSE) and not raw.scorer_type.invertible:
        return f"'{raw.name.removeprefix(INVERSE)}' cannot be inverted by not-"
    return None


def _value_error(raw: _RawSpec) -> str | None:
    value, config = raw.fields.get("value"), raw.fields.get("config")
    if message := next(unsupported_values(value), None):
        return message
    if raw.in_case and invalid_message(value) is not None:
        return None
    if value is None and raw.scorer_type.takes_null:
        return None if "value" in raw.fields else "is required; it may be null"
    return raw.scorer_type.value_error(value, config if isinstance(config, dict) else None, in_case=raw.in_case)


def _threshold_error(raw: _RawSpec) -> str | None:
    threshold, accepted = raw.fields.get("threshold"), raw.scorer_type.threshold
    if accepted is None:
        return None if threshold is None else f"'{raw.name}' takes no threshold"
    if threshold is None:
        return f"'{raw.name}' needs a threshold" if accepted.required else None
    if not isinstance(threshold, float | int) or not math.isfinite(threshold) or accepted.low <= threshold <= accepted.high:
        return None
    return f"should be from {accepted.low:g} to {accepted.high:g}"


def _model_error(raw: _RawSpec) -> str | None:
    model = raw.fields.get("model")
    if raw.scorer_type.judged and model is None:
        return f"'{raw.name}' needs a model that judges, as in local:smollm2"
    if not raw.scorer_type.judged and model is not None:
        return f"'{raw.name}' takes no model"
    return None


def _assert_error(raw: _RawSpec) -> str | None:
    asserts = raw.fields.get("assert")
    if not raw.scorer_type.nested:
        return None if asserts is None else f"'{raw.name}' is not made of other scorers"
    if not asserts:
        return f"'{raw.name}' needs the scorers that it is made of"
    if _nested_depth(raw.fields) > NESTED_LIMIT:
        return f"is nested more than {NESTED_LIMIT} deep"
    if comparing := _comparing_type(asserts):
        return f"'{comparing}' compares variants, so it stands by itself, in no set"
    if any(isinstance(spec, dict) and spec.get("each_turn") for spec in asserts):
        return "has a scorer with `each_turn`, which goes with the whole set"
    return None


def _config_error(raw: _RawSpec) -> str | None:
    config = raw.fields.get("config")
    if config is None:
        return None
    if message := next(unsupported_values(config), None):
        return message
    if raw.scorer_type.config is None:
        return f"'{raw.name}' has no further settings"
    return raw.scorer_type.config_error(config) if isinstance(config, dict) else None


def _transform_error(raw: _RawSpec) -> str | None:
    transform = raw.fields.get("transform")
    if transform is None:
        return None
    if raw.scorer_type.nested or raw.scorer_type.compares_variants:
        return f"is not taken by '{raw.name}': give it to the suite, or to the scorers of a set"
    return transform_error(transform)


def _each_turn_error(raw: _RawSpec) -> str | None:
    if raw.fields.get("each_turn") and raw.scorer_type.compares_variants:
        return f"is not taken: '{raw.name}' compares the last answers of variants"
    return None


def _context_transform_error(raw: _RawSpec) -> str | None:
    transform = raw.fields.get("context_transform")
    if transform is None:
        return None
    return transform_error(transform) if raw.scorer_type.reads_context else f"is not taken: '{raw.name}' reads no context"


_RULES: Mapping[str, Callable[[_RawSpec], str | None]] = {
    "type": _type_error,
    "value": _value_error,
    "threshold": _threshold_error,
    "model": _model_error,
    "assert": _assert_error,
    "config": _config_error,
    "transform": _transform_error,
    "context_transform": _context_transform_error,
    "each_turn": _each_turn_error,
}
"""The rule of each field: returns what is wrong with it, or None."""


def _nested_depth(fields: Any) -> int:
    """Count how deep sets are nested, up to one over the limit."""
    depth, level = 0, [fields]
    while level and depth <= NESTED_LIMIT:
        sets = [spec["assert"] for spec in level if isinstance(spec, dict) and isinstance(spec.get("assert"), list)]
        level = [spec for specs in sets for spec in specs]
        depth += bool(level)
    return depth


def _comparing_type(asserts: Any) -> str | None:
    """Return the type of a scorer in a set that compares variants, which only the whole of them can answer."""
    for spec in asserts if isinstance(asserts, list) else ():
        name = spec.get("type") if isinstance(spec, dict) else None
        scorer_type = find_scorer_type(name.removeprefix(INVERSE)) if isinstance(name, str) else None
        if scorer_type is not None and scorer_type.compares_variants:
            return str(name)
    return None
