"""A model of OpenAI's protocol whose usual calls are sent directly, and read by LangChain; see ADR 0035."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.request import getproxies

import httpx

from promptuary.models.connections import requests_handled_by
from promptuary.models.direct.plain_completion import plain_completion
from promptuary.models.direct.plain_message import plain_message
from promptuary.models.direct.route import PROBE, RequestBuilt, Route, learned_route, stop_at_request
from promptuary.models.direct.sessions import LoopSessions, ReceivedResponse


class DirectChat:
    """Calls a LangChain model of OpenAI's protocol without OpenAI's package, whose objects cost more than all else of a call.

    LangChain's own methods build the request and read the response. What the package makes of an unusual response, it makes
    here too: the response that was received is passed through it. Where a route cannot be learned, it sends every call.

    Attributes:
        bound: what is bound to the model.
    """

    def __init__(self, chat: Any, runnable: Any, bound: Mapping[str, Any], sessions: LoopSessions) -> None:
        """Store the model; nothing is sent or learned yet.

        Args:
            chat: LangChain's model.
            runnable: the same with what is bound to it.
            bound: what is bound to it.
            sessions: sends the requests.
        """
        self.bound = bound
        self._chat, self._runnable, self._sessions = chat, runnable, sessions
        self._learning = asyncio.Lock()
        self._learned = False
        self._route: Route | None = None

    async def ainvoke(self, messages: Sequence[Any]) -> Any:
        """Return LangChain's message, or a plain one where that is all; raise the error of LangChain's model."""
        route = self._route if self._learned else await self._learn()
        try:
            body = None if route is None else route.body(messages)
        except (TypeError, ValueError, KeyError):
            body = None
        if route is None or body is None:
            return await self._runnable.ainvoke(messages)
        try:
            response = await self._sessions.post(route.endpoint, body)
        except httpx.TransportError as error:
            return await self._replay(messages, error)
        completion = plain_completion(response, parsed=route.parsed)
        if completion is None:
            return await self._replay(messages, response)
        return plain_message(completion) or _message(self._chat._create_chat_result(completion))

    async def _learn(self) -> Route | None:
        async with self._learning:
            if not self._learned:
                self._route = await self._new_route()
                self._learned = True
        return self._route

    async def _new_route(self) -> Route | None:
        """Return the route of a request that is built and not sent; None if there is none, for whatever reason."""
        if set(getproxies()) - {"no"}:
            return None  # the package's transport knows the rules for proxies
        try:
            with requests_handled_by(stop_at_request):
                await self._runnable.ainvoke([dict(message) for message in PROBE])
        except RequestBuilt as built:
            return learned_route(built.request, self._convert)
        except Exception:  # the first call raises it again
            return None
        return None

    def _convert(self, messages: Sequence[Any]) -> Sequence[Any]:
        payload: dict[str, Any] = self._chat._get_request_payload(list(messages), **self.bound)
        converted: Sequence[Any] = payload["messages"]
        return converted

    async def _replay(self, messages: Sequence[Any], outcome: ReceivedResponse | httpx.TransportError) -> Any:
        """Pass what came of a request through LangChain and OpenAI's package, as if they had sent it."""

        def handle(request: httpx.Request) -> httpx.Response:
            if isinstance(outcome, ReceivedResponse):
                return outcome.to(request)
            outcome.request = request
            raise outcome

        with requests_handled_by(handle):
            return await self._runnable.ainvoke(messages)


def _message(result: Any) -> Any:
    """Return the message of a result with its metadata, as `ainvoke` of LangChain returns it."""
    generation = result.generations[0]
    message = generation.message
    message.response_metadata = {
        **(result.llm_output or {} if len(result.generations) == 1 else {}),
        **(generation.generation_info or {}),
        **message.response_metadata,
    }
    return message
