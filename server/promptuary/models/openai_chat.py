"""LangChain's model of OpenAI's protocol, with what LangChain drops: refusals, reasoning, and the reason of unusable replies.

Other servers than OpenAI's speak the protocol too, and send the reasoning in fields of their own. LangChain leaves them out on
purpose; see the note at the top of `langchain_openai.chat_models.base`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import openai
from langchain_core.outputs import ChatResult
from langchain_openai import AzureChatOpenAI, ChatOpenAI

from promptuary.models.calls.setup.errors import UnusableReply

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
"""Of DeepSeek, SGLang and older vLLM; of newer vLLM, Ollama and OpenRouter; of OpenRouter, in parts."""


class _CompleteReplies:
    """The part that both models share."""

    async def _agenerate(self, *arguments: Any, **options: Any) -> ChatResult:
        """Return LangChain's result.

        Raises:
            UnusableReply: for a response of status 200 that LangChain or OpenAI's package cannot read.
        """
        try:
            result: ChatResult = await super()._agenerate(*arguments, **options)  # type: ignore[misc]  # of ChatOpenAI
        except openai.ContentFilterFinishReasonError as error:
            # Raised where a response format is requested; without one the same response is a result, with this finish reason.
            response = getattr(error, "response", None)
            if response is None:
                raise
            return self._create_chat_result(response.json())
        except (UnusableReply, openai.OpenAIError):
            raise
        except Exception as error:
            response = getattr(error, "response", None)  # set by LangChain for an error after the response
            if response is None or response.status_code != 200:
                raise
            raise UnusableReply(_address(self), f"a body that is no completion: {_excerpt(response.text)}") from error
        return result

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        """Return LangChain's result with the parts that it drops.

        Raises:
            UnusableReply: for a response that is no chat completion.
        """
        if not isinstance(response, dict | openai.BaseModel):
            raise UnusableReply(_address(self), f"a page or a text instead of JSON: {_excerpt(response)}")
        choices = response.get("choices") if isinstance(response, dict) else getattr(response, "choices", None)
        error = response.get("error") if isinstance(response, dict) else getattr(response, "error", None)
        if not choices and not error:
            raise UnusableReply(_address(self), f"JSON without `choices`: {_excerpt(_body(response))}")
        result: ChatResult = super()._create_chat_result(response, generation_info)  # type: ignore[misc]  # of ChatOpenAI
        for generation, choice in zip(result.generations, choices or (), strict=True):
            for name, value in _dropped_parts(choice):
                generation.message.additional_kwargs.setdefault(name, value)
        return result


class OpenAIChat(_CompleteReplies, ChatOpenAI):
    """The model of OpenAI's API and of servers that speak its protocol."""


class AzureOpenAIChat(_CompleteReplies, AzureChatOpenAI):
    """The model of Azure's API. LangChain raises an error for an output that Azure's filter ended; here it is a refusal."""

    def _create_chat_result(
        self, response: dict[str, Any] | openai.BaseModel, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        choices = _field(response, "choices") or ()
        if any(_field(choice, "finish_reason") == "content_filter" for choice in choices):
            return ChatOpenAI._create_chat_result(self, response, generation_info)
        return super()._create_chat_result(response, generation_info)


def _dropped_parts(choice: Any) -> Iterator[tuple[str, Any]]:
    """Yield the refusal and the reasoning of a choice, by their names in LangChain's messages."""
    message = _field(choice, "message")
    refusal = _field(message, "refusal")
    if refusal:
        yield "refusal", refusal
    reasoning = next((value for name in _REASONING_FIELDS if (value := _field(message, name))), None)
    if reasoning:
        yield "reasoning_content", reasoning


def _field(value: Any, name: str) -> Any:
    """Return a field of a dictionary or of a model of OpenAI's, which keeps unknown fields as attributes."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _body(response: dict[str, Any] | openai.BaseModel) -> Any:
    return response if isinstance(response, dict) else response.model_dump(mode="json", exclude_none=True)


def _address(chat: Any) -> str:
    return str(getattr(getattr(chat, "root_async_client", None), "base_url", "")) or "the address"


def _excerpt(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
