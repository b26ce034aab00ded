"""Every number, truth value and time of a query, a path or a header has one spelling; the parameters come from OpenAPI."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

SPELLINGS = {
    "integer": ["1_0", "+1", " 1", "\uff11", "1.0", "01", "1e0", "9" * 25, ""],
    "number": ["1_0", "+1", " 1", "\uff11", "01", ".5", "inf", "nan", "1e999", ""],
    "boolean": ["1", "0", "yes", "on", "TRUE", ""],
    "date-time": ["1772452800", "2026-03-02", "2026-03-02 12:00:00Z", "2026-03-02T12:00:00", ""],
}


def kinds_of(schema: dict[str, Any]) -> set[str]:
    kinds = {schema.get("format"), schema.get("type")}
    return kinds.union(*map(kinds_of, schema.get("anyOf", [])), kinds_of(schema["items"]) if "items" in schema else set())


def parameters(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                for kind in kinds_of(parameter["schema"]) & SPELLINGS.keys():
                    yield method, path, parameter, kind


def required_query(operation: dict[str, Any]) -> dict[str, str]:
    return {
        parameter["name"]: "1"
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and parameter.get("required")
    }


def test_no_parameter_has_a_second_spelling(app: Any, api: Any, bearer: Callable[..., dict[str, str]]) -> None:
    document, wrong, count = app.app.openapi(), [], 0
    for method, path, parameter, kind in parameters(document):
        count += 1
        name, where = parameter["name"], parameter["in"]
        for text in SPELLINGS[kind]:
            headers, query = bearer("operator"), required_query(document["paths"][path][method])
            url = path
            if where == "path":
                if not text:
                    continue
                url = url.replace(f"{{{name}}}", text)
            elif where == "query":
                query[name] = text
            else:
                headers[name] = text.encode() if text.isascii() else "1_0"
            body = {"json": {}} if method in ("post", "put", "patch") else {}
            url = re.sub(r"\{[^}]+\}", "1", url)
            answer = api.request(method, url, params=query, headers=headers, **body)
            problem = answer.json()
            named = [error["path"] for error in problem.get("errors", [])] or str(problem)
            if answer.status_code not in (400, 422) or name not in named:
                wrong.append(f"{method} {path} {name}={text!r}: {answer.status_code} {named}")
    assert wrong == []
    assert count > 40


@pytest.mark.parametrize("text", ["1_0", "+1", "%201", "%EF%BC%91", "1.0", "01", "9999999999"])
def test_a_lookup_reads_a_version_in_plain_digits_only(local: Any, text: str) -> None:
    for number in range(10):
        local.post("/v1/prompts/p/versions", json={"type": "text", "template": f"{number}"})
    answer = local.get(f"/v1/prompts/p?version={text}")
    assert (answer.status_code, [error["path"] for error in answer.json()["errors"]]) == (422, ["version"])
    assert local.get(f"/v1/prompts/p/diff?from=1&to={text}").status_code in (404, 422)
    for selected in (f"/api/2.0/mlflow/model-versions/get?name=p&version={text}", f"/api/public/v2/prompts/p?version={text}"):
        assert local.get(selected).status_code in (400, 404, 422), selected


def test_a_cursor_has_one_spelling_too(local: Any) -> None:
    import base64

    for number in range(3):
        local.post("/v1/prompts/p/versions", json={"type": "text", "template": f"{number}"})
    cursor = local.get("/v1/prompts/p/versions?limit=1").json()["next_cursor"]
    assert local.get("/v1/prompts/p/versions", params={"cursor": cursor}).status_code == 200
    for text in (b" 3", b"3 ", b"3\n"):
        other = base64.urlsafe_b64encode(text).decode()
        assert local.get("/v1/prompts/p/versions", params={"cursor": other}).status_code == 400
