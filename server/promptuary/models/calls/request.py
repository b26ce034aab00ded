"""The request and the reply of a model call, and the protocols of who provides and who calls models."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from promptuary.prompt.text import replace_refused

CACHE_FORMAT = 1
"""The version of cache keys and of cached bodies; a higher one makes all responses of a lower one unreachable."""


class ChatModelSource(Protocol):
    """Provides LangChain chat models by name; safe to call from several threads."""

    def chat(self, name: str, config: Mapping[str, Any]) -> Any:
        """Return the model with these settings; may start a local server."""


@dataclass(frozen=True)
class ModelRequest:
    """A request to a model.

    Attributes:
        model: its name, `provider:model`.
        messages: each `{role, content}`.
        config: the settings of the model, and the address and the variable of the key, where it has its own.
        tools: in OpenAI's form.
        response_format: in OpenAI's form.
        schema: a JSON schema for the reply, which then has `parsed`.
        repeat: the number of the repeat, from 0; the same request in another repeat has a cached response of its own.
        sensitive: whether a sensitive value is in the request, so that the response is not cached; see `sensitive_calls`.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] | None = None
    response_format: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    repeat: int = 0
    sensitive: bool = False

    @property
    def provider(self) -> str:
        """The part of the model's name before the colon."""
        return self.model.partition(":")[0]

    @property
    def server(self) -> str:
        """The address that is asked where the request has its own, else the provider: what limits of calls are about."""
        return str(self.config.get("base_url") or self.provider)

    @cached_property
    def binding_json(self) -> str:
        """The JSON of what is bound to the model: its name, settings, tools, response format and schema.

        Tools and the response format are in their order, which reaches the model. The order of the settings does not; the
        schema is that of a judge's form, which always has one order.
        """
        settings = {name: self.config[name] for name in sorted(self.config) if self.config[name] is not None}
        schema = None if self.schema is None else json.loads(json.dumps(self.schema, sort_keys=True, default=dict))
        return _json([CACHE_FORMAT, self.model, settings, self.tools, self.response_format, schema])

    @cached_property
    def messages_json(self) -> str:
        """The JSON of the messages, as it is digested and measured: the order within a message does not reach the model.

        The order within its parts may: a tool's arguments are sent in it.
        """
        return _json([{key: message[key] for key in sorted(message)} for message in self.messages])

    @cached_property
    def cache_key(self) -> str:
        """The key of the response: a digest of the binding, the messages (both as JSON) and the number of the repeat."""
        text = f"{self.binding_json}\n{self.messages_json}\n{self.repeat}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class ModelReply:
    """The reply of a model.

    Attributes:
        text: the output, without the reasoning and without white space around it; if it is empty, the tool calls in OpenAI's
            form, else the refusal.
        tool_calls: each `{name, args, id}`.
        invalid_tool_calls: those whose arguments are no JSON object, each `{name, args, id, error}`, `args` as the model wrote
            them.
        refusal: the model's or its provider's refusal; None where it does not refuse.
        reasoning: what the model thought before its output; empty where it does not show it.
        parsed: the reply in the form of the request's schema; None without a schema, or if the reply does not fit it.
        finish_reason: why the model stopped, in its provider's word.
        logprobs: of the reply's tokens, natural logarithms.
        tokens: `input` and `output`, and `cache_read` if the provider read some of the input from its cache; None if the
            provider does not report them.
        cost: in US dollars; of a cached response, as it was when the model was called. None if no price is known.
        latency_ms: of the attempt that succeeded; of a cached response, as it was at that time.
        cached: whether it comes from the response cache, so that nothing was sent or paid.
    """

    text: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    invalid_tool_calls: tuple[Mapping[str, Any], ...] = ()
    refusal: str | None = None
    reasoning: str = ""
    parsed: Any = None
    finish_reason: str | None = None
    logprobs: tuple[float, ...] | None = None
    tokens: Mapping[str, int] | None = None
    cost: float | None = None
    latency_ms: float = 0.0
    cached: bool = False

    @property
    def output(self) -> Any:
        """The output as JSON: a list of calls, in OpenAI's form, where the model requested tools alone; else the text."""
        if not self.tool_calls and not self.invalid_tool_calls:
            return self.text
        calls = _openai_calls(self.tool_calls, self.invalid_tool_calls)
        try:
            return calls if json.loads(self.text) == calls else self.text
        except (ValueError, RecursionError):
            return self.text


def calls_text(calls: Sequence[Mapping[str, Any]], invalid_calls: Sequence[Mapping[str, Any]]) -> str:
    """Return tool calls in OpenAI's form as JSON; the arguments of an invalid one are as the model wrote them."""
    body = _openai_calls(calls, invalid_calls)
    return replace_refused(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def _openai_calls(calls: Sequence[Mapping[str, Any]], invalid_calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    arguments = [(call, json.dumps(call["args"], ensure_ascii=False)) for call in calls]
    arguments += [(call, call["args"]) for call in invalid_calls]
    return [
        {"id": call.get("id"), "type": "function", "function": {"name": call["name"], "arguments": text}}
        for call, text in arguments
    ]


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict).encode


class ModelCaller(Protocol):
    """Calls models within their limits; `ModelClient` is the one of a run."""

    async def ask(self, request: ModelRequest) -> ModelReply:
        """Return the model's reply; raise the error of the last attempt."""
