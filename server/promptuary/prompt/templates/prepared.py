"""A content whose templates are parsed, ready to render. It is built once for each version and cached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from promptuary.prompt.content import Content, Placeholder
from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.messages.objects import json_messages
from promptuary.prompt.messages.values import InvalidMessages, parse_message
from promptuary.prompt.templates.lookup.declared_values import declared_values
from promptuary.prompt.templates.message_templates import AnyMessageTemplate, MessageRenderer
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Node
from promptuary.prompt.templates.used_names import used_names
from promptuary.prompt.templates.value import DeclaredObject
from promptuary.prompt.variables import Property, Schema, Variable, validate_values

OUTPUT_LIMIT = 1024 * 1024
ATTACHMENT_LIMIT = 8 * 1024 * 1024
"""The most characters of all images, audio and files of a render together, encoded as they are sent."""
_MISFIT = "the variables do not fit the prompt"


@dataclass(frozen=True)
class Passage:
    """A part of a document that a query retrieved.

    Attributes:
        text: its text.
        score: its similarity to the query: the cosine, from -1 to 1.
        collection: the collection of its document.
        document: the document's id.
        chunk: its number in the document.
        digest: the digest of its text.
        metadata: the document's metadata.
    """

    text: str
    score: float
    collection: str
    document: str
    chunk: int
    digest: str
    metadata: Mapping[str, Any]

    def as_value(self) -> dict[str, Any]:
        """Return the passage as a section of a template reads it."""
        metadata = DeclaredObject(self.metadata, optional=None)
        return {"text": self.text, "score": self.score, "document": self.document, "metadata": metadata}


@cache
def passage_metadata_schema() -> Property:
    """Return the schema of a passage's metadata, always the same object."""
    return Property(type="object")


@cache
def passages_schema() -> Schema:
    """Return the schema of the passages in a section, always the same object.

    It is built when it is needed: an application that looks prompts up needs none.
    """
    properties = {
        "text": Property(type="string"),
        "score": Property(type="number"),
        "document": Property(type="string"),
        "metadata": passage_metadata_schema(),
    }
    return Schema(type="array", items=Schema(type="object", properties=properties))


PASSAGE_MEMBERS = frozenset({"text", "score", "document", "metadata"})


@dataclass(frozen=True)
class RenderedPrompt:
    """What is sent to a model.

    Attributes:
        text: the text of a text prompt, else None.
        messages: the messages of a chat prompt in OpenAI's form, else None.
        passages: the passages that are in it.
    """

    text: str | None
    messages: tuple[Mapping[str, Any], ...] | None
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class PreparedPrompt:
    """A content with its parsed templates and all its variables.

    Attributes:
        content: the content.
        parts: its messages and placeholders in order; a text prompt is one message.
        query: the query of the context binding.
        turns: the messages that each passage becomes, where a placeholder takes the passages.
        trees: the partials by name.
        variables: the variables, declared or only used.
    """

    content: Content
    parts: tuple[AnyMessageTemplate | Placeholder, ...]
    query: tuple[Node, ...]
    turns: tuple[AnyMessageTemplate, ...]
    trees: Mapping[str, tuple[Node, ...]]
    variables: Mapping[str, Variable]

    def query_text(self, values: Mapping[str, Any]) -> str:
        """Render the query of the context binding from the values of the prompt; the passages are empty in it."""
        valid_values = self._valid_values(values)
        if self.content.context:
            valid_values[self.content.context.into] = None
        return self._renderer(OUTPUT_LIMIT).render(self.query, valid_values, "context.query")

    def check_values(self, values: Mapping[str, Any]) -> None:
        """Check values as `render` does before it renders.

        Raises:
            InvalidVariables: a value is missing, unknown or of the wrong type.
        """
        self._valid_values(values)

    def render(
        self,
        values: Mapping[str, Any],
        passages: Sequence[Passage] = (),
        *,
        limit: int = OUTPUT_LIMIT,
        attachment_limit: int = ATTACHMENT_LIMIT,
    ) -> RenderedPrompt:
        """Render the prompt.

        Args:
            values: JSON values by the variables' names; a placeholder's may be message objects of LangChain or OpenAI.
            passages: the passages that were retrieved, the best first.
            limit: the most characters of all texts of the messages together.
            attachment_limit: the most characters of all images, audio and files together.

        Raises:
            InvalidVariables: a value is missing, unknown or of the wrong type, or an expression cannot use it.
            RenderTooLarge: a limit is exceeded, or rendering takes too many steps.
        """
        valid_values = self._valid_values(values)
        renderer = MessageRenderer(self._renderer(limit), self._renderer(attachment_limit))
        if self.content.context:
            valid_values[self.content.context.into] = self._context_value(passages)
        messages: list[Mapping[str, Any]] = []
        for part in self.parts:
            if isinstance(part, Placeholder):
                messages += self._placeholder_messages(part.name, valid_values, passages, renderer)
            else:
                messages.append(part.render(renderer, valid_values))
        if self.content.type == "text":
            return RenderedPrompt(text=messages[0]["content"], messages=None, passages=tuple(passages))
        return RenderedPrompt(text=None, messages=tuple(messages), passages=tuple(passages))

    def _valid_values(self, values: Mapping[str, Any]) -> DeclaredObject:
        field_errors: list[FieldError] = []
        messages = {
            part.name: json_messages(values[part.name], part.name, field_errors)
            for part in self.parts
            if isinstance(part, Placeholder) and part.name in values
        }
        if field_errors:
            raise InvalidVariables(_MISFIT, field_errors)
        return declared_values(self.content.variables, validate_values(self.variables, {**values, **messages}))

    def _renderer(self, limit: int) -> TemplateRenderer:
        """Return a renderer to which a missing value is an error; no error names a member beside sensitive values."""
        shows_members = not any(variable.sensitive for variable in self.variables.values())
        return TemplateRenderer(limit, self.content.partials, strict=True, shows_members=shows_members)

    def _context_value(self, passages: Sequence[Passage]) -> Any:
        """Return the passages as a list where a template iterates over them, else their texts as one text."""
        binding = self.content.context
        if binding and any(
            used_names(part.nodes, self.trees).is_list(binding.into) for part in self.parts if not isinstance(part, Placeholder)
        ):
            return [passage.as_value() for passage in passages]
        return "\n\n".join(passage.text for passage in passages)

    def _placeholder_messages(
        self, name: str, values: DeclaredObject, passages: Sequence[Passage], renderer: MessageRenderer
    ) -> list[Mapping[str, Any]]:
        binding = self.content.context
        if binding and binding.into == name:
            scopes = [DeclaredObject({**values, **passage.as_value()}, values.optional) for passage in reversed(passages)]
            return [turn.render(renderer, scope) for scope in scopes for turn in self.turns]
        messages = values.get(name) or []
        if not isinstance(messages, list | tuple):
            raise InvalidVariables(_MISFIT, [FieldError(name, "must be a list of messages")])
        return [_message_value(f"{name}.{number}", item, renderer) for number, item in enumerate(messages)]


def _message_value(path: str, item: Any, renderer: MessageRenderer) -> Mapping[str, Any]:
    """Return a message that was given as a value. It is data: no tag in it is read."""
    try:
        message, fields = parse_message(item, path)
    except InvalidMessages as error:
        raise InvalidVariables(_MISFIT, error.field_errors) from None
    for field in fields:
        budget = renderer.for_kind(field.kind).budget
        budget.add_steps()
        budget.add_output(len(field.source))
    return message
