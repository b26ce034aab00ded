import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

import promptuary
from promptuary.api.problems.error_status import STATUS_BY_ERROR, status_of
from promptuary.api.problems.handlers import error_response
from promptuary.api.problems.problem_format import TITLES
from promptuary.core import errors
from promptuary.core.errors import PromptuaryError, StorageFull, Unavailable
from promptuary.prompt.errors import FieldError, Invalid

AT_START_ONLY = {"BrokenPlugin", "UnknownSchema"}
"""Errors that keep a server from starting; none can be the answer to a request."""


def subclasses(kind: type[PromptuaryError]) -> Iterator[type[PromptuaryError]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


@pytest.fixture(scope="module")
def server_errors() -> list[type[PromptuaryError]]:
    """Every error of the server's parts; the client and the command line have their own, which no server raises."""
    for module in pkgutil.walk_packages(promptuary.__path__, "promptuary."):
        if module.name.split(".")[1] not in ("client", "cli", "migrations") or module.name.endswith(".upgrade"):
            importlib.import_module(module.name)
    kinds = {kind for kind in subclasses(PromptuaryError) if kind.__module__.startswith("promptuary.")}
    return sorted(
        (kind for kind in kinds if kind.__module__.split(".")[1] not in ("client", "cli")), key=lambda kind: kind.__name__
    )


def test_every_error_of_ours_has_a_status_of_its_own_kind(server_errors: list[type[PromptuaryError]]) -> None:
    undecided = {kind.__name__ for kind in server_errors if status_of(kind) == 500}
    assert undecided == AT_START_ONLY
    assert {status_of(kind) for kind in server_errors} <= set(TITLES)
    assert set(STATUS_BY_ERROR.values()) <= set(TITLES)


def test_every_error_of_ours_has_a_code_of_its_own(server_errors: list[type[PromptuaryError]]) -> None:
    codes = [kind.code for kind in server_errors]
    assert len(set(codes)) == len(codes)
    assert PromptuaryError.code not in codes


def test_the_tree_of_errors_is_drawn_whole(server_errors: list[type[PromptuaryError]]) -> None:
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in server_errors if f" {kind.__name__} " not in drawn] == []


def test_an_invalid_input_is_told_with_all_its_faults() -> None:
    answer = error_response(Invalid("it is wrong", [FieldError("a.0", "is bad"), FieldError("", "is odd")]))
    assert bytes(answer.body).decode() == (
        '{"type": "urn:promptuary:problem:invalid", "title": "Not valid", "status": 422, "code": "invalid", '
        '"detail": "it is wrong", "errors": [{"path": "a.0", "message": "is bad"}, {"path": "", "message": "is odd"}]}'
    )


def test_what_may_succeed_later_says_when() -> None:
    assert (error_response(Unavailable("x", 7)).status_code, error_response(Unavailable("x", 7)).headers["retry-after"]) == (
        503,
        "7",
    )
    assert (error_response(StorageFull("x", 30)).status_code, error_response(StorageFull("x", 30)).headers["retry-after"]) == (
        507,
        "30",
    )


def test_an_error_nobody_expected_is_a_500_that_tells_nothing_and_is_in_the_log(app: Any) -> None:
    secret = "hunter2"

    def breaks() -> None:
        raise RuntimeError(secret)

    app.app.add_api_route("/breaks", breaks)
    with capture_logs() as logs, TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        answer = client.get("/breaks")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["code"] == "internal_error"
    assert secret not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"]
    (entry,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert (entry["path"], str(entry["exc_info"])) == ("/breaks", secret)


def test_a_write_that_breaks_on_the_way_leaves_nothing(sqlite: Any, local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptuary.registry.events import event_store

    def breaks(*_arguments: Any) -> None:
        raise RuntimeError("on the way")

    with monkeypatch.context() as patched:
        patched.setattr(event_store, "add_event", breaks)
        with pytest.raises(RuntimeError, match="on the way"):
            local.post("/v1/prompts/a/versions", json={"type": "text", "template": "x"})
    assert local.get("/v1/prompts").json()["items"] == []


def test_while_the_database_is_locked_a_write_is_asked_to_come_back(
    sqlite: Any, local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptuary.registry.events import event_store

    def raise_busy(*_arguments: Any) -> None:
        raise errors.DatabaseBusy("the database is locked by other writers; try again")

    monkeypatch.setattr(event_store, "add_event", raise_busy)
    answer = local.post("/v1/prompts/a/versions", json={"type": "text", "template": "x"})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")
