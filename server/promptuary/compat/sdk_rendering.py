"""The conversion of a version to texts with only `{{name}}` variables, which other registries' SDKs can render.

An SDK leaves unknown syntax in the text, and the model receives it. A text is therefore sent to an SDK only when the SDK's own
parsing, piece by piece, renders the same as Promptuary.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from promptuary.core.errors import Conflict, FieldError, InvalidRequest
from promptuary.prompt.content import Content, Placeholder
from promptuary.prompt.errors import InvalidPrompt
from promptuary.prompt.messages.message import Message
from promptuary.prompt.templates import simple
from promptuary.prompt.templates.mustache import parse
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import OUTPUT_LIMIT
from promptuary.prompt.templates.tree import DEPTH_LIMIT, For, If, Literal, Node, Output, Partial, Section, Tag

Piece = Literal | Tag
AnyNode = TypeVar("AnyNode", bound=Node)
_RUN_AS_JINJA2 = "its text has '{% … %}', which would be run as Jinja2"
_MISREAD = "its text has braces or a name that would be parsed differently"
_MISREAD_BESIDE_INCLUDE = (
    "includes a prompt, so it is mustache, which reads braces in it differently from the SDK; beside an include, write text "
    "and {{name}} alone, without a dot in the name"
)
_INCLUDE = re.compile(r"\{\{>\s*[a-z0-9][a-z0-9_.-]*(?:@[a-z0-9_.-]+)?\s*\}\}")
_PARTIAL_COST = 256
"""The cost of a partial besides its text, so that many empty partials reach the limit, too."""


def _refuse_all(_: Message) -> str:
    return "more than a role and a text"


@dataclass(frozen=True)
class SdkTemplateReader:
    """What an SDK renders.

    Attributes:
        name: its name in messages.
        read: parses a text as the SDK does.
        instead: the alternative to recommend.
        read_names: the same, with braces around what no program passes as a name as text; None if `read` does so.
        refuses: returns why the SDK cannot carry a message with more than a role and a text; None if it can.
        takes_jinja2: whether it renders Jinja2.
        takes_placeholders: whether it has placeholders.
    """

    name: str
    read: Callable[[str], Iterable[Piece]]
    instead: str
    read_names: Callable[[str], Iterable[Piece]] | None = None
    refuses: Callable[[Message], str | None] = _refuse_all
    takes_jinja2: bool = False
    takes_placeholders: bool = True


class _NotRenderable(Exception):
    """The SDK would not render the text as Promptuary does; the reason completes a sentence."""


def sdk_texts(content: Content, what: str, sdk: SdkTemplateReader) -> list[str]:
    """Return the content's texts in order: the source where the SDK parses it correctly, else an equivalent text.

    Args:
        content: the version's content.
        what: the version in a message: "version 3 of 'support.triage'".
        sdk: the SDK that will render the texts.

    Raises:
        Conflict: when the SDK would not render the same as Promptuary, with the reason and the alternative.
    """
    try:
        return _texts(content, sdk)
    except _NotRenderable as reason:
        raise Conflict(f"{sdk.name} cannot render {what}: {reason}; {sdk.instead}") from None


def require_sdk_renderable(content: Content, sdk: SdkTemplateReader) -> None:
    """Check that the SDK can render a content.

    Raises:
        InvalidRequest: with the reason and the alternative.
    """
    try:
        _texts(content, sdk)
    except _NotRenderable as reason:
        error = FieldError("", f"{sdk.name} could not render it: {reason}; register it with POST /v1/prompts/{{name}}/versions")
        raise InvalidRequest("the prompt cannot be registered", [error]) from None


def _texts(content: Content, sdk: SdkTemplateReader) -> list[str]:
    if content.context:
        raise _NotRenderable(f"its context, passages of '{content.context.collection}', is retrieved by the server alone")
    if content.placeholders() and not sdk.takes_placeholders:
        raise _NotRenderable(f"it has the placeholder '{content.placeholders()[0]}'")
    for number, message in enumerate(content.template):
        if isinstance(message, Message) and not message.is_plain and (reason := sdk.refuses(message)) is not None:
            raise _NotRenderable(f"its message {number} has {reason}")
    sources = [source for _, source in content.sources()]
    if content.format == "jinja2":
        return [_jinja2(source, sdk) for source in sources]
    if content.format == "simple":
        return [_simple(source, sdk) for source in sources]
    fields = [nodes for part in prepare(content).parts if not isinstance(part, Placeholder) for _, nodes in part.templates()]
    partials = _Partials(content.partials)
    return [_plain(source, _merged(partials.flat(nodes)), sdk) for source, nodes in zip(sources, fields, strict=True)]


def content_of_sdk(parts: Mapping[str, Any], sdk: SdkTemplateReader) -> Content:
    """Parse the content that an SDK registers, in the format that reads its texts as the SDK does.

    That is `simple`, or mustache where a name is one in mustache alone, such as `{{größe}}`. A text that includes a prompt by
    `{{> its.name}}` is mustache, and one with `{% … %}` is jinja2 for an SDK that renders that.

    Raises:
        ValidationError: of pydantic, for parts that are no content.
        InvalidPrompt: when a text with an include has what mustache reads differently from the SDK, by its path.
    """
    content = Content.model_validate({**parts, "format": "simple"})
    sources = content.sources()
    if sdk.takes_jinja2 and any(is_jinja2(source) for _, source in sources):
        return Content.model_validate({**parts, "format": "jinja2"})
    if any(_INCLUDE.search(source) for _, source in sources):
        misread = [FieldError(path, _MISREAD_BESIDE_INCLUDE) for path, source in sources if _is_misread_in_parts(source, sdk)]
        if misread:
            raise InvalidPrompt("the prompt cannot be used", misread)
        return Content.model_validate({**parts, "format": "mustache"})
    is_simple = all(_merged(simple.parse(source)) == _named_pieces(source, sdk) for _, source in sources)
    if not is_simple and all(_is_same_in_mustache(source, sdk) for _, source in sources):
        return Content.model_validate({**parts, "format": "mustache"})
    return content


def is_jinja2(text: str) -> bool:
    """Return whether MLflow would render the text as Jinja2."""
    return "{%" in text and "%}" in text


def _simple(text: str, sdk: SdkTemplateReader) -> str:
    """Return a text of the format `simple` as it is, if the SDK finds the same names in it."""
    pieces, sdk_pieces = _merged(simple.parse(text)), _named_pieces(text, sdk)
    if pieces != sdk_pieces:
        raise _NotRenderable(_difference(pieces, sdk_pieces))
    if sdk.takes_jinja2 and is_jinja2(text):
        raise _NotRenderable(_RUN_AS_JINJA2)
    return text


def _named_pieces(text: str, sdk: SdkTemplateReader) -> list[Piece]:
    return _merged((sdk.read_names or sdk.read)(text))


def _difference(pieces: Sequence[Node], sdk_pieces: Sequence[Node]) -> str:
    """Return which name only one of the two readings of a text has."""
    names, sdk_names = ([piece.name for piece in reading if isinstance(piece, Tag)] for reading in (pieces, sdk_pieces))
    if name := next((name for name in sdk_names if name not in names), None):
        return f"in its text, '{{{{{name}}}}}' is a variable for it, and text for Promptuary"
    if name := next((name for name in names if name not in sdk_names), None):
        return f"in its text, '{{{{{name}}}}}' is a variable for Promptuary, and something else for it"
    return _MISREAD


def _is_misread_in_parts(source: str, sdk: SdkTemplateReader) -> bool:
    """Return whether mustache reads something around the includes of a text differently from the SDK."""
    try:
        parse(source)
    except InvalidPrompt:
        return False  # registering reports it, with its place
    return not all(_is_same_in_mustache(part, sdk) for part in _INCLUDE.split(source))


def _is_same_in_mustache(text: str, sdk: SdkTemplateReader) -> bool:
    """Return whether mustache reads a text as the SDK does; a dot leads into an object in mustache alone."""
    try:
        pieces = _merged(parse(text))
    except InvalidPrompt:
        return False
    return pieces == _named_pieces(text, sdk) and not any(isinstance(piece, Tag) and "." in piece.name for piece in pieces)


def _plain(source: str, pieces: Sequence[Piece], sdk: SdkTemplateReader) -> str:
    equivalent = "".join(piece.text if isinstance(piece, Literal) else f"{{{{{piece.name}}}}}" for piece in pieces)
    for text in (source, equivalent):
        if _merged(sdk.read(text)) == pieces:
            if sdk.takes_jinja2 and is_jinja2(text):
                raise _NotRenderable(_RUN_AS_JINJA2)
            return text
    raise _NotRenderable(_MISREAD)


def _jinja2(source: str, sdk: SdkTemplateReader) -> str:
    """Return a Jinja2 source for an SDK that renders Jinja2, or where it has nothing but plain names."""
    if sdk.takes_jinja2 and is_jinja2(source):
        return source
    pieces = _merged(sdk.read(source))
    names = [piece.name for piece in pieces if isinstance(piece, Tag)]
    texts = [piece.text for piece in pieces if isinstance(piece, Literal)]
    if all(name.isidentifier() for name in names) and not any(mark in text for text in texts for mark in ("{{", "{%", "{#")):
        return source
    raise _NotRenderable("it is a Jinja2 template with more than plain names")


class _Partials:
    """The expansion of partials, as in rendering, up to the size limit of a rendering."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        self.budget = OUTPUT_LIMIT
        self.parsed: dict[tuple[str, str], tuple[Node, ...]] = {}

    def flat(self, nodes: Iterable[Node], depth: int = 0) -> Iterator[Piece]:
        """Yield texts and names, in order."""
        for node in nodes:
            if isinstance(node, Section):
                raise _NotRenderable(f"it has the section '{node.name}'")
            if isinstance(node, Tag) and node.name == ".":
                raise _NotRenderable("it has '{{.}}', all values at once")
            if isinstance(node, Output | If | For):
                raise _NotRenderable("it has an expression")  # no mustache and no f-string has one
            if not isinstance(node, Partial):
                self._spend(len(node.text) if isinstance(node, Literal) else len(node.name))
                yield node
            elif node.name in self.sources:
                if depth == DEPTH_LIMIT:
                    raise _NotRenderable(f"its partials are nested more than {DEPTH_LIMIT} deep")
                self._spend(_PARTIAL_COST)
                yield from self.flat(self._nodes(node), depth + 1)

    def _nodes(self, partial: Partial) -> tuple[Node, ...]:
        nodes = self.parsed.get((partial.name, partial.indent))
        if nodes is None:
            source = self.sources[partial.name]
            indented = re.sub(r"(?m)^(?=.|\n)", partial.indent, source) if partial.indent else source
            nodes = self.parsed[partial.name, partial.indent] = parse(indented, partial.name)
        return nodes

    def _spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise _NotRenderable("it is too large with its partials")


def _merged(pieces: Iterable[AnyNode]) -> list[AnyNode | Literal]:
    """Join neighbouring texts, and drop empty ones."""
    merged: list[AnyNode | Literal] = []
    for piece in pieces:
        if isinstance(piece, Literal) and merged and isinstance(merged[-1], Literal):
            merged[-1] = Literal(merged[-1].text + piece.text)
        elif not (isinstance(piece, Literal) and not piece.text):
            merged.append(piece)
    return merged
