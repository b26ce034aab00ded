"""The digest of a content: equal contents have equal digests, on every machine and in every language."""

import hashlib
import json
from typing import Any

import rfc8785

from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, Invalid


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 canonical JSON of a JSON value: keys sorted, one form for each number, UTF-8.

    Raises:
        Invalid: the value has no canonical form: it contains an integer of 2^53 or more, which readers in other languages
            would round, a number that is not finite, or a lone surrogate.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Invalid(
            "the content has a value that readers of JSON would read differently", [FieldError("", str(error))]
        ) from None


def json_digest(value: Any) -> str:
    """Return `sha256:` and the hex SHA-256 of the canonical JSON of a value.

    Raises:
        Invalid: the value has no canonical form.
    """
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def content_json(content: Content) -> dict[str, Any]:
    """Return the JSON that is digested and stored: every part of the content by name, without unset fields."""
    body = content.model_dump(mode="json", exclude_none=True)
    return {part: body.get(part) for part in Content.model_fields}


def content_digest(content: Content) -> str:
    """Return the digest of the whole content."""
    return json_digest(content_json(content))


def noncanonical_parts(content: Content) -> list[FieldError]:
    """Return an error for each part that has no canonical form, or a canonical form that cannot be read back.

    That is a part with an integer beyond 2^53 − 1, a float that is written as such an integer (1e16), NaN, or a lone surrogate.
    """
    field_errors = []
    for part, value in content_json(content).items():
        try:
            canonical_json(json.loads(canonical_json(value)))
        except Invalid:
            field_errors.append(
                FieldError(part, "has a number beyond ±(2^53 − 1), or a text that is not Unicode: it has no one form in JSON")
            )
    return field_errors


def content_from_json(body: dict[str, Any]) -> Content:
    """Parse stored or received content; a part that is null was not set."""
    return Content.model_validate({part: value for part, value in body.items() if value is not None})
