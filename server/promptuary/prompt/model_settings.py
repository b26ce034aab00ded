"""The settings with which a model is called for a prompt: those of `model`, and the known ones of the free `config`.

`config` belongs to the application, so it may have any names and values. What is read from it has a known name and a value of
that setting's type; the rest is the application's own. Where both name a setting, `model` has precedence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.prompt.content import Content

_OPENAI_FORMATS = ("text", "json_object", "json_schema")
_FLAT_SCHEMA_KEYS = ("name", "description", "schema", "strict")
_NAMES = ("model", "model_name")
PROVIDER_NAMES = frozenset(
    (
        *("anthropic", "azure_openai", "bedrock", "bedrock_converse", "cerebras", "cohere", "deepseek", "echo", "fireworks"),
        *("google_genai", "google_vertexai", "groq", "huggingface", "ibm", "local", "mistralai", "nvidia", "ollama", "openai"),
        *("openrouter", "perplexity", "together", "upstage", "xai"),
    )
)
"""What stands before the colon of a model's name that names its provider; in `llama3:8b`, the colon is the model's own."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_stop(value: Any) -> bool:
    texts = [value] if isinstance(value, str) else value
    return isinstance(texts, list) and bool(texts) and all(isinstance(text, str) for text in texts)


@dataclass(frozen=True)
class _Setting:
    """A setting of a model: its name, the names that a config may use for it (the first has precedence), and its values."""

    name: str
    names: tuple[str, ...]
    accepts: Callable[[Any], bool]


_SETTINGS = (
    _Setting("temperature", ("temperature",), _is_number),
    _Setting("max_tokens", ("max_completion_tokens", "max_tokens"), _is_integer),
    _Setting("top_p", ("top_p",), _is_number),
    _Setting("top_k", ("top_k",), _is_integer),
    _Setting("frequency_penalty", ("frequency_penalty",), _is_number),
    _Setting("presence_penalty", ("presence_penalty",), _is_number),
    _Setting("seed", ("seed",), _is_integer),
    _Setting("stop", ("stop", "stop_sequences"), _is_stop),
    _Setting("reasoning_effort", ("reasoning_effort",), _is_text),
)
MODEL_SETTINGS = frozenset(setting.name for setting in _SETTINGS)
"""The settings that a model may be called with."""
SETTING_NAMES = frozenset(name for setting in _SETTINGS for name in setting.names)
"""The names under which they are read from a config."""


@dataclass(frozen=True)
class ModelSettings:
    """The settings of a prompt for the call of a model.

    Attributes:
        name: the model that the prompt was written for, `provider:model` where a provider is named; None without one.
        values: the settings, of `MODEL_SETTINGS`; `stop` is a list of texts.
        tools: in OpenAI's form; provider tools, such as `{type: web_search}`, are among them.
        response_format: in OpenAI's form.
    """

    name: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] | None = None
    response_format: Mapping[str, Any] | None = None


def is_provider_tool(tool: Mapping[str, Any]) -> bool:
    """Return whether a tool is a provider's own, such as `{type: web_search}`, which its model runs by itself."""
    return isinstance(tool.get("type"), str) and tool["type"] not in ("function", "custom") and "function" not in tool


def is_setting(name: str, value: Any) -> bool:
    """Return whether a config's member is the setting of a model: its name is known, and its value is one of that setting."""
    return any(name in setting.names and setting.accepts(value) for setting in _SETTINGS)


def model_settings(content: Content) -> ModelSettings:
    """Return the settings of a content: each from its own part, else from `config`.

    MLflow's `extra_params`, an object in its model config, counts as part of the config, after the config's other members.
    """
    levels = _levels(content.config)
    model = content.model.model_dump(exclude_none=True) if content.model else {}
    name = model.pop("name", None) or _model_name(levels)
    tools = content.tools
    response_format: Mapping[str, Any] | None = content.response_format
    if tools is None:
        tools = next((level["tools"] for level in levels if is_tools(level.get("tools"))), None)
    if response_format is None:
        response_format = next(_response_formats(levels), None)
    return ModelSettings(name, {**_known_values(levels), **model}, tools, openai_response_format(response_format))


def config_settings(config: Any) -> dict[str, Any]:
    """Return the settings of a free `config` by their names here; other members are left out."""
    return _known_values(_levels(config))


def text_format(text: Any) -> Mapping[str, Any] | None:
    """Return the response format in the setting `text` of OpenAI's Responses API; None where it has none."""
    value = text.get("format") if isinstance(text, dict) else None
    if not isinstance(value, dict) or value.get("type") not in ("json_object", "json_schema"):
        return None
    return value if value["type"] == "json_object" or isinstance(value.get("schema"), dict) else None


def openai_response_format(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a response format as chat completions have it.

    A JSON Schema by itself is wrapped, and so is the schema that OpenAI's Responses API has beside the type.
    """
    if response_format is None:
        return None
    if response_format.get("type") == "json_schema" and "json_schema" not in response_format:
        schema = {key: response_format[key] for key in _FLAT_SCHEMA_KEYS if key in response_format}
        rest = {key: value for key, value in response_format.items() if key not in _FLAT_SCHEMA_KEYS}
        return {**rest, "json_schema": schema}
    if response_format.get("type") in _OPENAI_FORMATS:
        return response_format
    return {"type": "json_schema", "json_schema": {"name": "response", "schema": response_format}}


def is_tools(value: Any) -> bool:
    """Return whether a config's member is a list of tools."""
    return isinstance(value, list) and all(isinstance(tool, dict) for tool in value)


def setting_checks(model: Mapping[str, Any]) -> dict[str, Callable[[Any], bool]]:
    """Return the names under which a config may have the settings of a model, each with the check of its values.

    Args:
        model: the settings by their names here; `name` is the model's, with its provider.
    """
    checks = {name: setting.accepts for setting in _SETTINGS if setting.name in model for name in setting.names}
    return checks | dict.fromkeys((*_NAMES, "provider"), _is_text) if "name" in model else checks


def _levels(config: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects in which a config may have settings, the first before the others."""
    if not isinstance(config, dict):
        return ()
    extra = config.get("extra_params")
    return (config, extra) if isinstance(extra, dict) else (config,)


def _known_values(levels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in _SETTINGS:
        named = (level.get(name) for level in levels for name in setting.names)
        value = next((value for value in named if setting.accepts(value)), None)
        if value is not None:
            values[setting.name] = [value] if setting.name == "stop" and isinstance(value, str) else value
    return values


def _model_name(levels: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the model's name with its provider, once: `provider` is put before a name that does not begin with a provider."""
    name = next((level[key] for level in levels for key in _NAMES if _is_text(level.get(key))), None)
    provider = next((level["provider"] for level in levels if _is_text(level.get("provider"))), None)
    if name is None or provider is None:
        return name
    prefix, colon, _ = name.partition(":")
    return name if colon and (prefix in PROVIDER_NAMES or prefix.lower() == provider.lower()) else f"{provider}:{name}"


def _response_formats(levels: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for level in levels:
        if isinstance(level.get("response_format"), dict):
            yield level["response_format"]
        if (value := text_format(level.get("text"))) is not None:
            yield value
