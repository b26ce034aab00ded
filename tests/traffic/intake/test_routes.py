"""The routes of the intake."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from factories.reported_calls import TRACE, span
from traffic.intake.conftest import Traffic

Headers = Callable[..., dict[str, str]]
PATHS = ("/v1/otlp/v1/traces", "/v1/otlp/v1/logs", "/v1/otlp/v1/metrics", "/api/public/otel/v1/traces", "/v1/observations")
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
OBSERVATION = {
    "id": "call-1",
    "prompt": "support.triage",
    "version": 1,
    "label": "production",
    "at": "2026-03-02T11:59:00Z",
    "latency_ms": 120,
    "model": "small",
    "tokens": {"input": 10, "output": 5},
    "variables": {"ticket": "My card has not come."},
    "input": [{"role": "user", "content": "Sort: My card has not come."}],
    "output": "cards",
    "user": "user-42",
}


@pytest.fixture
def sender(bearer: Headers) -> dict[str, str]:
    return bearer("service")


def batch(*observations: dict[str, Any]) -> dict[str, Any]:
    return {"observations": list(observations)}


def exported(number: int, **attributes: Any) -> dict[str, Any]:
    """Return a request of OTLP in JSON with one call that names its prompt."""
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small",
        "gen_ai.prompt.name": "support.triage",
        "gen_ai.prompt.version": "1",
    } | attributes
    return {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": TRACE,
                                "spanId": span(number),
                                "name": "chat small",
                                "startTimeUnixNano": "1772452740000000000",
                                "endTimeUnixNano": "1772452740200000000",
                                "attributes": [{"key": name, "value": {"stringValue": text}} for name, text in values.items()],
                            }
                        ]
                    }
                ]
            }
        ]
    }


def test_a_batch_of_the_own_form_is_taken(api: Any, sender: dict[str, str], traffic: Traffic) -> None:
    response = api.post(
        "/v1/observations", headers=sender, json=batch(OBSERVATION, OBSERVATION | {"id": "call-2", "prompt": None})
    )
    assert (response.status_code, response.json()) == (
        202,
        {"accepted": 2, "repeated": 0, "unattributed": 1, "reasons": {"no_prompt": 1}},
    )
    again = api.post("/v1/observations", headers=sender, json=batch(OBSERVATION))
    assert again.json() == {"accepted": 0, "repeated": 1, "unattributed": 0, "reasons": {}}
    assert traffic.counted() == {(1, ""): 1, (0, "no_prompt"): 1}


def test_each_reason_for_an_unattributed_call_is_counted(api: Any, sender: dict[str, str], traffic: Traffic) -> None:
    changes = [{}, {"version": 99}, {"version": None}, {"prompt": "no.such"}, {"prompt": None}, {"version": 98}]
    observations = [OBSERVATION | {"id": f"call-{number}"} | change for number, change in enumerate(changes)]
    answer = api.post("/v1/observations", headers=sender, json=batch(*observations)).json()
    assert (answer["accepted"], answer["unattributed"]) == (6, 5)
    assert answer["reasons"] == {"unknown_version": 2, "no_version": 1, "unknown_prompt": 1, "no_prompt": 1}


@pytest.mark.parametrize(("time", "word"), [("1", "2000"), ("946684800000000000", "before"), ("2000000000000000000", "after")])
def test_spans_of_impossible_times_are_rejected_and_named(
    api: Any, sender: dict[str, str], traffic: Traffic, time: str, word: str
) -> None:
    body = exported(1)
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(startTimeUnixNano=time, endTimeUnixNano=time)
    answer = api.post("/v1/otlp/v1/traces", headers=sender | JSON, json=body)
    assert (answer.status_code, answer.json()["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert word in answer.json()["partialSuccess"]["errorMessage"]
    assert traffic.counted() == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "observations.0.id"),
        ({"verson": 1}, "observations.0.verson"),
        ({"at": 1772452740}, "observations.0.at"),
        ({"latency_ms": -1}, "observations.0.latency_ms"),
        ({"status": "fine"}, "observations.0.status"),
        ({"tokens": {"input": 1.5}}, "observations.0.tokens.input"),
        ({"version": 0}, "observations.0.version"),
        ({"trace_id": "xyz"}, "observations.0.trace_id"),
        ({"output": "a\u0000b"}, "observations.0.output"),
        ({"at": "1970-01-21T12:00:00Z"}, "observations.0.at"),
        ({"at": "1999-12-31T12:00:00Z"}, "observations.0.at"),
        ({"at": "2031-01-01T00:00:00Z"}, "observations.0.at"),
        ({"cost": 1e9}, "observations.0.cost"),
        ({"tokens": {"output": 2**31 - 1}}, "observations.0.tokens.output"),
        ({"latency_ms": 1e12}, "observations.0.latency_ms"),
    ],
)
def test_a_batch_with_a_wrong_call_is_refused_whole(
    api: Any, sender: dict[str, str], traffic: Traffic, changes: dict[str, Any], field: str
) -> None:
    response = api.post("/v1/observations", headers=sender, json=batch(OBSERVATION | {"id": "call-2"}, OBSERVATION | changes))
    path = field.replace(".0.", ".1.")
    assert response.status_code == 422
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert traffic.counted() == {}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_body"),
        (b'{"observations": NaN}', 400, "malformed_body"),
        (b'{"observations": [], "observations": []}', 400, "malformed_body"),
        (b"[]", 422, "invalid_request"),
        (b'{"observations": []}', 422, "invalid_request"),
        (json.dumps(batch(*[OBSERVATION] * 1001)).encode(), 422, "invalid_request"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(api: Any, sender: dict[str, str], body: bytes, status: int, code: str) -> None:
    response = api.post("/v1/observations", headers=sender | JSON, content=body)
    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize("path", PATHS)
def test_other_media_types_and_encodings_are_refused(api: Any, sender: dict[str, str], path: str) -> None:
    for headers in ({"Content-Type": "text/plain"}, {}, JSON | {"Content-Encoding": "br"}):
        response = api.post(path, headers=sender | headers, content=b"{}")
        assert response.status_code == 415


@pytest.mark.parametrize("path", PATHS)
def test_a_body_over_the_limit_is_refused(api: Any, app: Any, sender: dict[str, str], path: str) -> None:
    limit = app.services.settings.traffic_body_limit
    assert api.post(path, headers=sender | JSON, content=b" " * (limit + 1)).status_code == 413
    chunks = (b" " * 1024 * 1024 for _ in range(limit // 1024 // 1024 + 1))
    assert api.post(path, headers=sender | JSON, content=chunks).status_code == 413


def test_a_small_body_that_decompresses_beyond_the_limit_is_refused(api: Any, app: Any, sender: dict[str, str]) -> None:
    body = gzip.compress(b" " * (app.services.settings.traffic_body_limit + 1))
    response = api.post("/v1/otlp/v1/traces", headers=sender | JSON | {"Content-Encoding": "gzip"}, content=body)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"more"], ids=["none", "cut", "continued"]
)
def test_a_body_that_is_not_one_whole_gzip_is_refused(api: Any, sender: dict[str, str], body: bytes) -> None:
    response = api.post("/v1/otlp/v1/traces", headers=sender | JSON | {"Content-Encoding": "gzip"}, content=body)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_body")


def test_spans_in_json_are_taken_and_answered_in_json(api: Any, sender: dict[str, str], traffic: Traffic) -> None:
    response = api.post("/v1/otlp/v1/traces", headers=sender, json=exported(1))
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json() in ({}, {"partialSuccess": {}})
    assert traffic.counted() == {(1, ""): 1}


def test_a_compressed_body_is_taken(api: Any, sender: dict[str, str], traffic: Traffic) -> None:
    body = gzip.compress(json.dumps(exported(1)).encode())
    headers = sender | JSON | {"Content-Encoding": "gzip"}
    assert api.post("/v1/otlp/v1/traces", headers=headers, content=body).status_code == 200
    assert traffic.counted() == {(1, ""): 1}


@pytest.mark.parametrize("path", PATHS[:4])
def test_an_empty_protobuf_is_answered_as_protobuf(api: Any, sender: dict[str, str], path: str) -> None:
    response = api.post(path, headers=sender | PROTOBUF, content=b"")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-protobuf")


def test_langfuses_path_takes_the_key_as_the_password(api: Any, key: Callable[..., str], traffic: Traffic) -> None:
    path = "/api/public/otel/v1/traces"
    assert api.post(path, auth=("pk", key("service")), json=exported(1)).status_code == 200
    assert traffic.counted() == {(1, ""): 1}
    assert api.post(path, auth=("pk", "wrong"), json=exported(1)).status_code == 401


def test_the_key_comes_in_langsmiths_header(api: Any, key: Callable[..., str], traffic: Traffic) -> None:
    response = api.post("/v1/otlp/v1/traces", headers={"x-api-key": key("service")}, json=exported(1))
    assert response.status_code == 200
    assert traffic.counted() == {(1, ""): 1}


@pytest.mark.parametrize("path", PATHS)
def test_only_senders_send(api: Any, bearer: Headers, path: str) -> None:
    assert api.post(path, headers=JSON, content=b"{}").status_code == 401
    for role in ("viewer", "reviewer"):
        assert api.post(path, headers=bearer(role) | JSON, content=b"{}").status_code == 403


def test_a_project_counts_what_its_own_keys_send(api: Any, bearer: Headers, traffic: Traffic) -> None:
    api.post("/v1/observations", headers=bearer("service", "elsewhere"), json=batch(OBSERVATION))
    assert traffic.counted() == {}


def test_other_routes_keep_their_limit(api: Any, bearer: Headers) -> None:
    response = api.post("/v1/prompts/x/versions", headers=bearer("editor") | JSON, content=b" " * (2 * 1024 * 1024))
    assert response.status_code == 413
