"""Programs with instrumentations as they are sold send to a running server, and their calls are read right."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import select

from doubles.stub_model import Reaction, StubModelServer
from factories.served_process import ServedProcess, served_process
from paths import ROOT
from promptuary.core.database import Database
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.calls.model_call import CallMessage
from promptuary.traffic.tables import ObservationRow

pytestmark = pytest.mark.acceptance
PROMPT = {
    "type": "chat",
    "format": "mustache",
    "template": [
        {"role": "system", "content": "Sort the ticket into billing or delivery."},
        {"role": "user", "content": "{{ticket}}"},
    ],
    "labels": ["production"],
}
MESSAGES = [CallMessage("system", "Sort the ticket into billing or delivery."), CallMessage("user", "My parcel has not come.")]
INPUT_TOKENS, OUTPUT_TOKENS = 12, 1
"""The words of the messages and of the answer, as the stub counts them."""


@dataclass(frozen=True)
class Landscape:
    """A running server, the database that it writes, and the address of the model."""

    server: ServedProcess
    database: Database
    model_url: str

    def run(self, program: str, **variables: str) -> list[ObservationRow]:
        """Run a program, and return the calls that it alone sent."""
        before = {row.id for row in self._rows()}
        environment = {**os.environ, **self._variables(), "OTEL_SERVICE_NAME": program, **variables}
        command = [sys.executable, str(ROOT / "tests" / "emitters" / f"{program}.py")]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert finished.returncode == 0, finished.stderr
        return [row for row in self._rows() if row.id not in before]

    def _rows(self) -> list[ObservationRow]:
        with self.database.read() as session:
            return list(session.exec(select(ObservationRow)).all())

    def _variables(self) -> dict[str, str]:
        return {
            "PROMPTUARY_URL": self.server.url,
            "PROMPTUARY_API_KEY": self.server.key,
            "OPENAI_BASE_URL": self.model_url,
            "OPENAI_API_KEY": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.server.url}/v1/otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.server.key}",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
        }


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    folder = tmp_path_factory.mktemp("emitters")
    stub = StubModelServer(lambda body: "delivery")
    stub.react = lambda number, body: Reaction(status=429) if body["model"] == "stub-429" else None
    settings = {"PROMPTUARY_TRAFFIC_SAMPLE": "1", "PROMPTUARY_TRAFFIC_KEEP": "all"}
    with stub.listening() as model_url, served_process(folder, **settings) as server:
        server.client.post("/v1/prompts/support.triage/versions", json=PROMPT).raise_for_status()
        database = Database(f"sqlite:///{folder / 'data' / 'promptuary.db'}")
        yield Landscape(server, database, model_url)
        database.dispose()


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
