"""The response cache of a run: replies by the digest of their request, written with the next results.

Errors are never cached, nor is a reply that does not fit the requested schema: another call may get a better one.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from promptuary.models.calls.reasoning import split_reasoning
from promptuary.models.calls.request import ModelReply, ModelRequest
from promptuary.models.calls.scope import time_limit_paused

_READ_LIMIT = 200


class ModelResponseCache:
    """The cached responses of one run; for the tasks of one event loop.

    Keys that are looked up during a read are collected for the next read, which happens in a thread.
    """

    def __init__(self, read: Callable[[list[str]], Mapping[str, Mapping[str, Any]]], *, enabled: bool = True) -> None:
        """Start with nothing to write.

        Args:
            read: returns the cached bodies under keys; may block, is called in a thread.
            enabled: whether cached responses are used; new ones are collected in any case.
        """
        self._read = read
        self._enabled = enabled
        self._lookups: dict[str, list[asyncio.Future[Mapping[str, Any] | None]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._ahead: dict[str, Mapping[str, Any] | None] = {}  # what `look_up` has read and `get` has not taken
        self._new: dict[str, dict[str, Any]] = {}

    async def get(self, key: str) -> ModelReply | None:
        """Return the cached reply, with the cost and the latency that it had; None if there is none."""
        if not self._enabled:
            return None
        if key in self._ahead:
            body = self._ahead.pop(key)
        else:
            body = self._new.get(key) or await self._read_with_others(key)
        return None if body is None or _lacks_refusal(body) else _reply_of(body)

    async def look_up(self, keys: Iterable[str]) -> None:
        """Read what is cached under keys that `get` will be called with soon, all at once.

        Where the database does not answer, each `get` reads for itself, and raises the error.
        """
        missing = [key for key in dict.fromkeys(keys) if key not in self._ahead]
        if not self._enabled or not missing:
            return
        try:
            bodies = await asyncio.to_thread(self._read, missing)
        except Exception:
            return
        self._ahead |= {key: self._new.get(key) or bodies.get(key) for key in missing}

    async def _read_with_others(self, key: str) -> Mapping[str, Any] | None:
        """Return the body under a key, with those of other tasks in one read, whose time is not that of the model."""
        lookup: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._lookups.setdefault(key, []).append(lookup)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_batches())
        with time_limit_paused():
            return await lookup

    def put(self, key: str, request: ModelRequest, reply: ModelReply) -> None:
        """Add a reply to what is written with the next results."""
        if request.schema is None or reply.parsed is not None:
            self._new[key] = _body_of(reply)
            if key in self._ahead:  # an item that comes asks the same
                self._ahead[key] = self._new[key]

    def take_new(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the bodies to write now, by key; the caller must write them."""
        new, self._new = self._new, {}
        return new

    async def _read_batches(self) -> None:
        while self._lookups:
            batch = dict(islice(self._lookups.items(), _READ_LIMIT))
            for key in batch:
                del self._lookups[key]
            lookups = [(key, lookup) for key, of_key in batch.items() for lookup in of_key]
            try:
                bodies = await asyncio.to_thread(self._read, list(batch))
            except Exception as error:
                for _, lookup in lookups:
                    if not lookup.done():  # its task was cancelled
                        lookup.set_exception(error)
                continue
            except BaseException:
                for _, lookup in lookups:
                    lookup.cancel()
                raise
            for key, lookup in lookups:
                if not lookup.done():
                    lookup.set_result(bodies.get(key))


def _body_of(reply: ModelReply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "tool_calls": [dict(call) for call in reply.tool_calls],
        "invalid_tool_calls": [dict(call) for call in reply.invalid_tool_calls],
        "refusal": reply.refusal,
        "reasoning": reply.reasoning,
        "cost": reply.cost,
        "parsed": reply.parsed,
        "finish_reason": reply.finish_reason,
        "logprobs": list(reply.logprobs) if reply.logprobs is not None else None,
        "tokens": dict(reply.tokens) if reply.tokens is not None else None,
        "latency_ms": reply.latency_ms,
    }


def _lacks_refusal(body: Mapping[str, Any]) -> bool:
    """Return whether an earlier release may have dropped what an empty response was: a refusal, or invalid tool calls."""
    return "refusal" not in body and not body["text"]


def _reply_of(body: Mapping[str, Any]) -> ModelReply:
    """Build the reply. Earlier releases stored neither the cost nor a refusal, and left the reasoning in the text."""
    reasoning, text = (body["reasoning"], body["text"]) if "reasoning" in body else split_reasoning(body["text"])
    return ModelReply(
        text=text.strip(),
        tool_calls=tuple(body["tool_calls"]),
        invalid_tool_calls=tuple(body.get("invalid_tool_calls") or ()),
        refusal=body.get("refusal"),
        reasoning=reasoning.strip(),
        parsed=body["parsed"],
        finish_reason=body["finish_reason"],
        logprobs=tuple(body["logprobs"]) if body["logprobs"] is not None else None,
        tokens=body["tokens"],
        cost=body.get("cost"),
        latency_ms=body["latency_ms"],
        cached=True,
    )
