"""The warnings of a registration: prompts of the same content, and prompts of nearly the same text."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from factories.word_embedder import word_embedding_backend
from promptuary.api.app import create_app
from promptuary.context.retrieval import PassageRetrieval
from promptuary.registry.similarity import RegistrationWarning

TRIAGE = "Sort the support ticket into one intent."
REFUND = "Answer customers who ask for their money back."


@pytest.fixture
def app(opened_database: Any, settings: Any, clock: Any) -> Any:
    """The service with an embedder that needs no model."""
    retrieval = PassageRetrieval(opened_database, clock, word_embedding_backend(opened_database, settings))
    return create_app(settings, database=opened_database, clock=clock, retrieval=retrieval)


def register(client: Any, name: str, template: str, query: str = "", **more: Any) -> Any:
    response = client.post(f"/v1/prompts/{name}/versions{query}", json={"type": "text", "template": template, **more})
    assert response.status_code in (200, 201), response.text
    return response.json()


def test_the_same_content_under_another_name_is_always_a_warning(local: Any, database: Any) -> None:
    register(local, "a", REFUND)
    register(local, "a", TRIAGE)
    register(local, "a", REFUND)
    assert register(local, "b", REFUND)["warnings"] == [
        {
            "code": "same_content",
            "detail": "version 3 of 'a' has the same content; one prompt may do",
            "name": "a",
            "version": 3,
            "score": None,
        }
    ]
    assert [warning["name"] for warning in register(local, "b", REFUND)["warnings"]] == ["a"]  # also for a 200
    assert register(local, "a", REFUND)["warnings"][0]["name"] == "b"
    assert register(local, "c", f"{REFUND} Now.")["warnings"] == []


def test_the_same_content_elsewhere_or_archived_is_no_warning(api: Any, bearer: Any) -> None:
    here, there = bearer("author"), bearer("author", "shop")
    body = {"type": "text", "template": TRIAGE}
    api.post("/v1/prompts/a/versions", json=body, headers=there)
    assert api.post("/v1/prompts/a/versions", json=body, headers=here).json()["warnings"] == []
    assert api.post("/v1/prompts/b/versions", json=body, headers=here).json()["warnings"][0]["name"] == "a"
    api.post("/v1/prompts/a/archive", json={"reason": ""}, headers=here)
    assert api.post("/v1/prompts/b/versions", json=body, headers=here).json()["warnings"] == []


def test_at_most_three_prompts_of_the_same_content_are_named(local: Any) -> None:
    for name in "abcdef":
        registered = register(local, name, TRIAGE)
    assert [warning["name"] for warning in registered["warnings"]] == ["a", "b", "c"]


def test_similar_prompts_are_warnings_only_on_request(local: Any, database: Any) -> None:
    register(local, "a", f"{TRIAGE} {{{{ticket}}}}")
    template = f"{TRIAGE} {{{{text}}}}"
    assert register(local, "b", template)["warnings"] == []
    (warning,) = register(local, "c", f"{TRIAGE} {{{{words}}}}", "?similar=true")["warnings"][:1]
    assert (warning["code"], warning["version"]) == ("similar_prompt", 1)
    assert warning["name"] in ("a", "b")
    assert 0.8 <= warning["score"] <= 1
    assert [warning["name"] for warning in register(local, "b", template, "?similar=true")["warnings"]] == ["a", "c"]
    assert "warnings" not in local.get("/v1/prompts/b/versions/1").json()
    assert "warnings" not in local.get("/v1/prompts/b?label=latest").json()


def test_a_prompt_of_the_same_content_is_named_once(local: Any) -> None:
    register(local, "a", TRIAGE)
    assert [warning["code"] for warning in register(local, "b", TRIAGE, "?similar=true")["warnings"]] == ["same_content"]


class RecordingChecker:
    """A similarity check that records the prompts it checks, calls a hook, and reports one similar prompt."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.hook: Callable[[], object] = lambda: None

    def check_similarity(self, project: int, name: str, content: Any) -> list[RegistrationWarning]:
        self.names.append(name)
        self.hook()
        return [RegistrationWarning("similar_prompt", "it is similar", "near", 1, 0.9)]


