"""Chat models by name, `provider:model`, as LangChain names providers. The list of providers is closed."""

import importlib.util
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from promptuary.core.errors import FieldError, InvalidRequest
from promptuary.core.settings import Settings
from promptuary.models import local_server
from promptuary.models.calls.setup.errors import ModelNotSetUp
from promptuary.models.connections import EventLoopClient
from promptuary.models.direct.sessions import LoopSessions
from promptuary.models.endpoints import API_KEY_ENV, BASE_URL, NO_KEY, EndpointPermissions
from promptuary.models.local_server import LOCAL_MODELS, LocalServer, local_model_error
from promptuary.prompt.canonical_json import InOrder, canonical_json
from promptuary.prompt.model_settings import MODEL_SETTINGS

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LOCAL, ECHO = "local", "echo"

# LangChain's names of providers and the module that each needs. A provider that would load the weights in the model's name
# (huggingface), or send the request to any address (litellm, langsmith), is left out.
PROVIDERS: dict[str, str] = {
    "anthropic": "langchain_anthropic",
    "azure_openai": "langchain_openai",
    "bedrock": "langchain_aws",
    "bedrock_converse": "langchain_aws",
    "cohere": "langchain_cohere",
    "deepseek": "langchain_deepseek",
    "fireworks": "langchain_fireworks",
    "google_genai": "langchain_google_genai",
    "google_vertexai": "langchain_google_vertexai",
    "groq": "langchain_groq",
    "mistralai": "langchain_mistralai",
    "nvidia": "langchain_nvidia_ai_endpoints",
    "ollama": "langchain_ollama",
    "openai": "langchain_openai",
    "openrouter": "langchain_openrouter",
    "perplexity": "langchain_perplexity",
    "together": "langchain_together",
    "upstage": "langchain_upstage",
    "xai": "langchain_xai",
}

COMMON_SETTINGS = frozenset({"temperature", "max_tokens", "top_p", "seed", "stop"})
"""The settings that LangChain's models have in common; the others of `MODEL_SETTINGS` are those of some providers."""

REASONING_SETTINGS = frozenset({"reasoning", "reasoning_effort", "thinking", "thinking_budget", "verbosity", "service_tier"})
"""Settings that a provider whose models do not have them gets as they are."""

SPEC_SETTINGS = MODEL_SETTINGS | REASONING_SETTINGS | {"logprobs", "top_logprobs", "extra_body"}
"""The settings that a suite's model may have; a prompt has those of `MODEL_SETTINGS`."""


def model_name_error(name: str) -> str | None:
    """Return what is wrong with the form of a model's name, on any machine; None if nothing is."""
    provider, colon, model = name.partition(":")
    if not colon or not provider or (not model and provider != ECHO) or not name.isprintable() or " " in name:
        return f"'{name}' is not of the form provider:model, as in local:smollm2 or openai:gpt-4o-mini"
    if provider == LOCAL and model not in LOCAL_MODELS:
        return f"'{model}' is not a local model; known are {', '.join(sorted(LOCAL_MODELS))}"
    if provider not in (LOCAL, ECHO) and provider not in PROVIDERS:
        return f"'{provider}' is not a known provider; known are {', '.join(sorted({LOCAL, ECHO, *PROVIDERS}))}"
    return None


