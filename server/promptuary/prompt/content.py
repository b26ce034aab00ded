"""The content of a version, which its digest covers. Contents are frozen: a change is a new value, and a new version."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from promptuary.prompt.messages.message import Message, MessageModel
from promptuary.prompt.name import Name
from promptuary.prompt.numbers import refuse_rounded
from promptuary.prompt.variables import Variable

Format = Literal["mustache", "simple", "f-string", "jinja2"]
RESPONSE_FORMATS = ("text", "json_object", "json_schema")
TEMPLATE_LIMIT = 256 * 1024
VARIABLES_LIMIT = 200
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def _validate_as_sent(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    validate(refuse_rounded(value))
    return value


NumberAsSent = Annotated[float, WrapValidator(_validate_as_sent)]
"""A number that stays as it was sent: 0 is not made 0.0."""


def _refuse_name_of_format(value: Any) -> Any:
    if isinstance(value, str) and value in RESPONSE_FORMATS:
        raise ValueError(f'must be an object, as in {{"type": "{value}"}}')
    return value


class ContentPart(BaseModel):
    """The base of the content's parts: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Placeholder(MessageModel):
    """A place in a chat for a list of messages: history, or examples from the context."""

    role: Literal["placeholder"]
    name: Annotated[str, Field(pattern=IDENTIFIER)]


class ModelConfig(ContentPart):
    """The model that a prompt was written for, in LangChain's `provider:model` form, and its settings."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    temperature: Annotated[NumberAsSent, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    top_p: Annotated[NumberAsSent, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: Annotated[list[str], Field(max_length=16)] | None = None


class ContextBinding(ContentPart):
    """Which passages a render retrieves, and where they go.

    `into` names a variable, whose value is the passages' text or, in a section, the list of passages; or a placeholder, where
    each passage becomes the messages of `turns`.
    """

    collection: Name
    query: Annotated[str, Field(min_length=1, max_length=TEMPLATE_LIMIT)]
    k: Annotated[int, Field(ge=1, le=100)] = 4
    into: Annotated[str, Field(pattern=IDENTIFIER)]
    min_score: Annotated[NumberAsSent, Field(ge=-1, le=1)] | None = None
    turns: Annotated[list[Message], Field(min_length=1, max_length=8)] | None = None

    def turn_sources(self) -> list[tuple[str, str]]:
        """Return every template of the turns with its path."""
        return _message_sources("context.turns", self.turns or ())


def _message_sources(path: str, messages: Iterable[Message | Placeholder]) -> list[tuple[str, str]]:
    return [
        (field.path_in(f"{path}.{number}"), field.source)
        for number, message in enumerate(messages)
        if isinstance(message, Message)
        for field in message.fields()
    ]


def _message_tag(value: Any) -> str:
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    return "<placeholder>" if role == "placeholder" else "<message>"


Messages = Annotated[
    list[
        Annotated[
            Annotated[Message, Tag("<message>")] | Annotated[Placeholder, Tag("<placeholder>")],
            Discriminator(_message_tag),
        ]
    ],
    Field(min_length=1, max_length=1000),
]
Template = Annotated[
    Annotated[str, Field(max_length=TEMPLATE_LIMIT), Tag("<text>")] | Annotated[Messages, Tag("<chat>")],
    Discriminator(lambda value: "<text>" if isinstance(value, str) else "<chat>"),
]


class Content(ContentPart):
    """The whole content of a version, as it is digested, stored, sent and rendered.

    `config` is any JSON of the application's own; known model settings are read from it, too (`model_settings`).
    """

    type: Literal["text", "chat"]
    template: Template
    format: Format = "mustache"
    variables: Annotated[dict[str, Variable], Field(max_length=VARIABLES_LIMIT)] = Field(default_factory=dict)
    model: ModelConfig | None = None
    response_format: Annotated[dict[str, JsonValue] | None, BeforeValidator(_refuse_name_of_format)] = None
    tools: list[dict[str, JsonValue]] | None = None
    partials: dict[str, str] = Field(default_factory=dict)
    context: ContextBinding | None = None
    config: JsonValue = None

    @field_validator("response_format", "tools", "config", mode="before")
    @classmethod
    def _numbers_come_back(cls, value: Any) -> Any:
        return refuse_rounded(value)

    @model_validator(mode="after")
    def _type_fits_template(self) -> Self:
        if (self.type == "text") != isinstance(self.template, str):
            raise ValueError("a text prompt has one string as its template, a chat prompt a list of messages")
        sizes = [len(source) for _, source in self.sources()] + list(map(len, self.partials.values()))
        turn_sizes = [len(source) for _, source in (self.context.turn_sources() if self.context else ())]
        if sum(sizes) > TEMPLATE_LIMIT or max(turn_sizes, default=0) > TEMPLATE_LIMIT:
            raise ValueError(f"the template is over the limit of {TEMPLATE_LIMIT} characters")
        return self

    def sources(self) -> list[tuple[str, str]]:
        """Return every template of the prompt itself with its path, in order: the text, or all templates of the messages."""
        if isinstance(self.template, str):
            return [("template", self.template)]
        return _message_sources("template", self.template)

    def texts(self) -> list[str]:
        """Return what a person reads of the prompt, in order: the text, or the texts of the messages and of their parts."""
        if isinstance(self.template, str):
            return [self.template]
        return [text for message in self.template if isinstance(message, Message) for text in message.texts()]

    def placeholders(self) -> list[str]:
        """Return the names of the placeholders, in order."""
        if isinstance(self.template, str):
            return []
        return [message.name for message in self.template if isinstance(message, Placeholder)]
