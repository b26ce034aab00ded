"""The models of chat messages in OpenAI's form: roles, content parts and tool calls."""

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from promptuary.prompt.described_fields import DescribedByFields
from promptuary.prompt.errors import FieldError

Role = Literal["system", "developer", "user", "assistant", "tool"]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
CallId = Annotated[str, Field(min_length=1, max_length=2000)]
CacheControl = dict[str, JsonValue] | None
PARTS_LIMIT = 1000
TOOL_CALLS_LIMIT = 128


class MessageModel(DescribedByFields):
    """The base of messages and their parts: frozen, strict, without unknown fields.

    It is written as it was sent: its members in their order, a null included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
    _members: tuple[str, ...] | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_members(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        model = validate(value)
        if isinstance(value, dict) and (
            None in value.values() or [*value] != [name for name in cls.model_fields if name in value]
        ):
            model._members = tuple(value)
        return model

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same members with the same values, in any order."""
        return isinstance(other, MessageModel) and type(self) is type(other) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        """Return a hash of the values."""
        return hash(json.dumps(self.model_dump(), sort_keys=True))

    @model_serializer(mode="wrap")
    def _as_sent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialize(self)
        if self._members is not None:
            return {name: fields.get(name) for name in self._members}  # the caller may have left out null ones
        return {name: value for name, value in fields.items() if value is not None}


class FieldKind(StrEnum):
    """What a template in a message is for."""

    TEXT = "text"
    """A text that the model reads."""
    ARGUMENTS = "arguments"
    """The arguments of a tool call: a JSON text."""
    IMAGE_URL = "image_url"
    """The URL of an image, which may contain the image itself."""
    DATA = "data"
    """An encoded attachment, or a reference to one."""


@dataclass(frozen=True)
class MessageField:
    """A text in a message in which variables work.

    Attributes:
        path: the keys and indices that lead to it in the message.
        source: the template.
        kind: what it is for.
    """

    path: tuple[str | int, ...]
    source: str
    kind: FieldKind

    def path_in(self, message_path: str) -> str:
        """Return its dotted path, given the path of its message."""
        return ".".join([message_path, *map(str, self.path)])


class TextPart(MessageModel):
    """A text in a message of several parts. `cache_control` of any part is the provider's own, and passed on as it is."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl = None

    def fields(self) -> Iterator[MessageField]:
        """Yield the text."""
        yield MessageField(("text",), self.text, FieldKind.TEXT)


class ImageUrl(MessageModel):
    """Where an image is: an `https:` URL, or a `data:` URL that contains it. Promptuary never fetches it."""

    url: str
    detail: ShortText | None = None


class ImagePart(MessageModel):
    """An image in a message of several parts."""

    type: Literal["image_url"]
    image_url: ImageUrl
    cache_control: CacheControl = None

    def fields(self) -> Iterator[MessageField]:
        """Yield the URL."""
        yield MessageField(("image_url", "url"), self.image_url.url, FieldKind.IMAGE_URL)


class InputAudio(MessageModel):
    """Audio, encoded in base64, and its format, such as `wav`."""

    data: str
    format: ShortText


class AudioPart(MessageModel):
    """Audio in a message of several parts."""

    type: Literal["input_audio"]
    input_audio: InputAudio
    cache_control: CacheControl = None

    def fields(self) -> Iterator[MessageField]:
        """Yield the data."""
        yield MessageField(("input_audio", "data"), self.input_audio.data, FieldKind.DATA)


class FileSource(MessageModel):
    """A file: the provider's id of it, or its name and its data, encoded in base64 or as a `data:` URL."""

    file_id: str | None = None
    filename: str | None = None
    file_data: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.file_id is None) == (self.file_data is None):
            raise ValueError("needs a `file_id`, or a `filename` with its `file_data`")
        if self.file_data is not None and self.filename is None:
            raise _error("filename", "is required with file_data")
        return self


class FilePart(MessageModel):
    """A file in a message of several parts."""

    type: Literal["file"]
    file: FileSource
    cache_control: CacheControl = None

    def fields(self) -> Iterator[MessageField]:
        """Yield the id, the name and the data, as far as they are set."""
        for name, kind in (("file_id", FieldKind.TEXT), ("filename", FieldKind.TEXT), ("file_data", FieldKind.DATA)):
            if (source := getattr(self.file, name)) is not None:
                yield MessageField(("file", name), source, kind)


PART_TYPES = ("text", "image_url", "input_audio", "file")


def _part_tag(value: Any) -> str | None:
    part_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    if isinstance(value, dict) and part_type not in PART_TYPES:
        return None
    return f"<{part_type}>" if part_type in PART_TYPES else "<text>"


