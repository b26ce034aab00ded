"""The settings with which a model is called for a prompt: those of `model`, and the known ones of the free `config`.

`config` belongs to the application, so it may have any names and values. What is read from it has a known name and a value of
that setting's type; the rest is the application's own. Where both name a setting, `model` has precedence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptuary.prompt.content import Content

_OPENAI_FORMATS = ("text", "json_object", "json_schema")
_NAMES = ("model", "model_name")


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

    MLflow's `extra_params`, an object in its model config, counts as part of the config.
    """
    config = _settings_object(content.config)
    model = content.model.model_dump(exclude_none=True) if content.model else {}
    name = model.pop("name", None) or _model_name(config)
    tools, response_format = content.tools, content.response_format
    if tools is None and _is_tools(config.get("tools")):
        tools = config["tools"]
    if response_format is None and isinstance(config.get("response_format"), dict):
        response_format = config["response_format"]
    return ModelSettings(name, {**_known_values(config), **model}, tools, _openai_format(response_format))


def _settings_object(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        return {}
    extra = config.get("extra_params")
    return {**extra, **config} if isinstance(extra, dict) else config


def _known_values(config: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in _SETTINGS:
        value = next((config[name] for name in setting.names if setting.accepts(config.get(name))), None)
        if value is not None:
            values[setting.name] = [value] if setting.name == "stop" and isinstance(value, str) else value
    return values


def _model_name(config: Mapping[str, Any]) -> str | None:
    name = next((config[key] for key in _NAMES if _is_text(config.get(key))), None)
    provider = config.get("provider")
    return f"{provider}:{name}" if name and _is_text(provider) else name


def _openai_format(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a response format in OpenAI's form, which a JSON Schema by itself is not."""
    if response_format is None or response_format.get("type") in _OPENAI_FORMATS:
        return response_format
    return {"type": "json_schema", "json_schema": {"name": "response", "schema": response_format}}


def _is_tools(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tool, dict) for tool in value)
