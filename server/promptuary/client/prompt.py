"""What a lookup returns to an application: one version, where it came from and how old it is."""

import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from promptuary.client.errors import NeedsContext
from promptuary.client.freshness import Freshness
from promptuary.client.in_use import uses
from promptuary.client.in_use.attributes import note_use, span_attributes
from promptuary.client.in_use.uses import InUse
from promptuary.client.span import OPENTELEMETRY, mark_current_span
from promptuary.client.versions.rendered import Message, Rendered
from promptuary.client.versions.version import ResolvedVersion
from promptuary.prompt.content import Content
from promptuary.prompt.digest import content_json
from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt
from promptuary.prompt.variables import Variable

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

_loaded_modules = sys.modules


class Source(StrEnum):
    """Where a lookup found the version."""

    SERVER = "server"
    """This call asked the server."""
    MEMORY = "memory"
    """An earlier call asked the server."""
    DISK = "disk"
    """A copy of an earlier process; this one has not reached the server yet."""
    BUNDLE = "bundle"
    """The application's bundle file."""
    FALLBACK = "fallback"
    """The `fallback` argument of the call."""


class Prompt:
    """One version of a prompt. It does not change; `age` and `stale` are computed when they are read."""

    __slots__ = ("_clock", "_freshness", "_ttl", "_version", "source")

    def __init__(
        self, version: ResolvedVersion, source: Source, freshness: Freshness, ttl: float, clock: Callable[[], float]
    ) -> None:
        """Store the version and its freshness; `ttl` and the monotonic clock are in seconds."""
        self._version = version
        self.source = source
        self._freshness = freshness
        self._ttl = ttl
        self._clock = clock

    @property
    def name(self) -> str:
        """The prompt's name."""
        return self._version.name

    @property
    def version(self) -> int | None:
        """The version's number; None for a fallback."""
        return self._version.number

    @property
    def digest(self) -> str:
        """The digest of the content, as the client itself computed it."""
        return self._version.digest

    @property
    def label(self) -> str | None:
        """The label that led here; None for a lookup by number."""
        return self._version.label

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that pointed at the version when it was read."""
        return self._version.labels

    @property
    def variant(self) -> str | None:
        """The arm of a split label; None for a label that is not split."""
        return self._version.variant

    @property
    def content(self) -> Content:
        """The whole content: template, variables, model settings, tools, response format."""
        return self._version.parsed.content

    @property
    def tags(self) -> tuple[str, ...]:
        """The version's tags when it was read; empty for a fallback."""
        return self._version.tags

    @property
    def template(self) -> str | list[Message]:
        """The template before it is rendered: the text, or the messages and placeholders as they were registered."""
        template = content_json(self.content)["template"]
        return template if isinstance(template, str) else list(template)

    @property
    def variables(self) -> dict[str, Variable]:
        """The variables by name: the declared ones, and those that only the template uses.

        For a format that this release cannot render, those that are declared.
        """
        prepared = self._version.parsed.prepared
        return dict(self.content.variables if prepared is None else prepared.variables)

    @property
    def config(self) -> Any:
        """The application's own configuration as it was registered, any JSON; None where there is none. It is a copy."""
        return deepcopy(self.content.config)

    @property
    def age(self) -> float | None:
        """Seconds since a server last confirmed it, by an answer or by a byte on a live stream of changes.

        None for a bundle or a fallback, which no server confirmed.
        """
        confirmed_at = self._freshness.confirmed_at()
        return None if confirmed_at is None else max(0.0, self._clock() - confirmed_at)

    @property
    def stale(self) -> bool:
        """Whether no server confirmed it within the client's `ttl`, and no live stream would report a change."""
        if self._freshness.is_live(self._clock()):
            return False
        age = self.age
        return age is None or age >= self._ttl

    @property
    def metadata(self) -> dict[str, str | int]:
        """Metadata for a trace: attributes of an OpenTelemetry span, or the metadata of a LangChain run."""
        version = self._version
        attributes = {
            "promptuary.name": version.name,
            "promptuary.version": version.number,
            "promptuary.digest": version.digest,
            "promptuary.label": version.label,
            "promptuary.variant": version.variant,
            "promptuary.source": str(self.source),
        }
        return {name: value for name, value in attributes.items() if value is not None}

    def render(self, /, **values: Any) -> Rendered:
        """Return the messages of a chat prompt in OpenAI's form (a list), or the text of a text prompt (a `str`).

        Once the application has imported OpenTelemetry, the current span gets the prompt's name and version.

        A prompt with a context takes its passages as the value of the variable that they fill: a list of texts, or of passages
        as the server returns them, the best first. `client.render` lets the server retrieve them.

        Raises:
            InvalidVariables: for missing, unknown or wrongly typed values.
            NeedsContext: for a prompt with a context and no passages.
            InvalidPrompt: when this release cannot render the prompt's format.
            RenderTooLarge: for more than 1 MiB of output.
        """
        if OPENTELEMETRY in _loaded_modules:
            mark_current_span(self.name, self.version)
            if uses.is_followed:
                note_use(self.metadata, self.name, self.version, values)
        return cast("Rendered", self._render(values))

    def _render(self, values: dict[str, Any]) -> list[Message] | str:
        parsed = self._version.parsed
        if parsed.compiled is not None:
            rendered = parsed.compiled.render(values)
            if rendered is not None:
                return rendered
        prepared = self._prepared()
        if self.source is Source.FALLBACK:
            # A fallback may use fewer variables than the prompt it stands in for.
            values = {name: value for name, value in values.items() if name in prepared.variables}
        full = prepared.render(values, self._passages(prepared, values))
        return full.text if full.text is not None else [dict(message) for message in full.messages or ()]

    def in_use(self, variables: Mapping[str, Any] | None = None) -> InUse:
        """Return a block in which every OpenTelemetry span that starts is this prompt's: `with prompt.in_use():`.

        `promptuary.client.PromptSpanProcessor` sets the attributes. `get` and `render` put a prompt in use, too, for what
        starts inside the current span.

        Args:
            variables: the values with which it was rendered, for a processor that sets them.
        """
        return InUse(span_attributes(self.metadata, self.name, self.version, variables))

    def to_langchain(self) -> "ChatPromptTemplate | PromptTemplate":
        """Return a `ChatPromptTemplate` or `PromptTemplate` whose runs have the name, version and digest as metadata.

        Raises:
            InvalidPrompt: for a template with sections or partials, which LangChain cannot express; render those first.
        """
        from promptuary.prompt.foreign.langchain_export import to_langchain

        template = to_langchain(self._prepared())
        template.metadata = {**(template.metadata or {}), **self.metadata}
        return template

    def with_version(self, version: ResolvedVersion) -> "Prompt":
        """Return the same prompt under another label state: what led to the version has changed, not its content."""
        return Prompt(version, self.source, self._freshness, self._ttl, self._clock)

    def with_source(self, source: Source) -> "Prompt":
        """Return the same prompt with another source."""
        return Prompt(self._version, source, self._freshness, self._ttl, self._clock)

    def as_stale(self) -> "Prompt":
        """Return the same prompt as one that a server should have confirmed and did not."""
        return Prompt(self._version, self.source, Freshness(self._freshness.confirmed_at()), 0.0, self._clock)

    seen_with, seen_as = with_version, with_source  # the names until 0.3.0

    def __repr__(self) -> str:
        """Return a text that names the version and its source, without the content."""
        return f"<Prompt {self.name} version {self.version} from {self.source}>"

    def _prepared(self) -> PreparedPrompt:
        parsed = self._version.parsed
        if parsed.prepared is None:
            assert parsed.error is not None
            raise parsed.error
        return parsed.prepared

    def _passages(self, prepared: PreparedPrompt, values: dict[str, Any]) -> tuple[Passage, ...]:
        """Remove the passages from the values of a prompt with a context, and return them."""
        binding = prepared.content.context
        if binding is None:
            return ()
        if binding.into not in values:
            raise NeedsContext(
                f"the prompt '{self.name}' retrieves passages from '{binding.collection}'; call client.render('{self.name}', "
                f"variables={{…}}), or pass the passages as {binding.into}=[…]"
            )
        value = values.pop(binding.into)
        return _passages(binding.into, [value] if isinstance(value, str) else value)


def _passages(into: str, items: Any) -> tuple[Passage, ...]:
    if isinstance(items, Sequence) and all(_is_passage(item) for item in items):
        return tuple(item if isinstance(item, Passage) else _passage(item) for item in items)
    raise InvalidVariables(
        "the variables do not fit the prompt", [FieldError(into, "must be a list of texts or passages, each with a `text`")]
    )


def _is_passage(item: Any) -> bool:
    return isinstance(item, str | Passage) or (isinstance(item, Mapping) and isinstance(item.get("text"), str))


def _passage(item: str | Mapping[str, Any]) -> Passage:
    """Parse a passage as the server sends it; the fields that a plain text lacks stay empty."""
    fields: Mapping[str, Any] = {"text": item} if isinstance(item, str) else item
    return Passage(
        text=fields["text"],
        score=fields.get("score", 0.0),
        collection=fields.get("collection", ""),
        document=fields.get("document", ""),
        chunk=fields.get("chunk", 0),
        digest=fields.get("digest", ""),
        metadata=fields.get("metadata") or {},
    )
