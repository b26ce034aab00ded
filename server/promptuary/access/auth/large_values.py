"""Values that are validated and encoded in threads, where FastAPI does it on the event loop.

FastAPI calls its model fields for both. The functions here replace these calls on the fields of one route.
"""

from dataclasses import dataclass
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute


@dataclass(frozen=True)
class ValidatedBody:
    """A body that was validated as its route's model already; it stands for the parsed JSON."""

    model: Any


@dataclass(frozen=True)
class EncodedResponse:
    """A response that was encoded already; it stands for the validated value."""

    body: bytes


def take_validated_bodies(route: APIRoute) -> Any:
    """Replace the validation of a route's body by one that takes a `ValidatedBody` as it is; return the original one.

    None is returned for a route without a body, or with one of several parameters.
    """
    field = route.body_field
    if field is None or len(route.dependant.body_params) != 1:
        return None
    body_parameter = route.dependant.body_params[0]
    if body_parameter.name != field.name:
        return None
    validate = body_parameter.validate

    def validate_unless_done(value: Any, values: Any = None, *, loc: Any = ()) -> Any:
        return (value.model, []) if isinstance(value, ValidatedBody) else validate(value, values or {}, loc=loc)

    body_parameter.validate = validate_unless_done  # type: ignore[method-assign]  # on this field alone
    return validate


def encode_where_validated(route: APIRoute) -> None:
    """Encode a route's responses where FastAPI validates them: in the thread of a synchronous endpoint."""
    field = route.response_field
    if field is None or not isinstance(route.response_class, DefaultPlaceholder):
        return
    validate, serialize_json = field.validate, field.serialize_json
    options: dict[str, Any] = {
        "include": route.response_model_include,
        "exclude": route.response_model_exclude,
        "by_alias": route.response_model_by_alias,
        "exclude_unset": route.response_model_exclude_unset,
        "exclude_defaults": route.response_model_exclude_defaults,
        "exclude_none": route.response_model_exclude_none,
    }

    def validate_and_encode(value: Any, values: Any = None, *, loc: Any = ()) -> Any:
        validated, errors = validate(value, values or {}, loc=loc)
        return (validated, errors) if errors else (EncodedResponse(serialize_json(validated, **options)), [])

    def encode_unless_done(value: Any, **options: Any) -> bytes:
        return value.body if isinstance(value, EncodedResponse) else serialize_json(value, **options)

    field.validate = validate_and_encode  # type: ignore[method-assign]  # on this field alone
    field.serialize_json = encode_unless_done  # type: ignore[method-assign]  # on this field alone
