"""Errors of several libraries, classified by the names of their classes and by their status."""

from datetime import UTC, datetime

import httpx
import httpx2
import pytest

from promptuary.core.errors import Unavailable
from promptuary.models.calls.retries import LONGEST_PAUSE, is_overloaded, is_transient, may_be_billed, retry_after

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Refused(Exception):
    def __init__(self, status: int, headers: dict[str, str] | None = None, code: str | None = None) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.code = code
        self.response = httpx.Response(status, headers=headers)


def raised_from(cause: BaseException) -> Exception:
    error = RuntimeError("a provider's own")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("name", ["ConnectError", "ReadTimeout", "RemoteProtocolError", "PoolTimeout"])
def test_a_lost_connection_is_transient_in_every_library(library: object, name: str) -> None:
    error = raised_from(getattr(library, name)("gone"))
    assert is_transient(error)
    assert may_be_billed(error) == (name in ("ReadTimeout", "RemoteProtocolError"))


@pytest.mark.parametrize(
    ("status", "again", "too_much", "paid"),
    [
        (400, False, False, False),
        (401, False, False, False),
        (408, True, False, True),
        (429, True, True, False),
        (500, True, False, True),
        (502, True, False, True),
        (503, True, True, False),
        (504, True, False, True),
        (529, True, True, False),
    ],
)
def test_a_status_decides_about_retries_and_costs(status: int, again: bool, too_much: bool, paid: bool) -> None:
    error = raised_from(Refused(status))
    assert (is_transient(error), is_overloaded(error), may_be_billed(error)) == (again, too_much, paid)


def test_an_account_without_money_is_not_retried() -> None:
    assert not is_transient(Refused(429, code="insufficient_quota"))


def test_other_errors_are_permanent_and_may_be_billed() -> None:
    assert not is_transient(ValueError("no JSON"))
    assert may_be_billed(ValueError("no JSON"))
    assert is_transient(Unavailable("away"))
    assert is_transient(RuntimeError("Event loop is closed"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "99999"}, LONGEST_PAUSE),
        ({"Retry-After": "inf"}, LONGEST_PAUSE),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 02 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 02 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
    ],
)
def test_every_form_of_a_requested_wait_is_parsed(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(raised_from(Refused(429, headers)), lambda: NOON) == seconds
