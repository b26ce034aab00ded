"""A part of a request that its route does not read is an error, and so is one twice or empty; the routes are OpenAPI's."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from promptuary.api.routers import ROUTERS

VERSION = {"type": "text", "template": "Hi {{name}}"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, bool]]]:
    """Yield the method and the path of each strict operation, and its query parameters: whether they are lists."""
    for path, item in document["paths"].items():
        if path.startswith("/v1/") or path == "/mcp":
            for method, operation in item.items():
                declared = [each for each in operation.get("parameters", []) if each["in"] == "query"]
                yield method, path, {each["name"]: '"array"' in str(each["schema"]).replace("'", '"') for each in declared}


def test_no_route_ignores_a_query_parameter(app: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    headers, wrong, count = bearer("operator"), [], 0

    def send(method: str, path: str, query: list[tuple[str, str]]) -> None:
        url = re.sub(r"\{[^}]+\}", "1", path)
        body = {"json": {}} if method in ("post", "put", "patch") else {}
        answer = api.request(method, url, params=query, headers=headers, **body)
        errors = {error["path"]: error["message"] for error in answer.json().get("errors", [])}
        if answer.status_code != 422 or f"{method.upper()} {path}" not in errors.get(query[0][0], ""):
            wrong.append(f"{method} {path} {query}: {answer.status_code} {errors}")

    for method, path, declared in operations(app.app.openapi()):
        count += 1
        send(method, path, [("lable", "x")])
        for name, is_list in declared.items():
            send(method, path, [(name, "")])
            send(method, path, [(name + "_", "1")])
            if not is_list:
                send(method, path, [(name, "1"), (name, "2")])
    assert wrong == []
    assert count >= sum(len(router.routes) for router in ROUTERS)


@pytest.mark.parametrize(
    ("query", "path", "message"),
    [
        ("lable=staging", "lable", "is no query parameter of GET /v1/prompts/{name}; did you mean `label`?"),
        ("Label=staging", "Label", "did you mean `label`?"),
        ("label%20=staging", "label ", "did you mean `label`?"),
        ("zzz", "zzz", "which takes as_of, label, targeting_key, version"),
        ("version=1&version=2", "version", "is 2 times in the query string of GET /v1/prompts/{name}; send it once"),
        ("label=a&version=1&label=a", "label", "is 2 times"),
        ("label=", "label", "is empty in the query string of GET /v1/prompts/{name}; send a value, or leave it out"),
        ("targeting_key=&label=production", "targeting_key", "is empty"),
        ("label", "label", "is empty"),
        (f"{'x' * 5000}=1", "x" * 100, "is no query parameter"),
    ],
)
def test_a_lookup_names_the_query_parameter_that_is_wrong(local: Any, query: str, path: str, message: str) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION | {"labels": ["production", "a"]})
    answer = local.get(f"/v1/prompts/p?{query}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"], error["path"]) == (422, "invalid_request", path)
    assert message in error["message"]


def test_the_lookups_of_memory_are_as_strict(api: Any, local: Any, bearer: Callable[..., dict[str, str]]) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION | {"labels": ["production"]})
    headers = bearer("reader")
    for _ in range(2):
        assert api.get("/v1/prompts/p?label=production", headers=headers).status_code == 200
        for query in ("lable=production", "label=production&label=production", "label=production&version="):
            assert api.get(f"/v1/prompts/p?{query}", headers=headers).status_code == 422


def test_a_list_parameter_may_occur_twice(local: Any) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION)
    kinds = local.get("/v1/prompts/p/events?kind=version.created&kind=label.moved")
    assert (kinds.status_code, len(kinds.json()["items"])) == (200, 1)
    assert local.get("/v1/prompts/p/events?kind=version.created&kind=").status_code == 422


def test_a_caller_without_a_key_does_not_learn_the_parameters(api: Any) -> None:
    assert api.get("/v1/prompts/p?lable=a").status_code == 401


def test_routes_of_other_registries_ignore_what_their_originals_ignore(local: Any) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION | {"labels": ["production"]})
    for path in ("/api/public/v2/prompts/p", "/api/2.0/mlflow/registered-models/get?name=p"):
        mark = "&" if "?" in path else "?"
        assert local.get(f"{path}{mark}resolve=true&unknown=1").status_code == 200, path


def test_no_route_ignores_members_of_a_body(app: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    headers, wrong, count = bearer("operator"), [], 0
    for path, item in app.app.openapi()["paths"].items():
        for method in {"post", "put", "patch", "delete"} & item.keys() if path.startswith("/v1/") else ():
            url = re.sub(r"\{[^}]+\}", "1", path)
            answer = api.request(method, url, json={"no_such_member": 1}, headers=headers)
            errors = {error["path"]: error["message"] for error in answer.json().get("errors", [])}
            count += 1
            if (method, path) == ("post", "/v1/sessions"):  # refuses a body without reading it
                assert (answer.status_code, "has a body" in answer.json()["detail"]) == (422, True)
            elif path.startswith("/v1/otlp/"):  # OTLP demands that a receiver ignores unknown members
                assert answer.status_code == 200, path
            elif answer.status_code != 422 or not errors.get("no_such_member", "").startswith(
                ("is no member", "is not a known")
            ):
                wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert count > 40


def test_a_route_without_a_body_takes_an_empty_one(local: Any) -> None:
    local.post("/v1/prompts/p/versions", json=VERSION | {"labels": ["staging"]})
    assert local.request("DELETE", "/v1/prompts/p/labels/staging", json={"reason": "x"}).status_code == 422
    assert local.request("DELETE", "/v1/prompts/p/labels/staging", json={}).status_code == 204
