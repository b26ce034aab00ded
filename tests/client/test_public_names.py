"""The names that applications use: a name that was released stays. A new public name is added here."""

import inspect
from dataclasses import fields
from typing import Any

import pytest

import promptuary
from promptuary import client
from promptuary.prompt.errors import FieldError, Invalid, InvalidPrompt, InvalidVariables, PromptuaryError, RenderTooLarge

OPTIONS = (
    "url api_key ttl deadline follow bundle cache_dir disk keep_on_missing"
    " breaker_failures breaker_cool_down on_lookup contents exit_deadline transport"
).split()
ERRORS = {
    client.Conflict: ("conflict", client.Refused),
    client.FallbackFailed: ("fallback_failed", PromptuaryError),
    client.InvalidBundle: ("invalid_bundle", Invalid),
    client.InvalidSettings: ("invalid_settings", Invalid),
    client.KeyRefused: ("key_refused", client.Refused),
    client.NeedsContext: ("needs_context", PromptuaryError),
    client.PreconditionFailed: ("precondition_failed", client.Refused),
    client.PromptNotFound: ("prompt_not_found", client.Refused),
    client.PromptUnavailable: ("prompt_unavailable", PromptuaryError),
    client.Refused: ("refused", PromptuaryError),
    client.RequestRefused: ("request_refused", client.Refused),
    Invalid: ("invalid", PromptuaryError),
    InvalidPrompt: ("invalid_prompt", Invalid),
    InvalidVariables: ("invalid_variables", Invalid),
    RenderTooLarge: ("render_too_large", PromptuaryError),
}
EXPORTED = {error.__name__ for error in ERRORS if error.__module__ == "promptuary.client.errors"} | {
    "AsyncPromptuary",
    "DropReason",
    "LabelState",
    "Lookup",
    "Prompt",
    "PromptMatch",
    "PromptSpanProcessor",
    "PromptSummary",
    "Promptuary",
    "Reason",
    "RegisteredVersion",
    "Rendering",
    "Source",
    "TrafficCounts",
    "trace",
}
PROMPT_ATTRIBUTES = (
    "age as_stale config content digest in_use label labels metadata name render seen_as seen_with source stale tags template"
    " to_langchain variables variant version with_source with_version"
).split()


def public_attributes(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_packages_export_these_names() -> None:
    assert set(client.__all__) == EXPORTED
    assert set(promptuary.__all__) == {"AsyncPromptuary", "Prompt", "Promptuary", "__version__"}


@pytest.mark.parametrize("kind", [client.Promptuary, client.AsyncPromptuary])
def test_both_clients_have_these_options_and_methods(kind: Any) -> None:
    assert list(inspect.signature(kind).parameters) == OPTIONS
    assert public_attributes(kind) == {
        *("after_fork", "close", "following", "get", "list", "register", "remove_label", "render", "search", "set_label"),
        *("feedback", "flush", "observe", "traffic"),
    }
    methods = ("get", "render", "observe", "feedback", "flush")
    arguments = {name: list(inspect.signature(getattr(kind, name)).parameters)[1:] for name in methods}
    assert arguments == {
        "observe": [
            *("prompt", "variables", "output", "latency_ms", "tokens", "input", "model", "response_model", "provider"),
            *("operation", "tool_calls", "finish", "status", "error", "cost", "first_token_ms", "response_id"),
            *("conversation", "user", "at", "id"),
        ],
        "feedback": ["prompt", "value", "comment", "correction", "observation", "user", "name", "id"],
        "flush": ["timeout"],
        "get": ["name", "label", "version", "targeting_key", "fallback", "max_age"],
        "render": ["name", "variables", "label", "version", "targeting_key", "query", "deadline"],
    }


def test_the_results_have_these_attributes() -> None:
    assert public_attributes(client.Prompt) == set(PROMPT_ATTRIBUTES)
    assert [field.name for field in fields(client.Rendering)] == [
        *("name", "version", "digest", "messages", "text", "passages", "manifest", "answer")
    ]
    assert [field.name for field in fields(client.Lookup)] == ["name", "label", "version", "source", "seconds", "reason"]


def test_sources_and_reasons_have_these_values() -> None:
    assert [*client.Source] == ["server", "memory", "disk", "bundle", "fallback"]
    assert [*client.Reason] == ["timeout", "connection", "server_error", "busy", "unusable", "circuit_open", "closed"]
    assert [*client.DropReason] == ["full", "closed", "invalid", "refused", "unsent"]
    assert [field.name for field in fields(client.TrafficCounts)] == ["sent", "queued", "dropped"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_keeps_its_code_and_its_place_in_the_tree(error: type[PromptuaryError]) -> None:
    code, parent = ERRORS[error]
    assert (error.code, error.__base__) == (code, parent)


@pytest.mark.parametrize("error", [client.RequestRefused, Invalid, InvalidVariables, client.InvalidSettings])
def test_the_errors_by_field_have_their_earlier_name_too(error: Any) -> None:
    field_errors = (FieldError("name", "is missing"), FieldError("limit", "is not a number"))
    assert error("it cannot be used", field_errors).faults == field_errors
    assert error("it cannot be used", field_errors).field_errors == field_errors
    with pytest.raises(AttributeError):
        error("it cannot be used").faults = ()
