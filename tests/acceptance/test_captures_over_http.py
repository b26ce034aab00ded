"""A running server counts the calls of every capture once, in whatever order and encoding they come."""

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from factories.otlp_captures import KEPT_FOR_YEARS, captures
from factories.served_process import ServedProcess, served_process
from promptuary.core.database import Database
from promptuary.traffic.calls.contents_codec import decode_contents
from promptuary.traffic.tables import HourRow, ObservationRow

pytestmark = pytest.mark.acceptance
PROMPT = {"type": "text", "format": "mustache", "template": "Sort this ticket: {{ticket}}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    folder = tmp_path_factory.mktemp("captures")
    settings = {"PROMPTUARY_TRAFFIC_SAMPLE": "1", "PROMPTUARY_TRAFFIC_KEEP": "all", **KEPT_FOR_YEARS}
    with served_process(folder, **settings) as server:
        server.client.post("/v1/prompts/support.triage/versions", json=PROMPT).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def database(server: ServedProcess) -> Iterator[Database]:
    database = Database(f"sqlite:///{Path(server.environment['PROMPTUARY_DATA_DIR']) / 'promptuary.db'}")
    yield database
    database.dispose()


def test_every_capture_in_both_encodings_is_counted_once(server: ServedProcess, database: Database) -> None:
    items = list(captures())
    random.Random(7).shuffle(items)
    for number, item in enumerate(items):
        for path, body in (("traces", item.body), ("logs", item.logs)):
            if body is not None:
                _send(server, path, body, is_json=item.is_json, is_gzip=number % 2 == 0)
    with database.read() as session:
        rows = {(row.trace_id, row.span_id): row for row in session.exec(select(ObservationRow)).all()}
        hours = list(session.exec(select(HourRow)).all())
    expected = {(call["trace_id"], call["span_id"]): call for item in items for call in item.expected["calls"]}
    assert rows.keys() == expected.keys()
    assert sum(hour.calls for hour in hours) == len(expected)
    assert sum(hour.errors for hour in hours) == sum(call["status"] == "error" for call in expected.values())
    assert sum(hour.incomplete for hour in hours) == sum(call["status"] == "incomplete" for call in expected.values())
    assert sum(hour.input_tokens for hour in hours) == sum(call["tokens"]["input"] or 0 for call in expected.values())
    assert {key: _stored(row) for key, row in rows.items()} == {key: _expected_row(call) for key, call in expected.items()}


def _send(server: ServedProcess, path: str, body: bytes, *, is_json: bool, is_gzip: bool) -> None:
    media_type = "application/json" if is_json else "application/x-protobuf"
    headers = {"content-type": media_type} | ({"content-encoding": "gzip"} if is_gzip else {})
    answer = server.client.post(f"/v1/otlp/v1/{path}", content=gzip.compress(body) if is_gzip else body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


def _stored(row: ObservationRow) -> dict[str, Any]:
    contents = None if row.contents is None else decode_contents(row.contents)
    has_messages = contents is not None and contents.input is not None
    return {
        "status": row.status,
        "version": row.version,
        "output": contents.output if contents is not None and has_messages else None,
        "roles": [message.role for message in contents.input or ()] if contents is not None and has_messages else None,
    }


def _expected_row(call: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of a call; the prompt has one version, so that calls of another one have none."""
    prompt = call["prompt"] or call.get("prompt_after", {}).get("prompt")
    is_stored = call["content_complete"] and call["input"] is not None
    return {
        "status": call["status"],
        "version": 1 if prompt is not None and prompt["version"] == "1" and prompt["name"] == "support.triage" else 0,
        "output": call["output"] if is_stored else None,
        "roles": [message["role"] for message in call["input"]] if is_stored else None,
    }