class ChatModels:
    """The chat models of one process; implements `ChatModelSource`. A local server starts once, at its first use.

    Attributes:
        start: starts the local server; an argument, so that tests need no weights.
    """

    def __init__(
        self, settings: Settings, start: Callable[[str, Settings], LocalServer] = local_server.start_local_server
    ) -> None:
        """Store the settings; nothing is started or imported yet."""
        self._settings = settings
        self._start = start
        self._lock = threading.Lock()
        self._servers: dict[str, LocalServer] = {}
        self._chats: dict[tuple[str, bytes], BaseChatModel] = {}
        self._client = EventLoopClient(settings.case_timeout)
        self._has_openai_chats = False
        self._sessions = LoopSessions(lambda: self._client.ssl_context)
        self._endpoints = EndpointPermissions.of(settings)
        self._checked_clients: dict[str, EventLoopClient] = {}

    def check(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        """Check that a model can be used here, without starting or importing anything.

        Args:
            name: of the model.
            config: its settings, of which the address and the variable of the key are checked.

        Raises:
            InvalidRequest: for an invalid name, an address or a key that may not be used, or a package that is not installed,
                with the command that installs it.
        """
        error = model_name_error(name)
        provider, _, model = name.partition(":")
        if error is None and (errors := self._setting_errors(name, config or {})):
            raise InvalidRequest(f"the model '{name}' cannot be used", errors)
        if error is None and provider == LOCAL:
            error = local_model_error(model)
        elif error is None and provider in PROVIDERS and importlib.util.find_spec(PROVIDERS[provider]) is None:
            package = PROVIDERS[provider].replace("_", "-")
            error = f"'{name}' needs the package {package}, which is not installed: pip install {package}"
        if error:
            raise InvalidRequest("the model cannot be used", [FieldError("model", error)])
        if variable := (config or {}).get(API_KEY_ENV):
            self._endpoints.key(variable)

    def chat(self, name: str, config: Mapping[str, Any]) -> "BaseChatModel":
        """Return LangChain's model with its settings, any of `SPEC_SETTINGS`, its address and its key; null is left out.

        The same name and settings return the same object until `close`.

        Raises:
            InvalidRequest: as `check`, and for a setting that is unknown, or that the provider's models do not have.
            Unavailable: if the local server does not start.
            ModelNotSetUp: if a provider's package refuses, for example without a key.
            Invalid: if the weights of the local model are not the published ones.
        """
        self.check(name, config)
        set_values = {key: value for key, value in config.items() if value is not None}
        key = (name, canonical_json(InOrder(dict(sorted(set_values.items())))))
        with self._lock:
            if key not in self._chats:
                self._chats[key] = self._build(name, set_values)
            return self._chats[key]

    def direct(self, model: Any) -> Any:
        """Return what calls a model of this source with less work and the same outcome; the model itself if there is nothing.

        Args:
            model: LangChain's model, with what is bound to it.
        """
        if not self._has_openai_chats:
            return model
        from promptuary.models.direct.bound_chat import direct_chat

        return direct_chat(model, self._client, self._sessions)

    def close(self) -> None:
        """Stop the local server, if one runs; the next use starts it again."""
        with self._lock:
            self._chats.clear()
            while self._servers:
                self._servers.popitem()[1].close()

    async def close_connections(self) -> None:
        """Close the connections of the running event loop; called when it is about to end."""
        await self._sessions.close()
        for client in (self._client, *self._checked_clients.values()):
            await client.close_connections()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _setting_errors(self, name: str, config: Mapping[str, Any]) -> list[FieldError]:
        """Return what is not allowed of the settings of a model, or not known."""
        names = {key for key, value in config.items() if value is not None}
        unknown = sorted(names - SPEC_SETTINGS - {BASE_URL, API_KEY_ENV})
        errors = [FieldError(key, "is not a setting of a model") for key in unknown] + self._endpoints.errors(name, config)
        return [FieldError(f"model.{error.path}", error.message) for error in errors]

    def _build(self, name: str, settings: Mapping[str, Any]) -> "BaseChatModel":
        provider, _, model = name.partition(":")
        if provider == ECHO:
            from promptuary.models.echo import EchoModel

            return cast("BaseChatModel", EchoModel())  # it delegates to one what it does not do itself
        if provider == LOCAL:
            return self._build_local(model, settings)
        common = {key: value for key, value in settings.items() if key in COMMON_SETTINGS}
        common |= self._endpoint_arguments(provider, settings.get(BASE_URL), settings.get(API_KEY_ENV))
        special = {key: value for key, value in settings.items() if key not in {*COMMON_SETTINGS, BASE_URL, API_KEY_ENV}}
        chat = self._init_chat_model(name, common)
        if missing := sorted({"base_url", "azure_endpoint", "api_key"} & common.keys() - _argument_names(type(chat))):
            message = f"is no setting of '{name}': the package of its provider does not take it"
            raise InvalidRequest(
                "the model cannot be used",
                [FieldError(f"model.{API_KEY_ENV if key == 'api_key' else BASE_URL}", message) for key in missing],
            )
        if not special:
            return chat
        return self._init_chat_model(
            name, common | provider_arguments(name, type(chat), special, own_address=BASE_URL not in settings)
        )

    def _endpoint_arguments(self, provider: str, url: str | None, variable: str | None) -> dict[str, Any]:
        """Return the arguments of a model's address and key.

        With an address there is always a key: without one, packages send the provider's own key there.
        """
        arguments: dict[str, Any] = {}
        if variable is not None:
            arguments["api_key"] = self._endpoints.key(variable)
        if url is not None:
            arguments["azure_endpoint" if provider == "azure_openai" else "base_url"] = url
            if provider != "ollama":
                arguments.setdefault("api_key", NO_KEY)
            if self._endpoints.hosts.listed is not None:
                if url not in self._checked_clients:
                    self._checked_clients[url] = EventLoopClient(self._settings.case_timeout, self._endpoints.hosts)
                arguments["http_async_client"] = self._checked_clients[url]
        return arguments

    def _init_chat_model(self, name: str, arguments: Mapping[str, Any]) -> "BaseChatModel":
        from langchain.chat_models import init_chat_model

        provider, _, model = name.partition(":")
        # Retried by `ModelClient`, which must see each refusal.
        settings = {"timeout": self._settings.case_timeout, "max_retries": 0, **self._transport(provider), **arguments}
        try:
            chat: BaseChatModel
            if PROVIDERS[provider] == "langchain_openai":
                chat = self._openai_class(provider)(model=model, **settings)
            else:
                chat = init_chat_model(model, model_provider=provider, **settings)
        except Exception as error:  # each provider's package has its own errors for a missing key
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelNotSetUp(f"the model '{name}' cannot be set up: {reason}") from None
        return chat

    def _build_local(self, model: str, config: Mapping[str, Any]) -> "BaseChatModel":
        from pydantic import SecretStr

        openai_chat = self._openai_class("openai")
        if model not in self._servers:
            self._servers[model] = self._start(model, self._settings)
        server = self._servers[model]
        return openai_chat(
            base_url=server.url,
            api_key=SecretStr(server.key),
            model=model,
            max_retries=0,
            timeout=self._settings.case_timeout,
            **self._transport("openai"),
            **{key: value for key, value in config.items() if key in COMMON_SETTINGS},
            **provider_arguments(
                f"{LOCAL}:{model}", openai_chat, {key: value for key, value in config.items() if key not in COMMON_SETTINGS}
            ),
        )

    def _openai_class(self, provider: str) -> "type[BaseChatModel]":
        from promptuary.models.openai_chat import AzureOpenAIChat, OpenAIChat

        self._has_openai_chats = True
        return AzureOpenAIChat if provider == "azure_openai" else OpenAIChat

    def _transport(self, provider: str) -> dict[str, Any]:
        return {"http_async_client": self._client} if PROVIDERS[provider] == "langchain_openai" else {}


def provider_arguments(
    name: str, chat: type["BaseChatModel"], settings: Mapping[str, Any], *, own_address: bool = True
) -> dict[str, Any]:
    """Return the arguments that some providers' models take for settings.

    OpenAI's API has no `top_k`, and servers that speak its protocol have one: it is sent, and OpenAI itself refuses it. The
    settings of reasoning have the names of the provider; one that is not known is passed on as it is.

    Args:
        name: of the model.
        chat: LangChain's class.
        settings: that not all classes have.
        own_address: whether the provider itself is asked, not a server that speaks its protocol: at OpenAI, `reasoning` is
            of another API (Responses), which others do not have.

    Raises:
        InvalidRequest: for a setting that the provider's models do not have; it would be sent nowhere.
    """
    names = _argument_names(chat)
    arguments: dict[str, Any] = {}
    body: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in sorted(settings.items()):
        if key == "reasoning" and "extra_body" in names and not own_address:
            body[key] = value
        elif key in names:
            arguments[key] = value
        elif key == "thinking_budget" and "thinking" in names:  # of Anthropic
            arguments.setdefault("thinking", {"type": "enabled", "budget_tokens": value})
        elif key == "reasoning_effort" and "reasoning" in names:  # of Ollama
            arguments.setdefault("reasoning", value)
        elif key in REASONING_SETTINGS or (key == "top_k" and "extra_body" in names):
            body[key] = value
        else:
            unknown.append(key)
    if body:
        target = next((field for field in ("extra_body", "model_kwargs") if field in names), None)
        if target is None:
            unknown += body
        else:
            arguments[target] = {**body, **arguments.get(target, {})}
    if unknown:
        message = f"is no setting of '{name}'; remove it from the prompt's config, or name another model"
        raise InvalidRequest("the model cannot be used", [FieldError(f"config.{key}", message) for key in unknown])
    return arguments


def _argument_names(chat: type["BaseChatModel"]) -> set[str | None]:
    """Return the names of the arguments of LangChain's class."""
    return set(chat.model_fields) | {field.alias for field in chat.model_fields.values()}
