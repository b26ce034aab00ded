"""Declarations of variables in the URLs of images with which no URL is one that is accepted."""

from collections.abc import Iterator
from typing import Any

from promptuary.prompt.content import Placeholder
from promptuary.prompt.errors import FieldError
from promptuary.prompt.messages.image_url import REFUSAL, is_image_url, may_begin_image_url
from promptuary.prompt.messages.message import FieldKind
from promptuary.prompt.registration.declarations import value_text
from promptuary.prompt.templates.message_templates import MessageTemplate
from promptuary.prompt.templates.prepared import PreparedPrompt
from promptuary.prompt.templates.tree import Literal, Node, Tag
from promptuary.prompt.templates.value import to_text
from promptuary.prompt.variables import Variable

_BEGINNINGS = ("https://", "data:")
_SHORTEST = ("https://a", "data:,")


def image_variable_errors(prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield an error for each type, length, default and enum value with which the URL of an image cannot be accepted."""
    for part in (*prepared.parts, *prepared.turns):
        for field in () if isinstance(part, Placeholder | MessageTemplate) else part.fields:
            if field.kind is not FieldKind.IMAGE_URL:
                continue
            if any(isinstance(node, Literal) and node.text.split() != [node.text] for node in field.nodes):
                yield FieldError(field.place, f"{REFUSAL}, and has a blank: remove it")
            yield from _first_variable_errors(field.nodes, prepared)


def _first_variable_errors(nodes: tuple[Node, ...], prepared: PreparedPrompt) -> Iterator[FieldError]:
    """Yield the errors of the variable with which a URL begins, or that follows its first literal."""
    before = nodes[0].text if nodes and isinstance(nodes[0], Literal) else ""
    tag, *rest = nodes[bool(before) :] or (None,)
    if not isinstance(tag, Tag) or len(tag.path) > 1 or tag.name not in prepared.content.variables:
        return
    path, variable = f"variables.{tag.name}", prepared.content.variables[tag.name]
    after = rest[0].text if rest and isinstance(rest[0], Literal) else ""
    is_whole = len(rest) == bool(after)
    if variable.type not in (None, "string") and not before.lower().startswith(_BEGINNINGS):
        yield FieldError(f"{path}.type", f"is {variable.type}, but the variable begins the URL of an image, which {REFUSAL}")
        return
    for place, value in _values(path, variable):
        if not _may_be_url(f"{before}{to_text(value)}{after}", is_whole=is_whole):
            yield FieldError(place, f"is {value_text(value)} and can never be given: the URL of an image {REFUSAL}")
    longest = variable.maxLength
    if longest is not None and is_whole and not _fits_in(before, after, longest):
        yield FieldError(f"{path}.maxLength", f"is {longest}, too short for the URL of an image, which {REFUSAL}")


def _values(path: str, variable: Variable) -> Iterator[tuple[str, Any]]:
    if variable.default is not None:
        yield f"{path}.default", variable.default
    for number, value in enumerate(variable.enum or ()):
        yield f"{path}.enum.{number}", value


def _may_be_url(text: str, *, is_whole: bool) -> bool:
    return is_image_url(text) if is_whole else may_begin_image_url(text) and not any(map(str.isspace, text))


def _fits_in(before: str, after: str, longest: int) -> bool:
    """Return whether a text of at most `longest` characters between two literals makes a URL that is accepted."""
    for url in (*_SHORTEST, before + "a"):
        if url.lower().startswith(before.lower()):
            ends = range(len(before), min(len(before) + longest, len(url)) + 1)
            if any(is_image_url(f"{url[:end]}{after}") for end in ends):
                return True
    return False
