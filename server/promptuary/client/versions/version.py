"""A version as received. It is used only after its digest was computed from its content and matches."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError

from promptuary.client.versions.compiled import CompiledPrompt, compile_prompt
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json, content_json_digest, content_parts
from promptuary.prompt.errors import Invalid, InvalidPrompt
from promptuary.prompt.split import InvalidSplit, Split, split_from_json
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt


class UnusableResponse(Exception):
    """A body is not the requested version, or not usable; the message names the reason. Never leaves the client."""


@dataclass(frozen=True, weakref_slot=True, slots=True)
class ParsedContent:
    """A content, parsed once for all selectors that lead to it.

    `error` is set where this release cannot render the content, for example because its format is not installed; its parts can
    still be read.
    """

    content: Content
    prepared: PreparedPrompt | None
    error: InvalidPrompt | None
    compiled: CompiledPrompt | None


@dataclass(frozen=True)
class ResolvedVersion:
    """A version, and the label state that led to it.

    Attributes:
        number: the version number; None for a fallback, which no registry numbered.
        label: the label that led here; None for a lookup by number.
        split: the split of that label; None where it is not split.
        revision: the revision of the prompt when the server read the version.
    """

    name: str
    number: int | None
    digest: str
    label: str | None
    labels: tuple[str, ...]
    variant: str | None
    parsed: ParsedContent
    split: Split | None = None
    revision: int | None = None


_parsed_contents: WeakValueDictionary[str, ParsedContent] = WeakValueDictionary()


def _parse(digest_: str, content: Callable[[], Content]) -> ParsedContent:
    known = _parsed_contents.get(digest_)
    if known is not None:
        return known
    parsed_content = content()
    try:
        prepared = prepare(parsed_content, jinja2=True)  # who installs the library accepts the format
    except InvalidPrompt as error:
        parsed = ParsedContent(parsed_content, None, error, None)
    else:
        parsed = ParsedContent(parsed_content, prepared, None, compile_prompt(prepared))
    _parsed_contents[digest_] = parsed
    return parsed


def read_version(body: Mapping[str, Any], name: str, number: int | None = None) -> ResolvedVersion:
    """Parse the body of a lookup's response.

    Args:
        body: the JSON object that the server sent.
        name: the requested prompt.
        number: the requested version; None where a label was requested.

    Raises:
        Unusable: when it is another version, incomplete, or does not have the digest that it names.
    """
    version, claimed_digest = body.get("version"), body.get("digest")
    if body.get("name") != name or type(version) is not int or (number is not None and version != number):
        raise UnusableResponse("it is not the requested version")
    try:
        parts = content_parts(body)
        if content_json_digest(parts) != claimed_digest:
            raise UnusableResponse("the content does not have the digest that it names")
        parsed = _parse(str(claimed_digest), lambda: content_from_json(parts))
    except KeyError as error:
        raise UnusableResponse(f"its content has no {error}") from None
    except (ValidationError, Invalid, ValueError, RecursionError) as error:
        raise UnusableResponse(f"its content cannot be read ({type(error).__name__})") from None
    labels, revision = body.get("labels"), body.get("revision")
    return ResolvedVersion(
        name,
        version,
        str(claimed_digest),
        _text_or_none(body.get("label")),
        tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
        _text_or_none(body.get("variant")),
        parsed,
        read_split(body.get("split")) if number is None else None,
        revision if type(revision) is int else None,
    )


def read_split(value: Any) -> Split | None:
    """Parse the split of a label; None where it is not split.

    Raises:
        Unusable: when it is incomplete.
    """
    try:
        return None if value is None else split_from_json(value)
    except InvalidSplit as error:
        raise UnusableResponse(error.message) from None


def read_json(body: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        Unusable: for anything else.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableResponse("it is not JSON") from None
    if not isinstance(value, dict):
        raise UnusableResponse("it is not a JSON object")
    return value


def fallback_version(name: str, template: str | list[dict[str, Any]]) -> ResolvedVersion:
    """Build a version from an application's fallback: a mustache text, or a list of messages.

    Raises:
        InvalidPrompt: when it does not parse.
    """
    kind = "text" if isinstance(template, str) else "chat"
    try:
        content = Content.model_validate({"type": kind, "template": template})
    except ValidationError:
        raise InvalidPrompt(f"the fallback of '{name}' is neither a text nor a list of messages {{role, content}}") from None
    fallback_digest = content_digest(content)
    parsed = _parse(fallback_digest, lambda: content)
    if parsed.error is not None:
        raise InvalidPrompt(f"the fallback of '{name}' cannot be used", parsed.error.field_errors)
    return ResolvedVersion(name, None, fallback_digest, None, (), None, parsed)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