Part = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<image_url>")]
    | Annotated[AudioPart, Tag("<input_audio>")]
    | Annotated[FilePart, Tag("<file>")],
    Discriminator(
        _part_tag,
        custom_error_type="part_type",
        custom_error_message=f"needs a `type`: {', '.join(PART_TYPES[:-1])} or {PART_TYPES[-1]}",
    ),
]


class FunctionCall(MessageModel):
    """The name of a function, and its arguments as a JSON text."""

    name: ShortText
    arguments: str


class ToolCall(MessageModel):
    """A call of a tool by the assistant."""

    id: CallId
    type: Literal["function"]
    function: FunctionCall


def _content_tag(value: Any) -> str:
    return "<parts>" if isinstance(value, list) else "<null>" if value is None else "<text>"


class Message(MessageModel):
    """One chat message; its texts are templates. Its content is null, or absent, only where it calls tools."""

    role: Role
    content: Annotated[
        Annotated[str, Tag("<text>")]
        | Annotated[list[Part], Field(min_length=1, max_length=PARTS_LIMIT), Tag("<parts>")]
        | Annotated[None, Tag("<null>")],
        Discriminator(_content_tag),
    ] = None
    name: ShortText | None = None
    tool_calls: Annotated[list[ToolCall], Field(min_length=1, max_length=TOOL_CALLS_LIMIT)] | None = None
    tool_call_id: CallId | None = None

    @model_validator(mode="after")
    def _fields_fit_role(self) -> Self:
        if self.tool_calls is not None and self.role != "assistant":
            raise _error("tool_calls", "belong to a message of the role assistant")
        if self.tool_call_id is not None and self.role != "tool":
            raise _error("tool_call_id", "belongs to a message of the role tool")
        if self.content is None and self.tool_calls is None:
            raise _error("content", "is required: a text or a list of parts; only a message with tool_calls may lack it")
        return self

    @property
    def is_plain(self) -> bool:
        """Whether it has only a role and a text."""
        return isinstance(self.content, str) and self.name is None and self.tool_calls is None and self.tool_call_id is None

    def fields(self) -> Iterator[MessageField]:
        """Yield every template in the message, in order."""
        if isinstance(self.content, str):
            yield MessageField(("content",), self.content, FieldKind.TEXT)
        for number, part in enumerate(self.content if isinstance(self.content, list) else ()):
            for field in part.fields():
                yield MessageField(("content", number, *field.path), field.source, field.kind)
        for number, call in enumerate(self.tool_calls or ()):
            yield MessageField(("tool_calls", number, "function", "arguments"), call.function.arguments, FieldKind.ARGUMENTS)

    def with_sources(self, sources: Iterator[str]) -> dict[str, Any]:
        """Return its JSON with the next sources in place of its own templates, which are as many as `fields` yields."""
        message = self.model_dump(mode="json")
        for field in self.fields():
            set_at(message, field.path, next(sources))
        return message

    def as_rendered(self) -> dict[str, Any]:
        """Return its JSON in one order of members and without null members, except a null content, as a model is sent it."""
        fields: dict[str, Any] = _in_field_order(self)
        if self.content is None and "content" in self.model_fields_set:
            fields = {"role": self.role, "content": None, **fields}
        return fields

    def texts(self) -> list[str]:
        """Return the texts that a person reads: the content, or the texts among its parts."""
        if isinstance(self.content, str):
            return [self.content]
        return [part.text for part in self.content or () if isinstance(part, TextPart)]


def _in_field_order(value: Any) -> Any:
    """Return the JSON of a model and of those in it, in the order of their fields, without null fields."""
    if isinstance(value, MessageModel):
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        return {name: _in_field_order(member) for name, member in fields if member is not None}
    return [_in_field_order(item) for item in value] if isinstance(value, list) else deepcopy(value)


_ATTACHMENT_FIELDS = ("file_id", "filename", "file_data", "data")
EMPTY_ATTACHMENT = "is empty: it needs the file or its id, its name, or the audio"


def empty_attachments(fields: Iterable[MessageField], message_path: str) -> list[FieldError]:
    """Return an error for each reference to a file, and each attachment, that is empty: no provider takes one."""
    return [
        FieldError(field.path_in(message_path), EMPTY_ATTACHMENT)
        for field in fields
        if is_attachment(field.path) and not field.source
    ]


def is_attachment(path: tuple[str | int, ...]) -> bool:
    """Return whether a field of a message is the id, the name or the data of a file, or audio."""
    return path[-1] in _ATTACHMENT_FIELDS


def set_at(message: Any, path: tuple[str | int, ...], text: str) -> None:
    """Replace one text of a message's JSON in place."""
    for key in path[:-1]:
        message = message[key]
    message[path[-1]] = text


def _error(field: str, message: str) -> ValidationError:
    """Return a validation error of one field of a model."""
    error = PydanticCustomError("message", "{reason}", {"reason": message})
    return ValidationError.from_exception_data("Message", [{"type": error, "loc": (field,), "input": None}])
