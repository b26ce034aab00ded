"""What a lookup gives an application: one version, where it came from and how old that is."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from promptuary.client.errors import NeedsContext
from promptuary.client.freshness import Freshness
from promptuary.client.versions.version import ResolvedVersion
from promptuary.prompt.content import Content
from promptuary.prompt.errors import FieldError, InvalidVariables
from promptuary.prompt.templates.prepared import Passage, PreparedPrompt

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate, PromptTemplate


class Source(StrEnum):
    """Where an answer came from."""

    SERVER = "server"
    """This call asked the server."""
    MEMORY = "memory"
    """An earlier call asked the server."""
    DISK = "disk"
    """An earlier process asked the server; this one could not yet."""
    BUNDLE = "bundle"
    """The bundle file that the application brought along."""
    FALLBACK = "fallback"
    """What the application gave in the call."""


class Prompt:
    """One version of a prompt. It does not change; `age` and `stale` are reckoned when they are read."""

    __slots__ = ("_clock", "_standing", "_ttl", "_version", "source")

    def __init__(
        self, version: ResolvedVersion, source: Source, standing: Freshness, ttl: float, clock: Callable[[], float]
    ) -> None:
        """Keep the version, and since when (by the clock) it stands confirmed."""
        self._version = version
        self.source = source
        self._standing = standing
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
        """The label that led here; None where the version was asked for by number."""
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
    def age(self) -> float | None:
        """Seconds since a server last confirmed it, by an answer or by a sign of life in a stream that tells of changes.

        None for a bundle or a fallback, which no server confirmed.
        """
        confirmed = self._standing.confirmed()
        return None if confirmed is None else max(0.0, self._clock() - confirmed)

    @property
    def stale(self) -> bool:
        """Whether no server confirmed it within the client's `ttl`, and none is there that would tell of a change."""
        if self._standing.live(self._clock()):
            return False
        age = self.age
        return age is None or age >= self._ttl

    @property
    def metadata(self) -> dict[str, str | int]:
        """What to put on a trace: attributes of an OpenTelemetry span, or the metadata of a LangChain run."""
        version = self._version
        marks = {
            "promptuary.name": version.name,
            "promptuary.version": version.number,
            "promptuary.digest": version.digest,
            "promptuary.label": version.label,
            "promptuary.variant": version.variant,
            "promptuary.source": str(self.source),
        }
        return {name: value for name, value in marks.items() if value is not None}

    def render(self, /, **values: Any) -> list[dict[str, str]] | str:
        """Give the messages of a chat prompt, `{"role", "content"}` each, or the text of a text prompt.

        A prompt with a context takes the passages under the name that they fill: a list of texts or of passages as the
        server gives them, the best first. `client.render` has the server retrieve them.

        Raises:
            InvalidVariables: for missing, unknown or wrongly typed values.
            NeedsContext: for a prompt with a context and no passages.
            InvalidPrompt: when this release cannot render the prompt's format.
            RenderTooLarge: for more than 1 MiB of output.
        """
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

    def to_langchain(self) -> "ChatPromptTemplate | PromptTemplate":
        """Give a `ChatPromptTemplate` or `PromptTemplate`, whose runs carry the name, version and digest as metadata.

        Raises:
            InvalidPrompt: for a template with sections or partials, which LangChain's form cannot say; render those first.
        """
        from promptuary.prompt.foreign.langchain_export import to_langchain

        template = to_langchain(self._prepared())
        template.metadata = {**(template.metadata or {}), **self.metadata}
        return template

    def with_version(self, version: ResolvedVersion) -> "Prompt":
        """Give the same prompt as another value of its version: what led there has changed, and not its content."""
        return Prompt(version, self.source, self._standing, self._ttl, self._clock)

    def with_source(self, source: Source) -> "Prompt":
        """Give the same prompt with another source."""
        return Prompt(self._version, source, self._standing, self._ttl, self._clock)

    def __repr__(self) -> str:
        """Name the version and its source; the content is left out."""
        return f"<Prompt {self.name} version {self.version} from {self.source}>"

    def _prepared(self) -> PreparedPrompt:
        parsed = self._version.parsed
        if parsed.prepared is None:
            assert parsed.fault is not None
            raise parsed.fault
        return parsed.prepared

    def _passages(self, prepared: PreparedPrompt, values: dict[str, Any]) -> tuple[Passage, ...]:
        """Take the passages out of the values of a prompt with a context."""
        binding = prepared.content.context
        if binding is None:
            return ()
        if binding.into not in values:
            raise NeedsContext(
                f"the prompt '{self.name}' retrieves passages from '{binding.collection}'; call client.render('{self.name}', "
                f"variables={{…}}), or give the passages as {binding.into}=[…]"
            )
        given = values.pop(binding.into)
        return _passages(binding.into, [given] if isinstance(given, str) else given)


def _passages(into: str, given: Any) -> tuple[Passage, ...]:
    if isinstance(given, Sequence) and all(_is_passage(item) for item in given):
        return tuple(item if isinstance(item, Passage) else _passage(item) for item in given)
    raise InvalidVariables(
        "the variables do not fit the prompt", [FieldError(into, "must be a list of texts or passages, each with a `text`")]
    )


def _is_passage(item: Any) -> bool:
    return isinstance(item, str | Passage) or (isinstance(item, Mapping) and isinstance(item.get("text"), str))


def _passage(item: str | Mapping[str, Any]) -> Passage:
    """Read a passage as the server sends it; what a plain text does not say is left empty."""
    said: Mapping[str, Any] = {"text": item} if isinstance(item, str) else item
    return Passage(
        text=said["text"],
        score=said.get("score", 0.0),
        collection=said.get("collection", ""),
        document=said.get("document", ""),
        chunk=said.get("chunk", 0),
        digest=said.get("digest", ""),
        metadata=said.get("metadata") or {},
    )
