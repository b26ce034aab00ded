"""Every call of a model that a run makes, a candidate's or a judge's: asked, asked again after what may pass, and counted."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from promptuary.base.errors import Unavailable

ATTEMPTS = 3
FIRST_WAIT = 0.5
_TRANSIENT = (408, 409, 425, 429)


class Chats(Protocol):
    """Gives LangChain chat models by name; safe to call from several threads."""

    def chat(self, name: str, config: Mapping[str, Any]) -> Any:
        """Give the model with these settings; may start a local server."""


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    Attributes:
        model: its name, `provider:model`.
        messages: each `{role, content}`.
        config: the model's settings.
        tools: in OpenAI's form.
        response_format: in OpenAI's form.
        schema: a JSON schema that the answer is to have the form of; then the reply has `parsed`.
        repeat: 0 for the first time that the same is asked in a run, so that each repeat has an answer of its own.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] | None = None
    response_format: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    repeat: int = 0


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Attributes:
        text: without white space around it; where there is none and tools are asked for, their calls in OpenAI's form.
        tool_calls: each `{name, args, id}`.
        parsed: the answer in the form of the request's schema; None without one, or where the model did not keep to it.
        finish_reason: why it stopped, in its provider's word.
        logprobs: of its tokens, natural logarithms.
        tokens: `input` and `output`; None where the provider did not say.
        cost: in US dollars; None where no price is known.
        latency_ms: of the attempt that gave it.
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


class Asks(Protocol):
    """Asks models, within whatever limits hold."""

    async def ask(self, request: Request) -> Reply:
        """Give the model's answer; raises what the last attempt raised."""


@dataclass(frozen=True)
class Calls:
    """Asks LangChain's models.

    Attributes:
        chats: gives the models.
        pause: waits between attempts.
        jitter: in [0, 1); spreads the waits.
    """

    chats: Chats
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def ask(self, request: Request) -> Reply:
        """Ask, and ask again after what may pass: a lost connection, an overloaded server."""
        chat = await asyncio.to_thread(self.chats.chat, request.model, request.config)
        if request.tools:
            chat = chat.bind_tools(request.tools)
        if request.response_format:
            chat = chat.bind(response_format=request.response_format)
        if request.schema is not None:
            chat = chat.with_structured_output(dict(request.schema), include_raw=True)
        for attempt in range(1, ATTEMPTS):
            try:
                return await _asked(chat, request)
            except Exception as error:
                if not transient(error):
                    raise
            await self.pause(FIRST_WAIT * 2 ** (attempt - 1) * (0.5 + self.jitter()))
        return await _asked(chat, request)


async def _asked(chat: Any, request: Request) -> Reply:
    started = time.perf_counter()
    answer = await chat.ainvoke([dict(message) for message in request.messages])
    elapsed = (time.perf_counter() - started) * 1000
    message, parsed = (answer["raw"], answer["parsed"]) if request.schema is not None else (answer, None)
    return reply_of(message, elapsed, parsed)


def reply_of(message: Any, latency_ms: float, parsed: Any = None) -> Reply:
    """Read LangChain's message."""
    calls = tuple(getattr(message, "tool_calls", None) or ())
    metadata = getattr(message, "response_metadata", None) or {}
    usage = getattr(message, "usage_metadata", None)
    shown = (metadata.get("logprobs") or {}).get("content") if isinstance(metadata.get("logprobs"), dict) else None
    return Reply(
        text=_text(message, calls),
        tool_calls=calls,
        parsed=parsed,
        finish_reason=metadata.get("finish_reason") or metadata.get("stop_reason"),
        logprobs=tuple(float(token["logprob"]) for token in shown) if shown else None,
        tokens={"input": usage["input_tokens"], "output": usage["output_tokens"]} if usage else None,
        latency_ms=latency_ms,
    )


def transient(error: BaseException | None) -> bool:
    """Tell whether the same call may succeed a little later: by what it raised, or what that was raised from."""
    while error is not None:
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            return status in _TRANSIENT or status >= 500
        if isinstance(error, (ConnectionError, TimeoutError, httpx.TransportError, Unavailable)):
            return True
        error = error.__cause__
    return False


def _text(message: Any, calls: Sequence[Mapping[str, Any]]) -> str:
    """Give the answer's text; where there is none, the calls of tools that it asks for, in OpenAI's form."""
    text = storable(str(message.text))
    if not (getattr(message, "response_metadata", None) or {}).get("verbatim"):
        text = text.strip()
    if text or not calls:
        return text
    return storable(
        json.dumps(
            [
                {
                    "id": call.get("id"),
                    "type": "function",
                    "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
                }
                for call in calls
            ],
            ensure_ascii=False,
        )
    )


def storable(text: str) -> str:
    """Put a replacement character where a model wrote what no database takes: a NUL, or half of a surrogate pair."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
