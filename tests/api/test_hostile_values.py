"""No value of a request, wherever it stands, makes a server error: every operation is tried with hostile ones."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from factories.hostile_requests import HostileRequest, RequestFuzzer, Samples
from factories.word_embedder import word_embedding_backend
from promptuary.access.auth.request import LOCAL_PROJECT
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval

SEED = int(os.environ.get("HOSTILE_SEED", "11"))
PER_PLACE = int(os.environ.get("HOSTILE_PER_PLACE", "3"))
"""How many hostile values each place of a request gets; 1000 tries all of them, which takes an hour."""
ENDLESS = ("/v1/stream",)
SUITE = {
    "name": "known",
    "prompt": "known",
    "dataset": "known",
    "models": ["echo:"],
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}],
    "gate": [{"metric": "exact", "at_least": 0.5}],
}
CASES = [{"id": f"c{number}", "vars": {"name": str(number)}, "expected": "Hi 1"} for number in range(3)]
DOCUMENT = {"id": "known", "text": "Cards arrive within five days.", "title": "t", "metadata": {"a": 1, "b": "x"}}
BODIES = {
    "POST /v1/prompts/{name}/versions": {
        "type": "text",
        "template": "Hi {{name}}",
        "variables": {"name": {"type": "string", "maxLength": 10}},
        "model": {"name": "echo:", "temperature": 0.5},
        "config": {"a": [1, {"b": 0.5}]},
        "tags": ["x"],
    },
    "PUT /v1/prompts/{name}/labels/{label}": {
        "split": [{"version": 1, "weight": 1}, {"version": 2, "weight": 1}],
        "reason": "r",
    },
    "PUT /v1/suites/{suite}": SUITE,
    "POST /v1/runs": {"suite": "known"},
    "POST /v1/datasets/{dataset}/versions": {"cases": CASES[:1]},
    "POST /v1/collections/{name}/documents": {"documents": [DOCUMENT]},
    "POST /v1/collections/{name}/query": {"query": "cards", "k": 2, "min_score": 0.1, "where": {"a": 1}},
    "POST /v1/prompts/{name}/render": {"label": "production", "variables": {"name": "x"}, "targeting_key": "u"},
    "PUT /v1/schedules/{schedule}": {"suite": "known", "cron": "0 6 * * *", "zone": "UTC", "margin": 0.1},
    "POST /v1/queues/{name}/items": {"items": [{"source": "k", "payload": {"a": 1}}]},
    "POST /mcp": {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": "known", "arguments": {"name": "x"}}},
    "POST /langsmith/repos": {"repo_handle": "known", "description": "d", "is_public": False, "tags": ["x"]},
    "POST /langsmith/commits/{owner}/{repo}": {"manifest": {"lc": 1, "type": "constructor", "id": ["x"], "kwargs": {}}},
    "PATCH /langsmith/repos/{owner}/{repo}": {"description": "d"},
    "POST /phoenix/v1/prompts": {
        "prompt": {"name": "known"},
        "version": {"template": {"type": "chat", "messages": [{"role": "user", "content": "x"}]}},
    },
}
PARAMETERS = {
    "label": "production",
    "number": 1,
    "version": 1,
    "delivery": 1,
    "alert": 1,
    "owner": "-",
    "from": 1,
    "to": 2,
    "tag": "production",
    "commit": "latest",
    "q": "cards",
    "page": 1,
    "alias": "production",
    "metric": "exact",
    "name": "known",
}


@pytest.fixture
def hostile_app(database: Any, settings: Any, clock: Any) -> Iterator[Any]:
    retrieval = PassageRetrieval(database, clock, word_embedding_backend(database, settings))
    app = create_app(settings, database=database, clock=clock, retrieval=retrieval)
    yield app
    app.close()


@pytest.fixture
def operator(hostile_app: Any) -> Iterator[TestClient]:
    async def as_operator(scope: Any, receive: Any, send: Any) -> None:
        await hostile_app({**scope, LOCAL_PROJECT: "default"}, receive, send)

    with TestClient(as_operator, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def test_no_hostile_value_makes_a_server_error(operator: TestClient, hostile_app: Any) -> None:
    samples = Samples({**PARAMETERS, **known_things(operator)}, BODIES)
    fuzzer = RequestFuzzer(hostile_app.app.openapi(), samples, SEED, PER_PLACE)
    failed = []
    number = 0
    for method, path, operation in fuzzer.operations():
        if path in ENDLESS:
            continue
        for request in fuzzer.requests(method, path, operation):
            number += 1
            response = operator.request(request.method, request.url, content=request.body, headers=headers_of(request))
            if response.status_code >= 500:
                failed.append(
                    f"{method} {path}: {request.place} = {request.value!a}: {response.status_code} {response.text}"[:400]
                )
    assert number > 2000
    assert failed == [], "\n".join(failed)


def known_things(client: TestClient) -> dict[str, Any]:
    """Make one thing of each sort, so that hostile requests get past the 404; return the numbers that the server chose."""

    def send(method: str, path: str, body: Any = None) -> Any:
        response = client.request(method, path, json=body)
        assert response.is_success, (path, response.text)
        return response.json() if response.content else None

    for template in ("Hi {{name}}", "Hello {{name}}"):
        send("POST", "/v1/prompts/known/versions", {"type": "text", "template": template, "labels": ["production"]})
    send("PUT", "/v1/collections/known", {})
    send("POST", "/v1/collections/known/documents", {"documents": [DOCUMENT]})
    send("POST", "/v1/datasets/known/versions", {"cases": CASES})
    send("PUT", "/v1/suites/known", SUITE)
    run = send("POST", "/v1/runs", {"suite": "known"})["id"]
    send("PUT", "/v1/schedules/known", {"suite": "known", "cron": "0 6 * * *"})
    send("PUT", "/v1/queues/known", {})
    send("POST", "/v1/queues/known/items", {"items": [{"source": "k", "payload": {"a": 1}}]})
    claim = send("POST", "/v1/queues/known/claims")["id"]
    return {"run": run, "baseline": run, "pilot": run, "id": claim}


def headers_of(request: HostileRequest) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode(), text.encode("latin-1")) for name, text in request.headers.items()]
    if request.body is not None:
        headers.append((b"content-type", b"application/json"))
    return headers


SPLIT = {"split": [{"version": 1, "weight": 1e308}, {"version": 2, "weight": 1e308}], "reason": "canary"}
EARLIEST, LATEST = "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"
MOVE = {"label": "production", "version": 1, "at": "0001-01-01T00:00:00+23:59", "actor": "x", "reason": ""}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/v1/prompts/known?as_of={EARLIEST}", None, 422),
        ("GET", f"/v1/prompts/known?as_of={LATEST}", None, 422),
        ("GET", "/v1/prompts/known?as_of=0001-01-01T00:00:00Z", None, 404),
        ("PUT", "/v1/prompts/known/labels/canary", SPLIT, 200),
        ("GET", "/v1/suites/known/plan?power=1e-300", None, 422),
        ("GET", "/v1/suites/known/plan?power=0.9999999999999999", None, 422),
        ("GET", "/v1/suites/known/plan?effect=1e-300", None, 422),
        ("GET", "/v1/suites/known/plan?effect=0.000001", None, 200),
        ("POST", "/v1/collections/known/query", {"query": "x", "where": {"$or": "x"}}, 422),
        ("PUT", "/v1/suites/known", {**SUITE, "scorers": [{"type": "equals", "value": "x", "name": {"a": 1}}]}, 422),
        ("PUT", "/v1/suites/known", {**SUITE, "scorers": [{"type": ["equals"], "value": "x"}]}, 422),
        ("POST", "/v1/prompts/new/import", {"versions": [], "history": [MOVE]}, 422),
    ],
)
def test_values_at_the_ends_of_their_range_get_an_answer(
    operator: TestClient, method: str, path: str, body: Any, status: int
) -> None:
    known_things(operator)
    response = operator.request(method, path, json=body)
    assert response.status_code == status, response.text


def test_a_gate_with_a_tiny_margin_is_planned(operator: TestClient) -> None:
    known_things(operator)
    gate = [{"metric": "exact", "not_worse_than": "production", "by": 1e-300}]
    assert operator.put("/v1/suites/known", json={**SUITE, "gate": gate}).is_success
    demand = operator.get("/v1/suites/known/plan").json()["demands"][0]
    assert demand["cases_needed"] == 10**15
