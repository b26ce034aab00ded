"""What scorers need from outside: embeddings, judging models, and what an operator allows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from promptuary.embedding.shared_embedding import SharedEmbedding
from promptuary.evaluation.javascript.engine import JavaScriptEngine
from promptuary.evaluation.json_object import JsonObject
from promptuary.models.calls import ModelReply
from promptuary.models.model_spec import ModelSpec


class JudgeClient(Protocol):
    """Calls a model with a JSON schema for its output; counted, limited and cached like every call of a run."""

    def __call__(
        self,
        model: str | ModelSpec,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: JsonObject | None = None,
        repeat: int = 0,
    ) -> Awaitable[ModelReply]:
        """Return the model's reply; its `parsed` is None where the output does not fit the schema."""


def _ignore_close(close: Callable[[], None]) -> None:
    """Register nothing."""


@dataclass(frozen=True)
class ScorerDependencies:
    """The services and permissions that scorers are built with.

    Attributes:
        embed: maps n texts to an n×d float array whose rows have unit length; it may block, so it is called in a thread.
        ask: calls a judging model.
        code: whether scorers may run the suite's own code.
        javascript: runs the suite's JavaScript; None where an operator has turned it off. It starts at the first script.
        webhook_hosts: the hosts that scorers may send outputs to.
        without_schema: the names of judging models whose endpoints have refused a schema, so that it is not sent again.
        closing: registers a function that ends a scorer's processes; the owner calls it once the scorers are not needed.
    """

    embed: Callable[[Sequence[str]], Any]
    ask: JudgeClient
    code: bool = False
    webhook_hosts: frozenset[str] = frozenset()
    closing: Callable[[Callable[[], None]], object] = _ignore_close
    javascript: JavaScriptEngine | None = field(default_factory=JavaScriptEngine)
    without_schema: set[str] = field(default_factory=set, repr=False, compare=False)

    @cached_property
    def shared_embedding(self) -> SharedEmbedding:
        """Embeds the texts of all scorers that wait in one call of `embed`."""
        return SharedEmbedding(self.embed)
