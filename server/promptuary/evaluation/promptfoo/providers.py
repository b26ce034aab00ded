"""promptfoo's providers by our names of models, which are LangChain's, and what of their settings a version keeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptuary.evaluation.promptfoo.files import PromptfooFolder, is_code, is_reference
from promptuary.evaluation.promptfoo.raw import RawObject
from promptuary.evaluation.promptfoo.report import TranslationReport, Unsupported
from promptuary.models.chat_models import model_name_error
from promptuary.prompt.content import ModelConfig
from promptuary.prompt.model_settings import SETTING_NAMES, is_setting

CHAT_ENDPOINTS = ("chat", "messages", "responses", "converse")
PROVIDER_NAMES: Mapping[str, str] = {
    "anthropic": "anthropic",
    "azure": "azure_openai",
    "azureopenai": "azure_openai",
    "bedrock": "bedrock_converse",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "google_genai",
    "groq": "groq",
    "mistral": "mistralai",
    "nvidia": "nvidia",
    "ollama": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "palm": "google_genai",
    "perplexity": "perplexity",
    "togetherai": "together",
    "vertex": "google_vertexai",
    "xai": "xai",
}
"""Providers whose models answer chats here, too."""
OTHER_ENDPOINTS = frozenset(
    {
        *("agent", "agents", "assistant", "chatkit", "codex", "codex-sdk", "completion", "embedding", "embeddings", "image"),
        *("live", "moderation", "realtime", "rerank", "speech", "transcription", "tts", "video"),
    }
)
"""What stands behind the provider's name where it is no chat model."""
CODE_PROVIDERS = ("exec", "python", "javascript", "golang", "ruby", "package", "file")
ADDRESS_PROVIDERS = ("http", "https", "ws", "wss", "websocket", "webhook", "mcp", "a2a")
CREDENTIAL_SETTINGS = frozenset(
    {"apiKey", "apiKeyEnvar", "organization", "accessKeyId", "secretAccessKey", "sessionToken", "profile"}
)
PRICE_SETTINGS = frozenset({"cost", "inputCost", "outputCost"})
_NAMES = "is for people; no verdict depends on it"
IGNORED_SETTINGS: Mapping[str, str] = {
    "timeout": "PROMPTUARY_CASE_TIMEOUT sets how long a case may take",
    "maxRetries": "calls that may succeed later are repeated",
    "showThinking": "reasoning is kept apart from the output",
    "stream": "an output is scored when it is whole, however it was sent",
    "apiKeyRequired": "keys are set in the environment where the suite is run",
    "description": _NAMES,
    "label": _NAMES,
    "metadata": _NAMES,
}
"""Settings that reach no model, and why they have no place here."""
HTTP_SETTINGS = ("url", "method", "body", "queryParams", "transformResponse", "transformRequest", "validateStatus")
_FILE_SETTINGS = ("tools", "functions", "response_format")
"""Settings that may stand in a file of their own."""
ENDPOINT_SETTINGS = frozenset(
    {"apiBaseUrl", "apiHost", "apiVersion", "baseUrl", "region", "projectId", "headers", "deploymentName"}
)


@dataclass(frozen=True)
class Provider:
    """A provider as the file has it: its id, its label, its settings, the prompts that it is for, its transform."""

    id: str
    label: str | None = None
    config: RawObject = field(default_factory=dict)
    prompts: Any = None
    transform: Any = None

    def is_named(self, names: Any) -> bool:
        """Return whether a list of names means this provider: its label or id, the beginning of one before `:`, or `…*`."""
        mine = [own for own in (self.label, self.id) if own]
        return any(
            own == name or own.startswith(f"{name}:") or (name.endswith("*") and own.startswith(name[:-1]))
            for name in (names if isinstance(names, list) else [names])
            if isinstance(name, str)
            for own in mine
        )


def read_providers(value: Any, folder: PromptfooFolder, report: TranslationReport) -> list[Provider]:
    """Read the key `providers`, or `targets`; what is no provider is reported."""
    providers: list[Provider] = []
    for number, entry in enumerate(value if isinstance(value, list) else [value]):
        try:
            providers += _read(entry, folder)
        except Unsupported as error:
            report.refuse("provider", str(entry)[:60], str(error), f"providers[{number}]")
    return providers


