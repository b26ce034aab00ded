"""Transactions on one queue follow each other: each test stops the first one midway and starts the second."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from typing import Any, TypeVar

import pytest

from promptuary.core.errors import Conflict
from promptuary.review.claims import store as claim_store
from promptuary.review.labels import store as decision_store
from promptuary.review.queues import store as queue_store
from promptuary.review.queues.choice import Choice
from promptuary.review.queues.service import NewItem

T = TypeVar("T")
CreateFilledQueue = Callable[..., None]
DEADLINE = 60.0
YES_NO = (Choice("yes", "Yes"), Choice("no", "No"))


def wait_until_blocked(database: Any, second: Future[Any]) -> None:
    """Wait until the second transaction waits for a lock of PostgreSQL, or has ended without waiting for one."""
    if database.engine.dialect.name != "postgresql":
        return  # on SQLite one transaction writes at a time, so that the second one cannot have begun
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + DEADLINE
    while not second.done():
        with database.engine.connect() as connection:
            if connection.exec_driver_sql(query).scalar_one():
                return
        assert time.monotonic() < end, "the second transaction neither waits for a lock nor ends"
        time.sleep(0.01)


@pytest.fixture
def run_interleaved(database: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Future[Any], Future[Any]]]:
    """Stop the first transaction behind its first call of a function until the second one waits or has ended."""

    def run(module: Any, function: str, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Future[Any], Future[Any]]:
        reached, resume = threading.Event(), threading.Event()
        original = getattr(module, function)

        def stopping(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if not reached.is_set():
                reached.set()
                assert resume.wait(DEADLINE)
            return result

        monkeypatch.setattr(module, function, stopping)
        with ThreadPoolExecutor(2) as pool:
            try:
                first_future = pool.submit(first)
                assert reached.wait(DEADLINE)
                second_future = pool.submit(second)
                wait_until_blocked(database, second_future)
            finally:
                resume.set()
        return first_future, second_future

    return run


@pytest.fixture
def call(reviews_as: Any) -> Callable[..., Callable[[], Any]]:
    """Make a function that calls one method of the service as a reviewer, in a transaction of its own."""

    def make(reviewer: str, method: str, *args: Any) -> Callable[[], Any]:
        def run() -> Any:
            with reviews_as(reviewer) as reviews:
                return attrgetter(method)(reviews)(*args)

        return run

    return make


def test_a_changed_queue_keeps_a_decision_that_is_being_made(
    database: Any, call: Any, create_filled_queue: CreateFilledQueue, run_interleaved: Any
) -> None:
    create_filled_queue("triage", 1)
    claim = call("ann", "claims.claim", "triage")().claim
    submit = call("ann", "submit", claim.id, claim.nonce, "approve")
    decided, changed = run_interleaved(
        decision_store, "add_decision", submit, call("author", "put_queue", "triage", "", YES_NO)
    )
    assert decided.result().decision == "approve"
    with pytest.raises(Conflict, match="has decisions 'approve'"):
        changed.result()


def test_two_claims_at_once_are_of_two_items(
    database: Any, call: Any, create_filled_queue: CreateFilledQueue, run_interleaved: Any
) -> None:
    create_filled_queue("triage", 2)
    futures = run_interleaved(
        claim_store, "find_next_item", call("ann", "claims.claim", "triage"), call("ben", "claims.claim", "triage")
    )
    assert [future.result().claim.item.source for future in futures] == ["item-0", "item-1"]


def test_one_claim_submitted_twice_at_once_is_decided_once(
    database: Any, call: Any, create_filled_queue: CreateFilledQueue, run_interleaved: Any
) -> None:
    create_filled_queue("triage", 1, slots=2)
    claim = call("ann", "claims.claim", "triage")().claim
    submit = call("ann", "submit", claim.id, claim.nonce, "approve")
    first, second = run_interleaved(decision_store, "add_decision", submit, submit)
    assert first.result().decision == "approve"
    with pytest.raises(Conflict, match="submitted already"):
        second.result()


def test_one_source_added_twice_at_once_is_one_item(
    database: Any, call: Any, create_filled_queue: CreateFilledQueue, run_interleaved: Any
) -> None:
    create_filled_queue("triage", 0)
    add = call("author", "queues.add_items", "triage", [NewItem("a", {})])
    first, second = run_interleaved(queue_store, "find_known_sources", add, add)
    assert [(future.result().added, future.result().present) for future in (first, second)] == [(1, 0), (0, 1)]


def test_a_queue_created_twice_at_once_has_the_later_definition(database: Any, call: Any, run_interleaved: Any) -> None:
    create, change = call("ann", "put_queue", "triage", "first"), call("ben", "put_queue", "triage", "second")
    created, changed = run_interleaved(queue_store, "add_queue", create, change)
    assert [future.result().queue.instructions for future in (created, changed)] == ["first", "second"]
    assert call("ann", "queues.queue", "triage")().queue.instructions == "second"
