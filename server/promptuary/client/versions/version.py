"""A version as received. It is used only after its digest was computed from its content and matches."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError

from promptuary.client.versions.compiled import CompiledPrompt, compile_prompt
from promptuary.client.versions.selector import Selector
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
        tags: the version's tags when the server read it.
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
    tags: tuple[str, ...] = ()


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
        UnusableResponse: when it is another version, incomplete, or does not have the digest that it names.
    """
    version, claimed_digest = body.get("version"), body.get("digest")
    if body.get("name") != name:
        raise UnusableResponse(f"it is the prompt {_short(body.get('name'))}, not '{name}'")
    if type(version) is not int or version < 1:
        raise UnusableResponse(f"its version is {_short(version)}, which is no version's number")
    if number is not None and version != number:
        raise UnusableResponse(f"it is the version {version}, not {number}")
    try:
        parts = content_parts(body)
        if content_json_digest(parts) != claimed_digest:
            raise UnusableResponse("the content does not have the digest that it names")
        parsed = _parse(str(claimed_digest), lambda: content_from_json(parts))
    except KeyError as error:
        raise UnusableResponse(f"its content has no {error}") from None
    except (ValidationError, Invalid, ValueError, RecursionError) as error:
        raise UnusableResponse(f"its content cannot be read ({type(error).__name__})") from None
    revision = body.get("revision")
    return ResolvedVersion(
        name,
        version,
        str(claimed_digest),
        _text_or_none(body.get("label")),
        _texts(body.get("labels")),
        _text_or_none(body.get("variant")),
        parsed,
        read_split(body.get("split")) if number is None else None,
        revision if type(revision) is int else None,
        _texts(body.get("tags")),
    )


def read_selected_version(body: Mapping[str, Any], selector: Selector) -> ResolvedVersion:
    """Parse the body of a lookup's response, and check that it is for the requested label or number.

    A version that was requested by its number comes without what led a label to it.

    Raises:
        UnusableResponse: when it is for something else, incomplete, or does not have the digest that it names.
    """
    version = read_version(body, selector.name, selector.version)
    if selector.version is not None:
        return replace(version, label=None, variant=None, split=None)
    if version.label != selector.label:
        raise UnusableResponse(
            f"it is for {_label_text(body.get('label'))}, not for the label '{selector.label}'; a cache in between may ignore "
            "the query"
        )
    return version


def _label_text(label: Any) -> str:
    return "no label" if label is None else f"the label {_short(label)}"


def _short(value: Any) -> str:
    """Return a value for a message: whatever a server sent, one short line of ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_split(value: Any) -> Split | None:
    """Parse the split of a label; None where it is not split.

    Raises:
        UnusableResponse: when it is incomplete.
    """
    try:
        return None if value is None else split_from_json(value)
    except InvalidSplit as error:
        raise UnusableResponse(error.message) from None


def read_json(body: bytes) -> dict[str, Any]:
    """Parse a JSON object as every other reader of JSON would: UTF-8 without duplicate keys, NaN or Infinity.

    Raises:
        UnusableResponse: for anything else.
    """
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object_with_unique_keys, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise UnusableResponse("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise UnusableResponse("it is not JSON") from None
    if not isinstance(value, dict):
        raise UnusableResponse("it is not a JSON object")
    return value


def _object_with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnusableResponse("it has a key twice in one object")
    return value


def _refuse_constant(name: str) -> None:
    raise UnusableResponse(f"it contains {name}")


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


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()
