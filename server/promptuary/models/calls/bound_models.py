"""Chat models with the tools, response format or schema of a request bound to them; each is built once in a run."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.models.calls.request import ChatModelSource, ModelRequest
from promptuary.prompt.model_settings import is_provider_tool


@dataclass(frozen=True)
class BoundModel:
    """A model that is ready to be called.

    Attributes:
        chat: LangChain's model.
        binding_bytes: the size of what is bound to it, as a provider may count it.
    """

    chat: Any
    binding_bytes: int


@dataclass(frozen=True)
class BoundModels:
    """The bound models of one run, for the tasks of one event loop."""

    source: ChatModelSource
    _models: dict[str, asyncio.Future[BoundModel]] = field(default_factory=dict, init=False)

    async def get(self, request: ModelRequest, binding: str) -> BoundModel:
        """Return the model of a request; concurrent requests with the same binding wait for one build.

        Args:
            request: names the model, its settings and what is bound to it.
            binding: all of that as JSON.
        """
        if binding not in self._models:
            self._models[binding] = asyncio.ensure_future(asyncio.to_thread(self._build, request))
            self._models[binding].add_done_callback(lambda future: self._drop_failed(binding, future))
        return await asyncio.shield(self._models[binding])

    def _build(self, request: ModelRequest) -> BoundModel:
        chat = self.source.chat(request.model, request.config)
        bound = [value for value in (request.tools, request.response_format, request.schema) if value]
        if request.tools:
            chat = _bind_tools(chat, request.tools)
        if request.response_format:
            chat = chat.bind(response_format=request.response_format)
        if request.schema is not None:
            chat = chat.with_structured_output(dict(request.schema), include_raw=True)
        direct = getattr(self.source, "direct", None)
        chat = chat if direct is None else direct(chat)
        return BoundModel(chat, len(str(bound).encode("utf-8", "replace")) if bound else 0)

    def _drop_failed(self, binding: str, future: "asyncio.Future[BoundModel]") -> None:
        if future.cancelled() or future.exception() is not None:
            self._models.pop(binding, None)


def _bind_tools(chat: Any, tools: Sequence[Mapping[str, Any]]) -> Any:
    """Return the model with tools bound; a provider's own tool that LangChain does not know is sent as it is."""
    try:
        return chat.bind_tools(tools)
    except ValueError:
        if not any(map(is_provider_tool, tools)):
            raise
    return chat.bind(tools=[dict(tool) if is_provider_tool(tool) else _bound_tool(chat, tool) for tool in tools])


def _bound_tool(chat: Any, tool: Mapping[str, Any]) -> Any:
    """Return a function in the form in which LangChain sends it to the provider."""
    return chat.bind_tools([tool]).kwargs["tools"][0]
