"""Chat messages whose templates are parsed, and how they are rendered to OpenAI's form."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.messages.image_url import REFUSAL, is_image_url, may_begin_image_url
from promptuary.prompt.messages.message import EMPTY_ATTACHMENT, FieldKind, Message, is_attachment, set_at
from promptuary.prompt.templates.json_text import JsonTextRenderer
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Literal, Node

ATTACHMENT_KINDS = frozenset({FieldKind.IMAGE_URL, FieldKind.DATA})
"""Fields that may contain an image, audio or a file: they count towards a limit of their own."""


@dataclass(frozen=True)
class MessageRenderer:
    """The renderers of one render: one budget for what the model reads, and one for its attachments.

    Attributes:
        text: renders texts.
        attachments: renders the URLs of images, and the data of audio and files.
    """

    text: TemplateRenderer
    attachments: TemplateRenderer

    def __post_init__(self) -> None:
        """Set the name of what the second budget limits."""
        self.attachments.budget.subject = "the images, audio and files of the prompt are"

    def for_kind(self, kind: FieldKind) -> TemplateRenderer:
        """Return the renderer of a kind of field."""
        if kind is FieldKind.ARGUMENTS:
            return JsonTextRenderer.like(self.text)
        return self.attachments if kind in ATTACHMENT_KINDS else self.text


@dataclass(frozen=True)
class MessageTemplate:
    """A chat message with a role and a text alone, which is nearly every message; its template is parsed.

    Attributes:
        role: its role.
        nodes: its text.
        place: the template in an error.
    """

    role: str
    nodes: tuple[Node, ...]
    place: str = "the template"

    def templates(self) -> Iterator[tuple[str, tuple[Node, ...]]]:
        """Yield the path in the content and the nodes of its one template."""
        yield ("template" if self.place == "the template" else self.place), self.nodes

    def render(self, renderer: MessageRenderer, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the message, `{"role", "content"}`."""
        return {"role": self.role, "content": renderer.text.render(self.nodes, values, self.place)}


@dataclass(frozen=True)
class FieldTemplate:
    """One template in a message, parsed.

    Attributes:
        path: the keys and indices that lead to it in the message.
        place: its dotted path in the content, for errors.
        nodes: the parsed template.
        kind: what it is for.
    """

    path: tuple[str | int, ...]
    place: str
    nodes: tuple[Node, ...]
    kind: FieldKind

    def render(self, renderer: MessageRenderer, values: Mapping[str, Any]) -> str:
        """Return the field's text.

        Raises:
            InvalidVariables: the URL of an image is not one that is accepted.
        """
        text = renderer.for_kind(self.kind).render(self.nodes, values, self.place)
        if self.kind is FieldKind.IMAGE_URL and not is_image_url(text):
            raise InvalidVariables("the variables do not fit the prompt", [FieldError(self.place, REFUSAL)])
        if not text and self.nodes and is_attachment(self.path):
            raise InvalidVariables("the variables do not fit the prompt", [FieldError(self.place, EMPTY_ATTACHMENT)])
        return text


@dataclass(frozen=True)
class StructuredMessageTemplate:
    """A chat message with a name, parts or tool calls.

    Attributes:
        role: its role.
        body: its JSON as it is stored.
        fields: the templates in it.
    """

    role: str
    body: Mapping[str, Any]
    fields: tuple[FieldTemplate, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of all its templates."""
        return tuple(node for field in self.fields for node in field.nodes)

    def literal(self) -> dict[str, Any]:
        """Return the message in OpenAI's form where its templates have no variables."""
        message: Any = deepcopy(self.body)
        for field in self.fields:
            set_at(message, field.path, "".join(node.text for node in field.nodes if isinstance(node, Literal)))
        return dict(message)

    def templates(self) -> Iterator[tuple[str, tuple[Node, ...]]]:
        """Yield the path in the content and the nodes of each of its templates."""
        yield from ((field.place, field.nodes) for field in self.fields)

    def render(self, renderer: MessageRenderer, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the message in OpenAI's form."""
        message: Any = deepcopy(self.body)
        for field in self.fields:
            set_at(message, field.path, field.render(renderer, values))
        return dict(message)


AnyMessageTemplate = MessageTemplate | StructuredMessageTemplate


def message_template(message: Message, path: str, parse: Callable[[str, str], tuple[Node, ...]]) -> AnyMessageTemplate:
    """Parse the templates of a message.

    Args:
        message: the message.
        path: its path in the content.
        parse: parses a source, given its path.
    """
    fields = tuple(
        FieldTemplate(field.path, field.path_in(path), parse(field.source, field.path_in(path)), field.kind)
        for field in message.fields()
    )
    if message.is_plain:
        return MessageTemplate(message.role, fields[0].nodes, fields[0].place)
    return StructuredMessageTemplate(message.role, message.as_rendered(), fields)


def image_url_errors(template: AnyMessageTemplate) -> list[FieldError]:
    """Return an error for each image whose URL can never become one that is accepted."""
    if isinstance(template, MessageTemplate):
        return []
    return [
        FieldError(field.place, REFUSAL)
        for field in template.fields
        if field.kind is FieldKind.IMAGE_URL and not _may_be_image_url(field.nodes)
    ]


def _may_be_image_url(nodes: tuple[Node, ...]) -> bool:
    beginning = ""
    for node in nodes:
        if not isinstance(node, Literal):
            return may_begin_image_url(beginning)
        beginning += node.text
    return is_image_url(beginning)
