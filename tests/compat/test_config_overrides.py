"""What a version's own parts override in its free config."""

from typing import Any

import pytest

from promptuary.compat.config_overrides import overridden_config

FLAT = {"type": "json_schema", "name": "a", "schema": {}}
OWN = {"type": "json_object"}


def overridden(config: dict[str, Any], settings: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    return overridden_config(config, {"model": None, "tools": None, "response_format": None, **parts}, settings or {})


@pytest.mark.parametrize(
    "config",
    [
        {"max_completion_tokens": 9, "stop_sequences": ["a"], "model_name": "b", "provider": "c", "tools": [], "text": {}},
        {"extra_params": {"max_tokens": 1}, "z": None, "a": []},
    ],
)
def test_without_parts_of_its_own_a_config_stays_as_it_is(config: dict[str, Any]) -> None:
    assert overridden(config) == config
    assert list(overridden(config)) == list(config)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_completion_tokens": 9}, {"max_tokens": 4}),
        ({"max_tokens": 9, "max_completion_tokens": 9, "b": 1}, {"max_tokens": 4, "b": 1}),
        ({"max_completion_tokens": {"my": "own"}}, {"max_completion_tokens": {"my": "own"}, "max_tokens": 4}),
        ({"extra_params": {"max_tokens": 9, "c": 2}}, {"extra_params": {"c": 2}, "max_tokens": 4}),
        ({"max_tokens": 9, "temperature": 1}, {"max_tokens": 4, "temperature": 1}),
    ],
)
def test_a_setting_of_the_model_stands_once_whatever_the_config_calls_it(
    config: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert overridden(config, {"max_tokens": 4}, model={"max_tokens": 4}) == expected


def test_the_models_name_overrides_model_and_provider() -> None:
    config = {"provider": "anthropic", "model_name": "x", "extra_params": {"model": "y"}}
    assert overridden(config, {"model": "gpt-4o"}, model={"name": "gpt-4o"}) == {"model": "gpt-4o", "extra_params": {}}
    routing = {"provider": {"only": ["a"]}}
    assert overridden(routing, {"model": "m"}, model={"name": "m"}) == routing | {"model": "m"}


def test_own_tools_and_response_format_override_those_of_the_config() -> None:
    config = {
        "tools": [{"name": "old"}],
        "response_format": {"type": "text"},
        "text": {"format": FLAT, "verbosity": "low"},
        "extra_params": {"tools": [], "response_format": {}, "text": {"format": FLAT}},
    }
    assert overridden(config, tools=[{"name": "new"}], response_format=OWN) == {
        "tools": [{"name": "new"}],
        "response_format": OWN,
        "text": {"verbosity": "low"},
        "extra_params": {},
    }
    assert overridden({"tools": [{"name": "old"}]}, tools=[]) == {"tools": []}
    assert overridden({"tools": "all", "text": "x"}, tools=[{"name": "new"}], response_format=OWN) == {
        "tools": "all",
        "text": "x",
    }
