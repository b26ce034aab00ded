from typing import Any

import pytest

from promptuary.prompt.content import Content
from promptuary.prompt.model_settings import PROVIDER_NAMES, ModelSettings, is_provider_tool, model_settings


def settings(**parts: Any) -> ModelSettings:
    return model_settings(Content.model_validate({"type": "text", "template": "x", **parts}))


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"temperature": 0.2, "top_p": 1, "seed": 7}, {"temperature": 0.2, "top_p": 1, "seed": 7}),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 9, "max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
        ({"top_k": 40, "presence_penalty": -1}, {"top_k": 40, "presence_penalty": -1}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"extra_params": {"reasoning_effort": "low", "seed": 1}, "seed": 2}, {"reasoning_effort": "low", "seed": 2}),
        ({"max_tokens": 9, "extra_params": {"max_completion_tokens": 5}}, {"max_tokens": 9}),
        ({"stop_sequences": ["a"], "extra_params": {"stop": "b"}}, {"stop": ["a"]}),
        ({"temperature": None, "stop": [], "seed": "7", "top_k": True, "max_tokens": 1.5, "max_completion_tokens": {}}, {}),
        ({"nested": {"temperature": 1}, "Temperature": 1}, {}),
    ],
)
def test_known_settings_are_read_from_the_config(config: dict[str, Any], values: dict[str, Any]) -> None:
    assert settings(config=config).values == values


def test_model_wins_where_both_name_a_setting() -> None:
    model = {"name": "local:a", "temperature": 0, "max_tokens": 4, "stop": ["x"]}
    config = {"temperature": 1, "max_completion_tokens": 9, "stop": "y", "seed": 3, "model": "gpt-4o"}
    assert settings(model=model, config=config) == ModelSettings(
        "local:a", {"temperature": 0, "max_tokens": 4, "stop": ["x"], "seed": 3}
    )


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"model": "gpt-4o"}, "gpt-4o"),
        ({"model": "openai:gpt-4o"}, "openai:gpt-4o"),
        ({"provider": "openai", "model_name": "gpt-4o"}, "openai:gpt-4o"),
        ({"provider": "openai", "model": "openai:gpt-4o"}, "openai:gpt-4o"),
        ({"provider": "OpenAI", "model_name": "openai:gpt-4o"}, "openai:gpt-4o"),
        ({"provider": "acme", "model": "acme:large"}, "acme:large"),
        ({"provider": "openai", "model": "anthropic:claude-x"}, "anthropic:claude-x"),
        ({"provider": "ollama", "model": "llama3:8b"}, "ollama:llama3:8b"),
        ({"provider": "openai", "model": "ft:gpt-4o:me"}, "openai:ft:gpt-4o:me"),
        ({"model_name": "a", "provider": "openai", "extra_params": {"model": "b", "provider": "xai"}}, "openai:a"),
        ({"provider": "openai"}, None),
        ({"model": {"name": "a"}}, None),
        (["model"], None),
        ("gpt-4o", None),
        (None, None),
    ],
)
def test_the_models_name_is_read_from_the_config(config: Any, name: str | None) -> None:
    assert settings(config=config).name == name


def test_tools_and_response_format_come_from_the_config_unless_set() -> None:
    tools, response_format = [{"type": "web_search"}], {"type": "json_object"}
    config = {"tools": tools, "response_format": response_format}
    assert settings(config=config) == ModelSettings(None, {}, tools, response_format)
    own = settings(config=config, tools=[], response_format={"type": "text"})
    assert (own.tools, own.response_format) == ([], {"type": "text"})
    assert settings(config={"tools": ["a"], "response_format": "json"}) == ModelSettings()


def test_a_json_schema_by_itself_is_a_response_format_in_openais_form() -> None:
    schema = {"type": "object", "properties": {"b": {}, "a": {}}}
    assert settings(response_format=schema).response_format == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": schema},
    }


FLAT = {"type": "json_schema", "name": "answer", "strict": True, "schema": {"type": "object"}}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}}


@pytest.mark.parametrize(
    ("config", "response_format"),
    [
        ({"text": {"format": FLAT, "verbosity": "low"}}, WRAPPED),
        ({"response_format": FLAT}, WRAPPED),
        ({"text": {"format": {"type": "json_object"}}}, {"type": "json_object"}),
        ({"text": {"format": FLAT}, "response_format": {"type": "text"}}, {"type": "text"}),
        ({"extra_params": {"text": {"format": FLAT}}}, WRAPPED),
        ({"text": {"format": {"type": "text"}}}, None),
        ({"text": {"format": {"type": "json_schema"}}}, None),
        ({"text": {"format": "markdown"}}, None),
        ({"text": "Hello"}, None),
    ],
)
def test_a_response_format_of_openais_responses_is_one_of_chats(config: Any, response_format: Any) -> None:
    assert settings(config=config).response_format == response_format


def test_every_provider_whose_models_are_called_is_known_by_its_name() -> None:
    from promptuary.models.chat_models import ECHO, LOCAL, PROVIDERS

    assert PROVIDER_NAMES >= {LOCAL, ECHO, *PROVIDERS}


@pytest.mark.parametrize(
    ("tool", "provider_tool"),
    [
        ({"type": "web_search"}, True),
        ({"type": "computer_20250124", "name": "computer"}, True),
        ({"type": "function", "function": {"name": "f"}}, False),
        ({"type": "function", "name": "f"}, False),
        ({"name": "f", "parameters": {}}, False),
    ],
)
def test_a_providers_own_tool_is_told_by_its_type(tool: dict[str, Any], provider_tool: bool) -> None:
    assert is_provider_tool(tool) is provider_tool
