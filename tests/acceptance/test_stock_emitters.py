"""Programs with instrumentations as others publish them send to a running server, and their calls are read right."""

from collections.abc import Iterator
from typing import Any

import pytest

from factories.stock_emitters import INPUT_TOKENS, MESSAGES, OUTPUT_TOKENS, Landscape, landscape_in
from promptuary.traffic.calls.contents_codec import decode_contents

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    with landscape_in(tmp_path_factory.mktemp("emitters")) as landscape:
        yield landscape


@pytest.mark.parametrize(
    ("program", "emitter", "attribution", "variables"),
    [
        ("genai_openai", "genai", "ancestor", {}),
        ("openinference_openai", "openinference", "span", {}),
        ("openinference_langchain", "openinference", "span", {}),
        ("langfuse_openai", "langfuse", "span", {}),
        ("pydantic_agent", "pydantic-ai", "ancestor", {}),
        ("mlflow_openai", "mlflow", "ancestor", {}),
        (
            "langsmith_openai",
            "langsmith",
            "span",
            {"LANGSMITH_TRACING": "true", "LANGSMITH_TRACING_MODE": "otel", "LANGSMITH_OTEL_ONLY": "true"},
        ),
    ],
)
def test_a_call_of_a_stock_instrumentation_is_read_right(
    landscape: Landscape, program: str, emitter: str, attribution: str, variables: dict[str, str]
) -> None:
    server = landscape.server
    langfuse = {
        "LANGFUSE_BASE_URL": server.url,
        "LANGFUSE_PUBLIC_KEY": "promptuary",
        "LANGFUSE_SECRET_KEY": server.key,
        "LANGSMITH_API_KEY": "none",
    }
    (row,) = landscape.run(program, **langfuse, **variables)
    assert (row.status, row.prompt_id, row.version) == ("ok", 1, 1)
    details: dict[str, Any] = row.details
    assert (details["emitter"], details["attribution"]) == (emitter, attribution)
    assert (details.get("model") or details["response_model"], details["latency_ms"] > 0) == ("stub-small", True)
    assert (details["tokens"]["input"], details["tokens"]["output"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
    contents = decode_contents(row.contents or b"")
    assert (list(contents.input or ()), contents.output) == (MESSAGES, "delivery")


def test_the_span_processor_marks_the_span_of_the_call_itself(landscape: Landscape) -> None:
    (row,) = landscape.run("prompt_span_processor")
    assert (row.prompt_id, row.version, row.details["attribution"]) == (1, 1, "span")
    assert row.is_replayable
    assert decode_contents(row.contents or b"").variables == {"ticket": "My parcel has not come."}


def test_a_call_that_failed_is_an_error_with_its_type(landscape: Landscape) -> None:
    (row,) = landscape.run("genai_openai", MODEL="stub-429")
    assert (row.status, row.version) == ("error", 1)
    assert (row.details["model"], row.details["error_type"]) == ("stub-429", "openai.RateLimitError")
    assert "tokens" not in row.details


def test_messages_that_come_as_events_are_joined_with_their_call(landscape: Landscape) -> None:
    (row,) = landscape.run("genai_openai_events", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="event_only")
    assert (row.status, row.version) == ("ok", 1)
    contents = decode_contents(row.contents or b"")
    assert (list(contents.input or ()), contents.output) == (MESSAGES, "delivery")


def test_the_span_processor_names_prompt_and_variables_on_the_calls_span(landscape: Landscape) -> None:
    (row,) = landscape.run("genai_processor")
    assert (row.status, row.version, row.details["attribution"]) == ("ok", 1, "span")
    assert decode_contents(row.contents or b"").variables == {"ticket": "My parcel has not come."}
