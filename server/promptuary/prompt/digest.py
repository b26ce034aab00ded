"""The digest of a content: what can make a model see other bytes has another digest, on every machine and in every language.

A content is encoded once: its JSON for the database, and its digest. docs/digest.md describes the canonical form, so that
another language can compute it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, Invalid

DIGESTED_PARTS = (
    "type",
    "template",
    "format",
    "variables",
    "model",
    "response_format",
    "tools",
    "partials",
    "context",
)
"""The parts that every digest covers, null where they are not set. A part added later is covered only where it is set."""
ADDED_PARTS = tuple(part for part in Content.model_fields if part not in DIGESTED_PARTS)
ORDERED_PARTS = ("response_format", "tools", "config")
"""The parts whose order and numbers reach a model; so do the defaults of variables."""


def json_digest(value: Any) -> str:
    """Return `sha256:` and the hex SHA-256 of the canonical JSON of a value.

    Raises:
        Invalid: the value has no canonical form.
    """
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def content_json(content: Content) -> dict[str, Any]:
    """Return the JSON that is stored and sent: every part of the content by name, in its order, without unset fields."""
    body = content.model_dump(exclude_none=True)
    return {part: body.get(part) for part in Content.model_fields}


def content_parts(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a content out of a body that has them, such as a lookup's; a server before 0.4.0 has no added ones.

    A lookup's `variables` that are only `inferred` are no part of the content.

    Raises:
        KeyError: a part is missing.
    """
    parts = {part: body[part] for part in DIGESTED_PARTS} | {part: body.get(part) for part in ADDED_PARTS}
    inferred, variables = body.get("inferred"), parts["variables"]
    if isinstance(inferred, list) and isinstance(variables, Mapping):
        parts["variables"] = {name: variable for name, variable in variables.items() if name not in inferred}
    return parts


def content_digest(content: Content) -> str:
    """Return the digest of the whole content."""
    return content_json_digest(content_json(content))


def content_json_digest(parts: Mapping[str, Any]) -> str:
    """Return the digest of a content from its JSON, as `content_json` returns it.

    Raises:
        Invalid: a value has no canonical form.
    """
    return json_digest(
        {
            part: _digested_part(part, value)
            for part, value in parts.items()
            if part in DIGESTED_PARTS or (value is not None and part in ADDED_PARTS)
        }
    )


def _digested_part(part: str, value: Any) -> Any:
    if part in ORDERED_PARTS:
        return InOrder(value)
    if part == "variables" and isinstance(value, Mapping):
        return {name: _digested_variable(variable) for name, variable in value.items()}
    return value


def _digested_variable(variable: Any) -> Any:
    if not isinstance(variable, Mapping) or "default" not in variable:
        return variable
    return {**variable, "default": InOrder(variable["default"])}


def noncanonical_parts(content: Content) -> list[FieldError]:
    """Return an error for each part that has no canonical form, or a canonical form that cannot be read back.

    That is a part with NaN, a lone surrogate, an integer beyond 64 bits, or, outside the ordered parts, an integer beyond
    2^53 − 1 or a float that is written as such an integer (1e16).
    """
    field_errors = []
    for part, value in content_json(content).items():
        try:
            digested = canonical_json(_digested_part(part, value))
            canonical_json(_digested_part(part, json.loads(digested)))
        except Invalid:
            field_errors.append(
                FieldError(part, "has a number beyond ±(2^53 − 1), or a text that is not Unicode: it has no one form in JSON")
            )
    return field_errors


def content_from_json(body: Mapping[str, Any]) -> Content:
    """Parse stored or received content; a part that is null was not set."""
    return Content.model_validate({part: value for part, value in body.items() if value is not None})


@dataclass(frozen=True)
class EncodedContent:
    """A content with its JSON as it is stored, in the order and with the numbers in which it was sent, and its digest."""

    content: Content
    json: str
    digest: str


def encode_content(content: Content) -> EncodedContent:
    """Encode a whole content.

    Raises:
        Invalid: when a value has no canonical form.
    """
    parts = content_json(content)
    return EncodedContent(content, json.dumps(parts, ensure_ascii=False, separators=(",", ":")), content_json_digest(parts))


def erased_content(digest: str) -> EncodedContent:
    """Return what is stored of an erased version: its digest, and an empty text in place of the content."""
    return EncodedContent(Content(type="text", template=""), "", digest)
