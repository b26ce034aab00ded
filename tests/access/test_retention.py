"""Responses that are stored for retries are deleted after some days."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from promptuary.access.retention import PURGE_INTERVAL, ResponseRetention


def count(database: Any) -> int:
    with database.read() as session:
        return int(session.connection().execute(text("SELECT count(*) FROM idempotency")).scalar_one())


def write(local: Any, key: str) -> Any:
    body = {"type": "text", "template": key}
    return local.post("/v1/prompts/p/versions", json=body, headers={"Idempotency-Key": key})


def test_old_responses_are_deleted_with_what_is_recorded_of_them(local: Any, database: Any, clock: Any) -> None:
    retention = ResponseRetention(database, clock, days=7)
    write(local, "old")
    clock.move(days=6)
    write(local, "new")
    assert not retention.step()
    assert count(database) == 2
    clock.move(days=1.5)
    assert not retention.step()
    assert count(database) == 1
    assert write(local, "new").json()["version"] == 2


def test_nothing_is_searched_before_an_hour_has_passed(local: Any, database: Any, clock: Any) -> None:
    retention = ResponseRetention(database, clock, days=1)
    assert not retention.step()
    write(local, "old")
    clock.move(days=2)
    assert not retention.step()
    assert count(database) == 0
    write(local, "later")
    with database.write() as session:
        session.connection().execute(text("UPDATE idempotency SET created_at = '2020-01-01 00:00:00.000000'"))
    assert not retention.step()
    assert count(database) == 1
    clock.move(days=PURGE_INTERVAL / timedelta(days=1))
    retention.step()
    assert count(database) == 0