@pytest.fixture
def checker(app: Any) -> RecordingChecker:
    app.app.state.similarity_checker = RecordingChecker()
    return app.app.state.similarity_checker  # type: ignore[no-any-return]


def test_the_check_runs_only_on_request(local: Any, checker: RecordingChecker) -> None:
    assert register(local, "a", TRIAGE, "?similar=true")["warnings"][0]["name"] == "near"
    assert register(local, "a", REFUND, "?similar=false")["warnings"] == []
    assert register(local, "a", TRIAGE)["warnings"] == []
    assert checker.names == ["a"]


def test_the_check_runs_after_the_commit_and_delays_no_other_request(
    local: Any, api: Any, bearer: Any, checker: RecordingChecker
) -> None:
    started, may_finish = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert may_finish.wait(30)

    checker.hook = wait
    with ThreadPoolExecutor(1) as executor:
        registration = executor.submit(register, local, "a", TRIAGE, "?similar=true")
        try:
            assert started.wait(30)
            assert api.get("/v1/prompts/a?version=1", headers=bearer("viewer")).status_code == 200
            assert api.post("/v1/prompts/a/archive", headers=bearer("author")).status_code == 200
        finally:
            may_finish.set()
        assert registration.result()["warnings"][0]["name"] == "near"


def test_a_refused_registration_is_not_checked(local: Any, checker: RecordingChecker) -> None:
    register(local, "a", TRIAGE)
    local.post("/v1/prompts/a/archive")
    body = {"type": "text", "template": REFUND}
    assert local.post("/v1/prompts/a/versions?similar=true", json=body).status_code == 409
    assert checker.names == []


@pytest.mark.parametrize(
    ("path", "body", "field_errors"),
    [
        ("a", {"type": "text", "template": 7}, ["template"]),
        ("a", {"type": "text", "template": "x", "colour": 1}, ["colour"]),
        ("A", {"type": "text", "template": "x"}, ["name"]),
        ("a", None, [""]),
    ],
)
def test_an_invalid_registration_is_reported_once_and_not_checked(
    local: Any, checker: RecordingChecker, path: str, body: Any, field_errors: list[str]
) -> None:
    response = local.post(f"/v1/prompts/{path}/versions?similar=true", json=body)
    assert (response.status_code, [error["path"] for error in response.json()["errors"]]) == (422, field_errors)
    assert checker.names == []
    assert local.post("/v1/prompts/a/versions?similar=perhaps", json={"type": "text", "template": "x"}).status_code == 422


def test_the_check_needs_the_right_to_register(api: Any, bearer: Any, checker: RecordingChecker) -> None:
    body = {"type": "text", "template": TRIAGE}
    path = "/v1/prompts/a/versions?similar=true"
    assert api.post(path, json=body, headers=bearer("viewer")).status_code == 403
    assert api.post(path, json=body).status_code == 401
    assert checker.names == []
    assert api.post(path, json=body, headers=bearer("ci")).status_code == 201


def test_a_retry_gets_the_warnings_of_the_first_response(local: Any, checker: RecordingChecker) -> None:
    request = {"json": {"type": "text", "template": TRIAGE}, "headers": {"Idempotency-Key": "k"}}
    first = local.post("/v1/prompts/a/versions?similar=true", **request)
    retry = local.post("/v1/prompts/a/versions?similar=true", **request)
    assert (first.status_code, retry.status_code) == (201, 201)
    assert first.json() == retry.json()
    assert retry.json()["warnings"][0]["name"] == "near"
    assert checker.names == ["a"]


def test_a_retry_during_the_check_gets_the_committed_version(local: Any, checker: RecordingChecker) -> None:
    request = {"json": {"type": "text", "template": TRIAGE}, "headers": {"Idempotency-Key": "k"}}
    retries: list[Any] = []
    checker.hook = lambda: retries.append(local.post("/v1/prompts/a/versions?similar=true", **request))
    first = local.post("/v1/prompts/a/versions?similar=true", **request)
    (retry,) = retries
    assert (first.status_code, retry.status_code) == (201, 201)
    assert retry.json() == {**first.json(), "warnings": []}
    assert checker.names == ["a"]
