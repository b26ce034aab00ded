"""Answers that are remembered: found by the digest of all that was asked, and kept with the next results.

Errors are never kept, nor is an answer that is not in the form that was asked for: asking again may mend both.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptuary.models.calls.request import ModelReply, ModelRequest

CACHE_FORMAT = 1
"""Of the key and of the body; a higher one forgets all that was kept under a lower one."""
_AT_ONCE = 200


def model_binding_json(request: ModelRequest) -> str:
    """Give the JSON of what the model is bound to: its name and settings, tools, response format and schema."""
    given = {name: value for name, value in request.config.items() if value is not None}
    return _json([CACHE_FORMAT, request.model, given, request.tools, request.response_format, request.schema])


def cache_key(form: str, messages: str, repeat: int) -> str:
    """Give the digest under which an answer is kept: of the form, the JSON of the messages and the number of the repeat."""
    return hashlib.sha256(f"{form}\n{messages}\n{repeat}".encode("utf-8", "surrogatepass")).hexdigest()


def messages_json(messages: Sequence[Mapping[str, Any]]) -> str:
    """Give the messages as they are digested and counted."""
    return _json([dict(message) for message in messages])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict)


class ResponseCache:
    """The answers of one run; for the tasks of one event loop.

    Answers that are looked for while others are being read are read together after those, in a thread.
    """

    def __init__(self, find: Callable[[list[str]], dict[str, dict[str, Any]]], *, reading: bool = True) -> None:
        """Start with nothing to keep.

        Args:
            find: gives the bodies that are kept under keys; may block, is called in a thread.
            reading: whether answers are looked for at all.
        """
        self._find = find
        self._reading = reading
        self._wanted: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._kept: dict[str, dict[str, Any]] = {}

    async def find(self, key: str) -> ModelReply | None:
        """Give the remembered answer, with a cost of 0 and the latency that it had."""
        if not self._reading:
            return None
        if key not in self._wanted:
            self._wanted[key] = asyncio.get_running_loop().create_future()
        found = self._wanted[key]
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        body = await asyncio.shield(found)
        return None if body is None else _reply(body)

    def keep(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Keep an answer, with the next results."""
        if request.schema is None or reply.parsed is not None:
            self._kept[key] = _body(reply)

    def due(self) -> dict[str, dict[str, Any]]:
        """Give what is to be written now; nobody else will write it."""
        kept, self._kept = self._kept, {}
        return kept

    async def _read(self) -> None:
        while self._wanted:
            batch = dict(list(self._wanted.items())[:_AT_ONCE])
            for key in batch:
                del self._wanted[key]
            try:
                found = await asyncio.to_thread(self._find, list(batch))
            except BaseException as error:
                for place in batch.values():
                    place.set_exception(error) if isinstance(error, Exception) else place.cancel()
                    if isinstance(error, Exception):
                        place.exception()  # seen, also where nobody waits any more
                if not isinstance(error, Exception):
                    raise
                continue
            for key, place in batch.items():
                if not place.done():
                    place.set_result(found.get(key))


def _body(reply: ModelReply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "tool_calls": [dict(call) for call in reply.tool_calls],
        "parsed": reply.parsed,
        "finish_reason": reply.finish_reason,
        "logprobs": list(reply.logprobs) if reply.logprobs is not None else None,
        "tokens": dict(reply.tokens) if reply.tokens is not None else None,
        "latency_ms": reply.latency_ms,
    }


def _reply(body: Mapping[str, Any]) -> ModelReply:
    return ModelReply(
        text=body["text"],
        tool_calls=tuple(body["tool_calls"]),
        parsed=body["parsed"],
        finish_reason=body["finish_reason"],
        logprobs=tuple(body["logprobs"]) if body["logprobs"] is not None else None,
        tokens=body["tokens"],
        cost=0.0,
        latency_ms=body["latency_ms"],
        cached=True,
    )
