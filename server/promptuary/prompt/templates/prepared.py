"""A content whose templates are parsed, ready to render. It is built once for each version and cached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptuary.prompt.content import Content, Placeholder
from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.templates.rendering import TemplateRenderer
from promptuary.prompt.templates.tree import Literal, Node
from promptuary.prompt.templates.used_names import used_names
from promptuary.prompt.variables import Variable, validate_values

OUTPUT_LIMIT = 1024 * 1024


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
        return {"text": self.text, "score": self.score, "document": self.document, "metadata": dict(self.metadata)}


@dataclass(frozen=True)
class RenderedPrompt:
    """What is sent to a model.

    Attributes:
        text: the text of a text prompt, else None.
        messages: the messages of a chat prompt, `{"role", "content"}` each, else None.
        passages: the passages that are in it.
    """

    text: str | None
    messages: tuple[Mapping[str, str], ...] | None
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class MessageTemplate:
    """One chat message, its template parsed."""

    role: str
    nodes: tuple[Node, ...]


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
    parts: tuple[MessageTemplate | Placeholder, ...]
    query: tuple[Node, ...]
    turns: tuple[MessageTemplate, ...]
    trees: Mapping[str, tuple[Node, ...]]
    variables: Mapping[str, Variable]

    def query_text(self, values: Mapping[str, Any]) -> str:
        """Render the query of the context binding from the values of the prompt."""
        return TemplateRenderer(OUTPUT_LIMIT, self.content.partials).render(self.query, validate_values(self.variables, values))

    def render(
        self, values: Mapping[str, Any], passages: Sequence[Passage] = (), *, limit: int = OUTPUT_LIMIT
    ) -> RenderedPrompt:
        """Render the prompt.

        Args:
            values: JSON values by the variables' names.
            passages: the passages that were retrieved, the best first.
            limit: the most characters of all messages together.

        Raises:
            InvalidVariables: a value is missing, unknown or of the wrong type, or an expression cannot use it.
            RenderTooLarge: more than `limit` characters, or too many steps.
        """
        valid_values = validate_values(self.variables, values)
        renderer = TemplateRenderer(limit, self.content.partials)
        if self.content.context:
            valid_values[self.content.context.into] = self._context_value(passages)
        messages: list[Mapping[str, str]] = []
        for part in self.parts:
            if isinstance(part, Placeholder):
                messages += self._placeholder_messages(part.name, valid_values, passages, renderer)
            else:
                messages.append({"role": part.role, "content": renderer.render(part.nodes, valid_values)})
        if self.content.type == "text":
            return RenderedPrompt(text=messages[0]["content"], messages=None, passages=tuple(passages))
        return RenderedPrompt(text=None, messages=tuple(messages), passages=tuple(passages))

    def _context_value(self, passages: Sequence[Passage]) -> Any:
        """Return the passages as a list where a template iterates over them, else their texts as one text."""
        binding = self.content.context
        if binding and any(
            binding.into in used_names(part.nodes, self.trees).lists for part in self.parts if isinstance(part, MessageTemplate)
        ):
            return [passage.as_value() for passage in passages]
        return "\n\n".join(passage.text for passage in passages)

    def _placeholder_messages(
        self, name: str, values: Mapping[str, Any], passages: Sequence[Passage], renderer: TemplateRenderer
    ) -> list[Mapping[str, str]]:
        binding = self.content.context
        if binding and binding.into == name:
            return [
                {"role": turn.role, "content": renderer.render(turn.nodes, {**values, **passage.as_value()})}
                for passage in reversed(passages)
                for turn in self.turns
            ]
        messages = values.get(name) or []
        if not isinstance(messages, list | tuple):
            raise _invalid_value(name, "must be a list of messages")
        return [_message(name, number, item, renderer) for number, item in enumerate(messages)]


def is_message(item: Any) -> bool:
    """Return whether a value is a message: an object with a known `role`, a text as `content`, and nothing else."""
    match item:
        case {"role": "system" | "user" | "assistant" | "tool", "content": str(), **rest}:
            return not rest
    return False


def _message(name: str, number: int, item: Any, renderer: TemplateRenderer) -> Mapping[str, str]:
    if not is_message(item):
        raise _invalid_value(f"{name}.{number}", "must be a message: {role, content}")
    return {"role": item["role"], "content": renderer.render([Literal(item["content"])], {})}


def _invalid_value(path: str, message: str) -> InvalidVariables:
    return InvalidVariables("the variables do not fit the prompt", [FieldError(path, message)])
