"""A server with more traffic than it takes: 429 with `Retry-After`, in the encoding of the request."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from factories.otlp_requests import chat, in_protobuf, request
from factories.served_process import ServedProcess, served_process, wait_until

pytestmark = pytest.mark.acceptance
BODY_LIMIT = 4096
PENDING = 8
LIMIT = 5
"""Requests of a key a minute."""
PROTOBUF = {"Content-Type": "application/x-protobuf"}
OTLP, OBSERVATIONS = "/v1/otlp/v1/traces", "/v1/observations"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose keys have few requests a minute."""
    with served_process(tmp_path_factory.mktemp("limited"), PROMPTUARY_KEY_REQUEST_LIMIT=str(LIMIT)) as server:
        yield server


def spans() -> bytes:
    body: bytes = in_protobuf(request(chat()))
    return body


def status_message(body: bytes) -> str:
    """Return the message of a `google.rpc.Status` whose message is its only field."""
    from google.rpc.status_pb2 import Status

    status = Status.FromString(body)
    assert status.code == 0
    return str(status.message)


def intake_process(server: ServedProcess) -> int:
    """Return the process id of the server's intake."""
    children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    for child in [child for file in children for child in file.read_text().split()]:
        if b"intake.process.main" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("the server has no intake")


def observations(name: str, size: int = 0) -> dict[str, Any]:
    return {"observations": [{"id": name, "at": "2026-03-02T11:59:00Z", "output": "x" * size}]}


def test_an_intake_that_is_full_refuses_until_there_is_room(tmp_path: Path) -> None:
    with served_process(tmp_path, PROMPTUARY_TRAFFIC_BODY_LIMIT=str(BODY_LIMIT)) as server:
        assert server.client.post(OTLP, content=spans(), headers=PROTOBUF).status_code == 200
        intake = intake_process(server)
        os.kill(intake, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(PENDING) as pool:
                bodies = [observations(f"waiting-{number}", BODY_LIMIT - 200) for number in range(PENDING)]
                waiting = [pool.submit(server.client.post, OBSERVATIONS, json=body) for body in bodies]
                wait_until(lambda: refused(server, OTLP, content=spans(), headers=PROTOBUF))
                protobuf_answer = server.client.post(OTLP, content=spans(), headers=PROTOBUF)
                json_answer = server.client.post(OBSERVATIONS, json=observations("late", 1000))
                os.kill(intake, signal.SIGCONT)
                assert {future.result().status_code for future in waiting} == {202}
        finally:
            os.kill(intake, signal.SIGCONT)
        assert (protobuf_answer.status_code, protobuf_answer.headers["content-type"]) == (429, PROTOBUF["Content-Type"])
        assert "more traffic" in status_message(protobuf_answer.content)
        assert (json_answer.status_code, json_answer.json()["code"]) == (429, "too_many_requests")
        assert {answer.headers["retry-after"] for answer in (protobuf_answer, json_answer)} == {"2"}
        answer = server.client.post(OTLP, content=spans(), headers=PROTOBUF)
        assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()


def refused(server: ServedProcess, path: str, **more: Any) -> bool:
    """Return whether a request is refused at once; one that waits instead is given up, and sent again as the same call."""
    try:
        return server.client.post(path, timeout=2, **more).status_code == 429
    except httpx.ReadTimeout:
        return False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OTLP, {"content": spans(), "headers": PROTOBUF}),
        ("/api/public/otel/v1/traces", {"content": spans(), "headers": PROTOBUF}),
        ("/v1/otlp/v1/logs", {"json": {"resourceLogs": []}}),
        (OBSERVATIONS, {"json": observations("one")}),
        ("/v1/feedback", {"json": {"prompt": "none", "version": 1, "value": 1}}),
    ],
)
def test_a_key_that_passes_its_limit_is_told_when_to_come_again(limited: ServedProcess, path: str, body: Any) -> None:
    responses = [limited.client.post(path, **body) for _ in range(LIMIT + 1)]
    last = responses[-1]
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    if body.get("headers") == PROTOBUF:
        assert "passes its limit" in status_message(last.content)
    else:
        assert "passes its limit" in last.json()["detail"]
