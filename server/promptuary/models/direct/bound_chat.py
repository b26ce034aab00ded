"""Which models are called directly: those of OpenAI's protocol in their usual settings, with whatever is bound to them."""

from collections.abc import Mapping
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.runnables import RunnableBinding
from langsmith.utils import tracing_is_enabled

from promptuary.models.connections import EventLoopClient
from promptuary.models.direct.direct_chat import DirectChat
from promptuary.models.direct.sessions import LoopSessions
from promptuary.models.openai_chat import AzureOpenAIChat, OpenAIChat

_PRIVATE = ("_get_request_payload", "_create_chat_result")
"""The methods of LangChain's model that build a request and read a response, and that no document promises."""
_CALL_OPTIONS = frozenset({"extra_headers", "extra_query", "timeout", "stream", "stream_options"})


def direct_chat(model: Any, client: EventLoopClient, sessions: LoopSessions) -> Any:
    """Return what calls a model directly; the model itself if it is another, or has settings that this way does not know.

    Args:
        model: LangChain's model, with what is bound to it.
        client: the connections that the model has.
        sessions: sends the requests.
    """
    bound: Mapping[str, Any] = {}
    chat = model
    if isinstance(model, RunnableBinding) and not model.config and not model.config_factories:
        chat, bound = model.bound, model.kwargs
    if type(chat) not in (OpenAIChat, AzureOpenAIChat) or not _is_usual(chat, client) or not _CALL_OPTIONS.isdisjoint(bound):
        return model
    return DirectChat(chat, model, bound, sessions)


def _is_usual(chat: OpenAIChat | AzureOpenAIChat, client: EventLoopClient) -> bool:
    """Return whether nothing of LangChain's way from `ainvoke` to the response is needed."""
    return (
        all(callable(getattr(chat, name, None)) for name in _PRIVATE)
        and chat.http_async_client is client
        and not (chat.streaming or chat.include_response_headers or chat.callbacks or chat.cache or chat.custom_get_token_ids)
        and chat.rate_limiter is None
        and chat.output_version in (None, "v0")
        and chat.max_retries == 0
        and _CALL_OPTIONS.isdisjoint(chat.model_kwargs)
        and get_llm_cache() is None
        and not tracing_is_enabled()
    )
