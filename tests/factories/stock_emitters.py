"""Programs with instrumentations as others publish them, which send to a running server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import select

from doubles.stub_model import Reaction, StubModelServer
from factories.served_process import ServedProcess, served_process
from paths import ROOT
from promptuary.core.database import Database
from promptuary.traffic.calls.model_call import CallMessage
from promptuary.traffic.tables import ObservationRow

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

    def run(self, program: str, python: str | None = None, **variables: str) -> list[ObservationRow]:
        """Run a program, by the interpreter of an environment of its own where one is named; return the calls that it sent."""
        before = {row.id for row in self._rows()}
        environment = {**os.environ, **self._variables(), "OTEL_SERVICE_NAME": program, **variables}
        command = [python or sys.executable, str(ROOT / "tests" / "emitters" / f"{program}.py")]
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


@contextmanager
def landscape_in(folder: Path) -> Iterator[Landscape]:
    """Start a server that keeps the contents of all calls, with a prompt, beside a stub of OpenAI's protocol."""
    stub = StubModelServer(lambda body: "delivery")
    stub.react = lambda number, body: Reaction(status=429) if body["model"] == "stub-429" else None
    settings = {"PROMPTUARY_TRAFFIC_SAMPLE": "1", "PROMPTUARY_TRAFFIC_KEEP": "all"}
    with stub.listening() as model_url, served_process(folder, **settings) as server:
        server.client.post("/v1/prompts/support.triage/versions", json=PROMPT).raise_for_status()
        database = Database(f"sqlite:///{folder / 'data' / 'promptuary.db'}")
        yield Landscape(server, database, model_url)
        database.dispose()
