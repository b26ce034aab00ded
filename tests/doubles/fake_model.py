"""A chat model in the test's own process and event loop."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

Messages = list[dict[str, str]]
Respond = Callable[[Messages], Awaitable[AIMessage]]


async def echo_with_usage(messages: Messages) -> AIMessage:
    """Reply with the last message between white space, and report three input tokens and one output token."""
    usage = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
    return AIMessage(content=f" {messages[-1]['content']}\n", usage_metadata=usage)


@dataclass
class FakeModel:
    """A source of models and its only model, which replies by a function.

    Attributes:
        respond: returns the reply to messages, or raises.
        bound: what was bound to the model.
        configs: the settings of each request for the model.
        received: the messages of each call.
    """

    respond: Respond = echo_with_usage
    bound: dict[str, Any] = field(default_factory=dict)
    configs: list[Mapping[str, Any]] = field(default_factory=list)
    received: list[Messages] = field(default_factory=list)

    def chat(self, name: str, config: Mapping[str, Any]) -> "FakeModel":
        self.configs.append(config)
        return self

    def bind(self, **bound: Any) -> "FakeModel":
        self.bound |= bound
        return self

    def bind_tools(self, tools: list[Any]) -> "FakeModel":
        return self.bind(tools=tools)

    async def ainvoke(self, messages: Messages) -> AIMessage:
        self.received.append(messages)
        return await self.respond(messages)
