"""A free config in which a version's parts override what the config has for the same, as they do when a model is called."""

from collections.abc import Callable, Mapping
from typing import Any

from promptuary.prompt.model_settings import is_tools, setting_checks, text_format


def overridden_config(config: Mapping[str, Any], parts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config for a program that reads a version's settings there.

    A setting that the version's model has stands there once, whatever name the config has for it. A member of a known name that
    is no value of its setting is the application's own, and stays.

    Args:
        config: the version's config.
        parts: the version's own `model`, `tools` and `response_format`, null where there are none.
        settings: the settings of its model, under the names that the program expects.
    """
    result = _without(config, setting_checks(parts["model"] or {}), settings)
    if parts["tools"] is not None:
        result = _replaced(result, "tools", is_tools, parts["tools"])
    if parts["response_format"] is not None:
        result = _without_text_format(_replaced(result, "response_format", _is_object, parts["response_format"]))
    return {**result, **settings}


def _replaced(config: Mapping[str, Any], name: str, accepts: Callable[[Any], bool], value: Any) -> dict[str, Any]:
    result = _without(config, {name: accepts}, {name: value})
    return result | {name: value} if accepts(result.get(name)) else result


def _without(
    config: Mapping[str, Any], checks: Mapping[str, Callable[[Any], bool]], set_again: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a config without the members that are settings; those that are set again keep their place."""
    result = {
        name: value for name, value in config.items() if name in set_again or name not in checks or not checks[name](value)
    }
    extra = result.get("extra_params")
    return {**result, "extra_params": _without(extra, checks, {})} if isinstance(extra, dict) else result


def _without_text_format(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without the response format of OpenAI's Responses API."""
    result = dict(config)
    text = result.get("text")
    if isinstance(text, dict) and text_format(text) is not None:
        del result["text"]
        if rest := {name: value for name, value in text.items() if name != "format"}:
            result["text"] = rest
    extra = result.get("extra_params")
    return {**result, "extra_params": _without_text_format(extra)} if isinstance(extra, dict) else result


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
