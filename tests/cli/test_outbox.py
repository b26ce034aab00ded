"""`promptuary outbox`, and the doctor's check of messages that could not be delivered."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from promptuary.core.database import Database
from promptuary.core.outbox import MAX_TRIES, enqueue, relay
from promptuary.core.settings import read_settings


@pytest.fixture
def park(run: Callable[..., Any], data_dir: Any) -> Callable[..., None]:
    """Park messages to MLflow in the data directory."""

    def refuse(payload: dict[str, Any]) -> None:
        raise ValueError(f"{payload['run']} is refused")

    def park_messages(*names: str) -> None:
        run("init")
        database = Database(read_settings(data_dir=data_dir).sql_url)
        with database.write() as session:
            for name in names:
                enqueue(session, "mlflow", {"run": name}, datetime(2026, 3, 2, tzinfo=UTC))
        for number in range(MAX_TRIES):
            relay(database, lambda number=number: datetime(2026, 3, 2, 1, number, tzinfo=UTC), "mlflow", refuse)
        database.dispose()

    return park_messages


def test_messages_are_listed_retried_and_dropped(run: Callable[..., Any], park: Callable[..., None]) -> None:
    park("a", "b")
    messages = run("outbox", "list", "--json").json
    assert [(message["topic"], message["payload"], message["error"]) for message in messages] == [
        ("mlflow", {"run": "a"}, "ValueError: a is refused"),
        ("mlflow", {"run": "b"}, "ValueError: b is refused"),
    ]
    first, second = (message["id"] for message in messages)
    assert run("outbox", "retry", first).out == f"message {first} to mlflow is due again\n"
    assert run("outbox", "drop", second).out == f"message {second} is dropped\n"
    assert run("outbox", "list", "--json").json == []
    assert run("outbox", "retry", second).code != 0


def test_the_doctor_fails_while_messages_are_parked(run: Callable[..., Any], park: Callable[..., None]) -> None:
    park("a", "b")
    checks = {check["check"]: check for check in json.loads(run("doctor", "--json").out)}
    assert checks["outbox"] == {
        "check": "outbox",
        "ok": False,
        "found": "not delivered: 2 to mlflow; see `promptuary outbox list`",
    }
