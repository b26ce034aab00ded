"""Datasets received as lines: the same rules and the same digest as in JSON, and nothing is read before the caller is known."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from promptuary.evaluation.case import Case, case_to_json
from promptuary.evaluation.datasets.case_spool import CaseSpool
from promptuary.prompt.digest import json_digest

PATH = "/v1/datasets/words/versions"
LINES = {"Content-Type": "application/x-ndjson"}
CASES = [
    {"id": "c1", "vars": {"text": "yes", "share": 1.0}, "expected": "yes", "cluster": "k", "tags": ["short"]},
    {"id": "c2", "vars": {"text": "größer"}, "assert": [{"type": "contains", "value": "ö"}], "threshold": 0.5},
]


def lines(*cases: Any) -> bytes:
    return b"".join(json.dumps(case).encode() + b"\n" for case in cases)


def test_lines_and_json_are_the_same_dataset(local: Any) -> None:
    created = local.post(PATH, content=lines(*CASES), headers=LINES)
    assert (created.status_code, created.json()["version"], created.json()["cases"]) == (201, 1, 2)
    same = local.post(PATH, json={"cases": CASES})
    assert (same.status_code, same.json()["digest"]) == (200, created.json()["digest"])
    items = local.get("/v1/datasets/words").json()["items"]
    assert [case["vars"] for case in items] == [case["vars"] for case in CASES]
    assert repr(items[0]["vars"]["share"]) == "1.0"
    assert [entry["action"] for entry in local.get("/v1/audit").json()["items"]] == ["dataset.versioned"]


def test_a_body_far_over_the_limit_of_json_is_accepted_in_pieces(local: Any, settings: Any) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(64):
            yield lines({"id": f"c{number}", "vars": {"text": "x" * 32 * 1024}})

    created = local.post(PATH, content=pieces(), headers=LINES)
    assert (created.status_code, created.json()["cases"]) == (201, 64)
    assert 64 * 32 * 1024 > settings.body_limit


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (b"", "", "has no case"),
        (b"\n\n", "", "has no case"),
        (b"{", "line 1", "the line is not JSON"),
        (lines(CASES[0], {"id": "c"}), "line 2: vars", "is required"),
        (lines(CASES[0], CASES[0]), "line 2: id", "'c1' is the id of line 1 too"),
        (lines(CASES[0]) + b'{"id": "c2", "vars": {"x": NaN}}', "line 2", "NaN"),
        (b'{"id": "\xff"}', "line 1", "not UTF-8"),
        (lines({"id": "c", "vars": {}, "more": 1}), "line 1: more", "not a known field"),
        (lines({"id": "c", "vars": {"x": "\x00"}}), "line 1: vars.x", "NUL"),
        (b"[]", "line 1", "must be an object"),
    ],
)
def test_a_line_that_is_wrong_is_422_with_its_number_and_field(local: Any, body: bytes, path: str, words: str) -> None:
    refused = local.post(PATH, content=body, headers=LINES)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    (error,) = refused.json()["errors"]
    assert error["path"] == path
    assert words in error["message"]
    assert local.get("/v1/datasets/words").status_code == 404
    assert local.get("/v1/audit").json()["items"] == []


def test_more_lines_than_the_limit_are_413_by_their_length_or_as_they_come(
    local: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_checks", replace(app._checks, dataset_limit=2048))
    whole = lines({"id": "c1", "vars": {"text": "x" * 2048}})
    for content in (whole, iter([whole[:1024], whole[1024:]])):
        refused = local.post(PATH, content=content, headers=LINES)
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
        assert "2048 bytes" in refused.json()["detail"]
    assert local.get("/v1/datasets/words").status_code == 404


@pytest.mark.parametrize("more", [{"Content-Encoding": "gzip"}, {"Content-Type": "application/x-ndjson2"}])
def test_compressed_lines_and_other_kinds_are_415(local: Any, more: dict[str, str]) -> None:
    refused = local.post(PATH, content=lines(*CASES), headers=LINES | more)
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_body")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/prompts/a/versions"), ("POST", "/v1/runs"), ("PUT", "/v1/suites/words")],
)
def test_lines_are_accepted_on_one_route_only(local: Any, method: str, path: str) -> None:
    assert local.request(method, path, content=lines(*CASES), headers=LINES).status_code == 415


def test_lines_for_the_path_with_a_slash_are_sent_on_and_not_read(
    local: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_checks", replace(app._checks, body_limit=10))
    sent_on = local.post(PATH + "/", content=lines(*CASES), headers=LINES, follow_redirects=False)
    assert (sent_on.status_code, httpx.URL(sent_on.headers["location"]).path) == (307, PATH)
    assert local.get("/v1/datasets/words").status_code == 404
    assert local.post(PATH + "/", content=lines(*CASES), headers=LINES).status_code == 201


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("reader", 403)])
def test_nothing_is_read_before_the_key_is_known(
    app: Any, bearer: Callable[..., dict[str, str]], role: str | None, status: int
) -> None:
    headers = LINES | {"Host": "127.0.0.1"} | (bearer(role) if role else {})
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def out(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": PATH, "query_string": b""}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    anyio.run(app, scope, receive, out)

    assert sent[0]["status"] == status


def test_a_retry_under_the_same_key_is_answered_again_and_another_body_is_refused(local: Any) -> None:
    headers = LINES | {"Idempotency-Key": "once"}
    first = local.post(PATH, content=lines(*CASES), headers=headers)
    again = local.post(PATH, content=lines(*CASES), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert local.post(PATH, content=lines(CASES[0]), headers=headers).status_code == 422


def test_the_openapi_document_names_both_content_types(local: Any) -> None:
    content = local.get("/openapi.json").json()["paths"]["/v1/datasets/{dataset}/versions"]["post"]["requestBody"]["content"]
    assert {"application/json", "application/x-ndjson", "text/csv"} <= set(content)


def test_a_spool_yields_its_cases_repeatedly_and_the_digest_of_all() -> None:
    cases = [Case("a", {"x": 1.5}, ["y"], "k", ("t",)), Case("b", {"x": "\u2028"}, asserts=({"type": "is-json"},))]
    spool = CaseSpool(cases)
    assert (list(spool), list(spool), len(spool), spool.asserts) == (cases, cases, 2, True)
    assert spool.digest == json_digest([case_to_json(case) for case in cases])
    assert re.fullmatch(rb'\{"assert".*', b"".join(spool.pieces()).splitlines()[1])
    assert (CaseSpool().digest, CaseSpool().asserts) == (json_digest([]), False)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Case("a", {"x": {"a": 1, "b": 2}}), Case("a", {"x": {"b": 2, "a": 1}})),
        (Case("a", {"x": 1}), Case("a", {"x": 1.0})),
        (Case("a", {}, {"a": 1, "b": 2}), Case("a", {}, {"b": 2, "a": 1})),
    ],
)
def test_what_a_model_sees_in_another_order_is_another_dataset(first: Case, second: Case) -> None:
    assert CaseSpool([first]).digest == json_digest([case_to_json(first)])
    assert CaseSpool([first]).digest != CaseSpool([second]).digest


def test_the_order_of_variables_and_metadata_is_no_other_dataset() -> None:
    first, second = ({"x": 1, "y": 2}, {"y": 2, "x": 1})
    assert CaseSpool([Case("a", first, metadata=first)]).digest == CaseSpool([Case("a", second, metadata=second)]).digest


def test_a_case_comes_back_in_the_order_in_which_it_was_sent(local: Any, database: Any) -> None:
    case = {"id": "a", "vars": {"x": {"b": 1.0, "a": [None]}}, "expected": {"z": 1, "y": 2.0}}
    for number, value in enumerate((case, {**case, "expected": {"y": 2.0, "z": 1}}), start=1):
        body = json.dumps({"cases": [value]})
        response = local.post(PATH, content=body, headers={"content-type": "application/json"})
        assert (response.status_code, response.json()["version"]) == (201, number)
        stored = local.get(f"/v1/datasets/words?version={number}").json()["items"][0]
        assert json.dumps([stored["vars"], stored["expected"]]) == json.dumps([value["vars"], value["expected"]])
