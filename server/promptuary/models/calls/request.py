"""What a model is asked and what it answers; the two doors that calls go through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class ChatModelSource(Protocol):
    """Gives LangChain chat models by name; safe to call from several threads."""

    def chat(self, name: str, config: Mapping[str, Any]) -> Any:
        """Give the model with these settings; may start a local server."""


@dataclass(frozen=True)
class ModelRequest:
    """What a model is asked.

    Attributes:
        model: its name, `provider:model`.
        messages: each `{role, content}`.
        config: the model's settings.
        tools: in OpenAI's form.
        response_format: in OpenAI's form.
        schema: a JSON schema that the answer is to have the form of; then the reply has `parsed`.
        repeat: 0 for the first time that the same is asked in a run, so that each repeat has an answer of its own.
        discreet: whether a sensitive value is in it, so that the answer is not kept; what `private` says counts as well.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] | None = None
    response_format: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    repeat: int = 0
    discreet: bool = False

    @property
    def provider(self) -> str:
        """The part of the name that says who is asked."""
        return self.model.partition(":")[0]


@dataclass(frozen=True)
class ModelReply:
    """What a model answered.

    Attributes:
        text: without white space around it; where there is none and tools are asked for, their calls in OpenAI's form.
        tool_calls: each `{name, args, id}`.
        parsed: the answer in the form of the request's schema; None without one, or where the model did not keep to it.
        finish_reason: why it stopped, in its provider's word.
        logprobs: of its tokens, natural logarithms.
        tokens: `input` and `output`, and `cache_read` where the provider had some of the input at hand; None where the
            provider did not say.
        cost: in US dollars; 0 for an answer that was remembered, None where no price is known.
        latency_ms: of the attempt that gave it; of a remembered answer, as it was then.
        cached: whether it was remembered, so that nothing was asked or paid.
    """

    text: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    parsed: Any = None
    finish_reason: str | None = None
    logprobs: tuple[float, ...] | None = None
    tokens: Mapping[str, int] | None = None
    cost: float | None = None
    latency_ms: float = 0.0
    cached: bool = False


class ModelCaller(Protocol):
    """Asks models, within whatever limits hold."""

    async def ask(self, request: ModelRequest) -> ModelReply:
        """Give the model's answer; raises what the last attempt raised."""
