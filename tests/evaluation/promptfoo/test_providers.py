"""promptfoo's providers as models, and what becomes of their settings."""

import json
from typing import Any

import pytest

from factories.promptfoo_files import Read, refusal, why
from promptuary.evaluation.promptfoo.javascript.transforms import PARSED_OUTPUT
from promptuary.evaluation.promptfoo.report import PartOutcome
from promptuary.evaluation.suites.suite import suite_to_json
from promptuary.models.model_spec import parse_model
from promptuary.prompt.model_settings import model_settings


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("echo", "echo:"),
        ("openai:gpt-4.1", "openai:gpt-4.1"),
        ("openai:chat:gpt-4.1", "openai:gpt-4.1"),
        ("openai:chat:ft:gpt-4.1:me", "openai:ft:gpt-4.1:me"),
        ("anthropic:messages:claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
        ("ollama:chat:llama3.2:1b", "ollama:llama3.2:1b"),
        ("ollama:llama3.2:1b", "ollama:llama3.2:1b"),
        ("azure:chat:mine", "azure_openai:mine"),
        ("google:gemini-2.5-pro", "google_genai:gemini-2.5-pro"),
        ("vertex:gemini-2.5-pro", "google_vertexai:gemini-2.5-pro"),
        ("mistral:mistral-small-latest", "mistralai:mistral-small-latest"),
        ("bedrock:anthropic.claude-v2:1", "bedrock_converse:anthropic.claude-v2:1"),
        ("bedrock:converse:amazon.nova-lite-v1:0", "bedrock_converse:amazon.nova-lite-v1:0"),
        ("togetherai:meta/llama", "together:meta/llama"),
    ],
)
def test_providers_have_langchains_names(read: Read, provider: str, model: str) -> None:
    assert read({"providers": provider}).suite.models == [model]
    assert read({"providers": [{provider: {"config": {}}}]}).suite.models == [model]


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("openai:embedding:text-embedding-3-small", "no chat model"),
        ("file://provider.js", "is code"),
        ("python:provider.py", "names a file that cannot be used: 'provider.py' is not there"),
        ("https://example.com/answer", "has no `body`, which every method but GET needs"),
        ("ws://example.com/answer", "is an address"),
        ("huggingface:text-generation:gpt2", "no chat model"),
        ("openai:", "no chat model"),
    ],
)
def test_a_provider_that_is_no_chat_model_is_refused_unless_another_model_is_named(
    read: Read, provider: str, words: str
) -> None:
    assert words in refusal(read, provider, {"providers": [provider]})
    assert read({"providers": [provider]}, models=["echo:"]).suite.models == ["echo:"]


def test_settings_that_all_models_share_are_kept_with_the_version(read: Read) -> None:
    config = {"temperature": 0, "max_tokens": 20, "stop": "END", "apiKey": "secret", "region": "eu"}
    translation = read({"providers": [{"id": "openai:gpt-4.1", "label": "four", "config": config}]})
    model = translation.contents[0].model
    assert model is not None
    assert model.model_dump(exclude_none=True) == {
        "name": "openai:gpt-4.1",
        "temperature": 0.0,
        "max_tokens": 20,
        "stop": ["END"],
    }
    assert "environment" in why(translation.report, PartOutcome.LEFT, "apiKey")
    assert "environment" in why(translation.report, PartOutcome.CHANGED, "region")
    assert "label" in why(translation.report, PartOutcome.CHANGED, "openai:gpt-4.1")
    assert not any("secret" in str(entry) for entry in translation.report.entries)


def test_settings_that_only_some_models_have_are_kept_in_the_config(read: Read) -> None:
    config = {"reasoning_effort": "low", "max_completion_tokens": 9, "top_k": 5, "temperature": 1}
    content = read({"providers": [{"id": "openai:gpt-4.1", "config": config}]}).contents[0]
    assert content.config == {"reasoning_effort": "low", "max_completion_tokens": 9, "top_k": 5}
    assert model_settings(content).values == {"reasoning_effort": "low", "max_tokens": 9, "top_k": 5, "temperature": 1}


@pytest.mark.parametrize(
    ("name", "providers", "words"),
    [
        ("logit_bias", [{"id": "openai:a", "config": {"logit_bias": {}}}], "is called with"),
        ("openai:a", [{"id": "openai:a", "config": {"top_k": "1"}}], "another type: top_k"),
        ("openai:a", [{"id": "openai:a", "config": {"temperature": 9}}], "beyond"),
        ("settings", ["openai:a", {"id": "openai:b", "config": {"response_format": {"type": "text"}}}], "different tools"),
        ("openai:a", [{"id": "openai:a", "config": {"passthrough": {"model": "b"}}}], "extra_body: cannot have `model`"),
        ("openai:a", [{"id": "openai:a", "config": {"apiBaseUrl": "gpu"}}], "base_url: must be the base URL"),
        ("openai:chat:a", ["openai:a", "openai:chat:a"], "again"),
    ],
)
def test_settings_that_no_version_keeps_are_refused(read: Read, name: str, providers: list[Any], words: str) -> None:
    assert words in refusal(read, name, {"providers": providers})


