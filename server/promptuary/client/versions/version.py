"""A version as it was received, believed only after its digest was computed again from its content."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError

from promptuary.client.versions.compiled import CompiledPrompt, compile_prompt
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_digest, content_from_json, json_digest
from promptuary.prompt.errors import Invalid, InvalidPrompt
from promptuary.prompt.split import InvalidSplit, Split, split_from_json
from promptuary.prompt.templates.prepared import PreparedPrompt, prepare


class UnusableResponse(Exception):
    """A body is not the version that was asked for; the message says in what. Never leaves the client."""


@dataclass(frozen=True, weakref_slot=True, slots=True)
class ParsedContent:
    """A content, parsed once for all selectors that lead to it.

    `fault` stands where this release cannot render the content (its format is off here, say); its parts can still be read.
    """

    content: Content
    prepared: PreparedPrompt | None
    fault: InvalidPrompt | None
    compiled: CompiledPrompt | None


@dataclass(frozen=True)
class ResolvedVersion:
    """A version, and how it was found. `number` is None for a fallback, which no registry numbered.

    `split` is the whole rule of the label that led here, None where it is not split; `revision` is that of the prompt.
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
    made = content()
    try:
        prepared = prepare(made, jinja2=True)  # whoever installs the library takes the format
    except InvalidPrompt as error:
        parsed = ParsedContent(made, None, error, None)
    else:
        parsed = ParsedContent(made, prepared, None, compile_prompt(prepared))
    _parsed_contents[digest_] = parsed
    return parsed


def read_version(body: Mapping[str, Any], name: str, number: int | None = None) -> ResolvedVersion:
    """Read a lookup's body.

    Args:
        body: as the server answers it.
        name: the prompt that was asked for.
        number: the version that was asked for; None where it was asked for by label.

    Raises:
        Unusable: when it is another version, not whole, or not what its digest says.
    """
    found, claimed = body.get("version"), body.get("digest")
    if body.get("name") != name or type(found) is not int or (number is not None and found != number):
        raise UnusableResponse("it is not the version that was asked for")
    try:
        parts = {part: body[part] for part in Content.model_fields}
        if json_digest(parts) != claimed:
            raise UnusableResponse("the content is not what its digest says")
        parsed = _parse(str(claimed), lambda: content_from_json(parts))
    except KeyError as error:
        raise UnusableResponse(f"its content has no {error}") from None
    except (ValidationError, Invalid, ValueError, RecursionError) as error:
        raise UnusableResponse(f"its content cannot be read ({type(error).__name__})") from None
    labels, revision = body.get("labels"), body.get("revision")
    return ResolvedVersion(
        name,
        found,
        str(claimed),
        _text_or_none(body.get("label")),
        tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
        _text_or_none(body.get("variant")),
        parsed,
        read_split(body.get("split")) if number is None else None,
        revision if type(revision) is int else None,
    )


def read_split(value: Any) -> Split | None:
    """Read how a label is split; None where it is not.

    Raises:
        Unusable: when it is not whole.
    """
    try:
        return None if value is None else split_from_json(value)
    except InvalidSplit as error:
        raise UnusableResponse(error.message) from None


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

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
    """Make a version of what an application gives as its fallback: a mustache text, or a list of messages.

    Raises:
        InvalidPrompt: when it does not parse.
    """
    kind = "text" if isinstance(template, str) else "chat"
    try:
        content = Content.model_validate({"type": kind, "template": template})
    except ValidationError:
        raise InvalidPrompt(f"the fallback of '{name}' is neither a text nor a list of messages {{role, content}}") from None
    made = content_digest(content)
    parsed = _parse(made, lambda: content)
    if parsed.fault is not None:
        raise InvalidPrompt(f"the fallback of '{name}' cannot be used", parsed.fault.field_errors)
    return ResolvedVersion(name, None, made, None, (), None, parsed)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
