from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from promptuary.core import outbox
from promptuary.core.database import Database
from promptuary.core.errors import NotFound, Unavailable
from promptuary.core.outbox import MAX_TRIES, MAX_WAIT, OutboxRow, RelayResult, count_pending, enqueue, relay, relay_independent
from promptuary.operations.store import count_parked, drop_parked, list_parked, retry_parked

TOPIC = "index"


class Projection:
    """What a handler feeds; it refuses the payloads of `refused`, as a server that is down would."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.refused: set[int] = set()

    def __call__(self, payload: dict[str, Any]) -> None:
        if payload["n"] in self.refused:
            raise ConnectionError(f"no answer to {payload['n']}")
        self.seen.append(payload["n"])


@pytest.fixture
def projection() -> Projection:
    return Projection()


def fill(database: Database, clock: Any, *numbers: int, topic: str = TOPIC) -> None:
    with database.write() as session:
        for number in numbers:
            enqueue(session, topic, {"n": number}, clock())


def left(database: Database, topic: str = TOPIC) -> int:
    with database.read() as session:
        return count_pending(session, topic)


def test_messages_are_delivered_once_in_the_order_in_which_they_were_put(
    database: Database, clock: Any, projection: Projection
) -> None:
    fill(database, clock, 1, 2)
    fill(database, clock, 3)
    assert relay(database, clock, TOPIC, projection) == RelayResult(3, 0)
    assert relay(database, clock, TOPIC, projection) == RelayResult(0, 0)
    assert projection.seen == [1, 2, 3]
    assert left(database) == 0


def test_a_handler_that_declines_leaves_the_message_due_for_another_process(
    database: Database, clock: Any, projection: Projection
) -> None:
    def nowhere(_payload: dict[str, Any]) -> None:
        raise outbox.DeliveryDeferred

    fill(database, clock, 1, 2)
    assert relay(database, clock, TOPIC, nowhere) == RelayResult(0, 0)
    assert left(database) == 2
    assert relay(database, clock, TOPIC, projection) == RelayResult(2, 0)


def test_a_message_of_a_write_that_failed_does_not_exist(database: Database, clock: Any) -> None:
    def fails() -> None:
        with database.write() as session:
            enqueue(session, TOPIC, {"n": 1}, clock())
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fails()
    assert left(database) == 0


def test_a_relay_takes_its_own_topic_only(database: Database, clock: Any, projection: Projection) -> None:
    fill(database, clock, 1)
    fill(database, clock, 2, topic="tracking")
    relay(database, clock, TOPIC, projection)
    assert projection.seen == [1]
    assert left(database, "tracking") == 1


def test_a_round_has_a_limit(database: Database, clock: Any, projection: Projection) -> None:
    fill(database, clock, 1, 2, 3)
    assert relay(database, clock, TOPIC, projection, limit=2) == RelayResult(2, 0)
    assert left(database) == 1


def test_a_failure_ends_the_round_and_loses_nothing_that_comes_later(
    database: Database, clock: Any, projection: Projection
) -> None:
    fill(database, clock, 1, 2, 3)
    projection.refused = {2}
    with capture_logs() as logs:
        assert relay(database, clock, TOPIC, projection) == RelayResult(1, 1, "ConnectionError: no answer to 2")
    assert [(entry["event"], entry["topic"], entry["attempts"]) for entry in logs] == [("outbox delivery failed", TOPIC, 1)]
    assert (projection.seen, left(database)) == ([1], 2)
    projection.refused = set()
    clock.move(seconds=1)
    assert relay(database, clock, TOPIC, projection) == RelayResult(2, 0)
    assert projection.seen == [1, 2, 3]


def test_a_failing_message_waits_longer_each_time_up_to_a_limit(database: Database, clock: Any, projection: Projection) -> None:
    fill(database, clock, 1)
    projection.refused = {1}
    waits = []
    for _ in range(11):
        assert relay(database, clock, TOPIC, projection).failed == 1
        with database.read() as session:
            row = session.get_one(OutboxRow, 1)
        waits.append(row.due_at - clock())
        assert relay(database, clock, TOPIC, projection) == RelayResult(0, 0)
        clock.now = row.due_at
    assert waits == [min(timedelta(seconds=2**attempt), MAX_WAIT) for attempt in range(11)]


def test_a_crash_between_delivery_and_mark_delivers_again(
    database: Database, clock: Any, projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, clock, 1, 2)
    with monkeypatch.context() as patched:

        def crash(*_arguments: Any, **_values: Any) -> None:
            raise KeyboardInterrupt

        patched.setattr(outbox, "_mark", crash)
        with pytest.raises(KeyboardInterrupt):
            relay(database, clock, TOPIC, projection)
    assert relay(database, clock, TOPIC, projection) == RelayResult(2, 0)
    assert projection.seen == [1, 1, 2]


def test_an_error_is_kept_short_and_gone_when_the_message_is_delivered(sqlite: Database, clock: Any) -> None:
    fill(sqlite, clock, 1)

    def fails(_payload: dict[str, Any]) -> None:
        raise ValueError("x" * 5000)

    relay(sqlite, clock, TOPIC, fails)
    with sqlite.read() as session:
        assert len(session.get_one(OutboxRow, 1).error or "") == 500
    clock.move(seconds=1)
    relay(sqlite, clock, TOPIC, lambda _payload: None)
    with sqlite.read() as session:
        row = session.get_one(OutboxRow, 1)
    assert (row.error, row.attempts, row.done_at) == (None, 1, clock())


def test_independent_messages_do_not_wait_for_each_other(database: Database, clock: Any, projection: Projection) -> None:
    fill(database, clock, 1, 2, 3)
    projection.refused = {1}
    assert relay_independent(database, clock, TOPIC, projection) == RelayResult(2, 1, "ConnectionError: no answer to 1")
    assert (projection.seen, left(database)) == ([2, 3], 1)
    fill(database, clock, 4)
    assert relay_independent(database, clock, TOPIC, projection) == RelayResult(1, 0)
    projection.refused = set()
    clock.move(seconds=1)
    assert relay_independent(database, clock, TOPIC, projection) == RelayResult(1, 0)
    assert (projection.seen, left(database)) == ([2, 3, 4, 1], 0)


def test_what_one_process_is_delivering_is_not_delivered_by_another(database: Database, clock: Any) -> None:
    fill(database, clock, 1)
    results: list[RelayResult] = []

    def slow(_payload: dict[str, Any]) -> None:
        results.append(relay_independent(database, clock, TOPIC, lambda _: None))

    assert relay_independent(database, clock, TOPIC, slow) == RelayResult(1, 0)
    assert results == [RelayResult(0, 0)]


def test_what_a_crashed_process_had_claimed_is_delivered_by_another(database: Database, clock: Any) -> None:
    fill(database, clock, 1)

    def crash(_payload: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relay_independent(database, clock, TOPIC, crash)
    assert relay_independent(database, clock, TOPIC, lambda _: None) == RelayResult(0, 0)
    clock.move(minutes=2)
    assert relay_independent(database, clock, TOPIC, lambda _: None) == RelayResult(1, 0)


def test_a_message_that_another_claimed_since_it_was_read_is_passed_over(sqlite: Database, clock: Any) -> None:
    fill(sqlite, clock, 1, 2)
    seen: list[Any] = []

    def hasty(payload: dict[str, Any]) -> None:
        seen.append(payload)
        if len(seen) == 1:
            relay_independent(sqlite, clock, TOPIC, seen.append)  # another process, which takes the second meanwhile

    assert relay_independent(sqlite, clock, TOPIC, hasty) == RelayResult(1, 0)
    assert len(seen) == 2


def refuse(*numbers: int) -> Any:
    """Make a handler whose receiver works, and refuses the messages with these numbers."""

    def handler(payload: dict[str, Any]) -> None:
        if payload["n"] in numbers:
            raise ValueError(f"{payload['n']} has a form that nobody accepts")

    return handler


@pytest.mark.parametrize("deliver", [relay, relay_independent])
def test_a_message_that_is_refused_is_parked_and_others_go_on(database: Database, clock: Any, deliver: Any) -> None:
    fill(database, clock, 1, 2, 3)
    with capture_logs() as logs:
        assert deliver(database, clock, TOPIC, refuse(2)).delivered == 2
        for _ in range(MAX_TRIES - 1):
            clock.move(minutes=1)
            assert deliver(database, clock, TOPIC, refuse(2)).failed == 1
            fill(database, clock, 9)
            assert deliver(database, clock, TOPIC, refuse(2)).delivered == 1
    assert [entry["event"] for entry in logs][-1] == "outbox message parked"
    clock.move(days=1)
    assert deliver(database, clock, TOPIC, refuse(2)) == RelayResult(0, 0)
    assert left(database) == 0
    with database.read() as session:
        assert count_parked(session) == {TOPIC: 1}
        (parked,) = list_parked(session, None, 10)
    assert (parked.payload, parked.attempts, parked.error) == (
        {"n": 2},
        MAX_TRIES,
        "ValueError: 2 has a form that nobody accepts",
    )


@pytest.mark.parametrize("error", [Unavailable("no answer"), ConnectionRefusedError("no answer")])
def test_no_message_is_parked_because_its_receiver_is_away(database: Database, clock: Any, error: Exception) -> None:
    def away(_payload: dict[str, Any]) -> None:
        raise error

    fill(database, clock, 1, 2)
    for _ in range(3 * MAX_TRIES):
        assert relay(database, clock, TOPIC, away).failed == 1
        assert relay(database, clock, TOPIC, away) == RelayResult(0, 0)
        clock.move(minutes=6)
    assert left(database) == 2
    assert relay(database, clock, TOPIC, refuse()) == RelayResult(2, 0)


def test_a_parked_message_is_retried_with_all_its_tries_or_dropped(database: Database, clock: Any) -> None:
    fill(database, clock, 1, 2)
    for _ in range(MAX_TRIES):
        relay(database, clock, TOPIC, refuse(1, 2))
        clock.move(minutes=1)
    with database.write() as session:
        assert retry_parked(session, 1, clock()).payload == {"n": 1}
        assert drop_parked(session, 2, clock()).payload == {"n": 2}
    assert left(database) == 1
    assert relay(database, clock, TOPIC, refuse(1)).failed == 1
    clock.move(minutes=1)
    assert relay(database, clock, TOPIC, refuse()) == RelayResult(1, 0)
    with database.write() as session:
        assert count_parked(session) == {}
        for message in (1, 2, 3):
            with pytest.raises(NotFound):
                retry_parked(session, message, clock())