def test_settings_that_differ_are_those_of_the_suites_models(read: Read) -> None:
    providers = [
        {"id": "openai:gpt-5", "label": "short", "config": {"max_tokens": 20, "reasoning_effort": "low"}},
        {"id": "openai:gpt-5", "config": {"max_completion_tokens": 400, "stop": "END"}},
        "openai:gpt-4.1",
    ]
    translation = read({"providers": providers})
    assert [parse_model(entry).model_dump(mode="json") for entry in suite_to_json(translation.suite)["models"]] == [
        {"name": "openai:gpt-5", "label": "short", "max_tokens": 20, "reasoning_effort": "low"},
        {"name": "openai:gpt-5", "label": "openai:gpt-5", "max_tokens": 400, "stop": ["END"]},
        {"name": "openai:gpt-4.1"},
    ]
    assert translation.contents[0].model is None


def test_addresses_keys_and_thinking_are_those_of_a_suites_model(read: Read) -> None:
    vllm: dict[str, Any] = {"apiBaseUrl": "http://gpu:8000/v1", "apiKeyEnvar": "VLLM_KEY", "max_tokens": 16}
    vllm |= {"passthrough": {"min_p": 0.1}}
    thinking = {"type": "enabled", "budget_tokens": 2000}
    other = {"apiHost": "host", "apiKey": "{{env.OTHER_KEY}}", "max_tokens": 16, "thinking": thinking}
    providers = [{"id": "openai:chat:Qwen", "config": vllm}, {"id": "anthropic:claude", "config": other}]
    grader = {"id": "openai:gpt-5", "config": {"reasoning_effort": "high", "temperature": 0}}
    tests = [{"vars": {"x": "1"}, "assert": [{"type": "llm-rubric", "value": "is kind", "provider": grader}]}]
    translation = read({"providers": providers, "tests": tests})
    assert suite_to_json(translation.suite)["models"] == [
        {"name": "openai:Qwen", "base_url": vllm["apiBaseUrl"], "api_key_env": "VLLM_KEY", "extra_body": {"min_p": 0.1}},
        {"name": "anthropic:claude", "base_url": "https://host/v1", "api_key_env": "OTHER_KEY", "thinking": thinking},
    ]
    assert model_settings(translation.contents[0]).values == {"max_tokens": 16}
    assert [dict(spec)["model"] for spec in translation.cases[0].asserts] == [
        {"name": "openai:gpt-5", "reasoning_effort": "high", "temperature": 0}
    ]


@pytest.mark.parametrize(
    ("provider", "config", "settings"),
    [
        ("google:gemini-2.5-pro", {"generationConfig": {"maxOutputTokens": 9, "topP": 0.5}, "topK": 3}, (9, 0.5, 3)),
        ("bedrock:amazon.nova-lite-v1:0", {"inferenceConfig": {"max_new_tokens": 9, "top_p": 0.5}, "top_k": 3}, (9, 0.5, 3)),
        ("ollama:chat:llama3.2", {"num_predict": 9, "top_p": 0.5, "top_k": 3}, (9, 0.5, 3)),
    ],
)
def test_settings_by_a_providers_own_names_are_read(read: Read, provider: str, config: dict[str, Any], settings: Any) -> None:
    (content,) = read({"providers": [{"id": provider, "config": config}]}).contents
    values = model_settings(content).values
    assert (values["max_tokens"], values["top_p"], values["top_k"]) == settings


def test_a_provider_named_by_its_key_has_its_id_as_label(read: Read) -> None:
    entries = [{"openai:gpt-4o": {"id": name, "config": {"temperature": at}}} for name, at in (("cold", 0), ("hot", 1))]
    models = [parse_model(model) for model in read({"providers": entries}).suite.models]
    assert [(model.name, model.label, model.temperature) for model in models] == [
        ("openai:gpt-4o", "cold", 0),
        ("openai:gpt-4o", "hot", 1),
    ]


def test_tools_may_stand_in_a_file(read: Read) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    config = {"tools": "file://tools.json", "stream": True}
    (content,) = read({"providers": [{"id": "openai:gpt-4o", "config": config}]}, {"tools.json": json.dumps(tools)}).contents
    assert [dict(tool) for tool in content.tools or ()] == tools


def test_outputs_in_the_form_of_a_schema_are_values_as_in_promptfoo(read: Read) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": {"type": "object"}}}
    provider = {"id": "openai:gpt-4o", "config": {"response_format": form}, "transform": "output.reply"}
    suite = read({"providers": [provider]}).suite
    assert suite_to_json(suite)["model_transforms"] == {
        "openai:gpt-4o": [{"javascript": PARSED_OUTPUT}, {"javascript": "output.reply"}]
    }