def _read(entry: Any, folder: PromptfooFolder) -> Iterator[Provider]:
    if is_reference(entry) and not is_code(entry):
        loaded = folder.inline(entry)
        for nested in loaded if isinstance(loaded, list) else [loaded]:
            yield from _read(nested, folder)
    elif isinstance(entry, str):
        yield Provider(entry)
    elif isinstance(entry, dict) and isinstance(entry.get("id"), str):
        yield _provider(entry["id"], entry, folder)
    elif isinstance(entry, dict) and len(entry) == 1:
        ((name, options),) = entry.items()
        options = options if isinstance(options, dict) else {}
        yield _provider(name, {"label": options.get("id"), **options}, folder)
    else:
        raise Unsupported("is no provider: a name, or an object with `id`")


def _provider(name: str, options: RawObject, folder: PromptfooFolder) -> Provider:
    config, prompts = options.get("config") or {}, options.get("prompts")
    if isinstance(config, dict):
        config = {key: folder.inline(value) if key in _FILE_SETTINGS else value for key, value in config.items()}
    return Provider(name, options.get("label"), config, prompts, options.get("transform"))


def model_name(name: str) -> str:
    """Return LangChain's name of a provider's model.

    Raises:
        Unsupported: for one that has none here.
    """
    head, _, rest = name.partition(":")
    if name in ("echo", "promptfoo:echo"):
        return "echo:"
    if head in CODE_PROVIDERS or is_code(name):
        raise Unsupported("is code, which is not run here; name a model with --model")
    if head in ADDRESS_PROVIDERS:
        raise Unsupported("is an address of its own; only known providers are asked; name a model with --model")
    provider = PROVIDER_NAMES.get(head)
    kind, colon, model = rest.partition(":")
    if provider is None or not rest or kind in OTHER_ENDPOINTS:
        raise Unsupported("is no chat model that is known here; name one with --model")
    model = model if colon and kind in CHAT_ENDPOINTS else rest
    if words := model_name_error(f"{provider}:{model}"):
        raise Unsupported(words)
    return f"{provider}:{model}"


def content_settings(config: RawObject, model: str, report: TranslationReport, place: str) -> RawObject:
    """Return the parts of a content that a provider's settings become; the others are reported.

    Raises:
        Unsupported: for a setting of a kind or size that is not taken.
    """
    if model == "echo:":
        for key in config:
            report.leave("provider config", key, "echo has no settings", place)
        return {}
    parts: RawObject = {}
    settings: RawObject = {}
    for key, value in config.items():
        if key in SETTING_NAMES:
            settings[key] = value
            report.carry("provider config", key, place)
        elif key in ("tools", "response_format") and _is_openai_form(key, value):
            parts[key] = value
            report.carry("provider config", key, place)
        elif key in IGNORED_SETTINGS:
            report.leave("provider config", key, IGNORED_SETTINGS[key], place)
        elif key in HTTP_SETTINGS:
            report.leave("provider config", key, "is a setting of `http` providers, which promptfoo reads for no model", place)
        elif key in PRICE_SETTINGS:
            report.change("provider config", key, "a suite's `prices` state what a model costs, else published ones", place)
        elif key in CREDENTIAL_SETTINGS:
            report.leave("provider config", key, "keys are set in the environment where the suite is run", place)
        elif key in ENDPOINT_SETTINGS:
            report.change("provider config", key, "the environment sets a provider's address (as OPENAI_BASE_URL)", place)
        else:
            report.refuse("provider config", key, "a model is called with " + ", ".join(sorted(SETTING_NAMES)), place)
    if settings:
        if isinstance(settings.get("stop"), str):
            settings["stop"] = [settings["stop"]]
        model_part = {key: value for key, value in settings.items() if key in ModelConfig.model_fields}
        config = {key: value for key, value in settings.items() if key not in model_part}
        try:
            ModelConfig.model_validate({"name": model, **model_part})
        except ValueError:
            raise Unsupported("has settings beyond what a model takes here: " + ", ".join(sorted(settings))) from None
        if wrong := sorted(key for key, value in config.items() if not is_setting(key, value)):
            raise Unsupported("has settings with values of another type: " + ", ".join(wrong))
        parts |= {key: value for key, value in (("model", model_part), ("config", config)) if value}
    return parts


def _is_openai_form(key: str, value: Any) -> bool:
    """Return whether tools or a response format are in OpenAI's form."""
    if key == "response_format":
        return isinstance(value, dict) and "type" in value
    return isinstance(value, list) and all(isinstance(tool, dict) and "function" in tool for tool in value)
