"""Leases and results in SQL: one holder at a time, and what a late one writes is refused."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories.summaries import make_empty_summary
from promptuary.core.errors import Conflict
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.store import Run, RunFilter, RunOutcome, RunState
from promptuary.statistics.verdict import Verdict

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def lease(author: Open, clock: Any) -> Callable[..., Run | None]:
    """Lease what is due, for a minute."""

    def take(worker: str = "w1", only: str | None = None) -> Run | None:
        with author() as unit:
            return store.lease_run(unit.session, worker, clock(), clock() + timedelta(minutes=1), only)

    return take


@pytest.mark.usefixtures("database")
def test_a_run_has_one_holder_at_a_time(create_words_suite: Make, submit_run: Make, lease: Make, clock: Any) -> None:
    create_words_suite()
    run = submit_run()

    first = lease("w1")
    assert (first.id, first.state, first.worker, first.fence, first.started_at) == (run.id, "running", "w1", 1, clock())
    assert lease("w2") is None

    clock.move(seconds=60)
    second = lease("w2")
    assert (second.id, second.worker, second.fence, second.started_at) == (run.id, "w2", 2, first.started_at)


@pytest.mark.usefixtures("database")
def test_many_workers_take_every_run_once(create_words_suite: Make, submit_run: Make, lease: Make, clock: Any) -> None:
    create_words_suite()
    runs = []
    for _ in range(8):
        clock.move(seconds=1)
        runs.append(submit_run().id)
    leased_ids: list[str] = []

    def work(name: str) -> None:
        while run := lease(name):
            leased_ids.append(run.id)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(leased_ids) == runs


def test_the_oldest_run_comes_first_and_a_named_one_at_once(
    create_words_suite: Make, submit_run: Make, lease: Make, clock: Any
) -> None:
    create_words_suite()
    first = submit_run()
    clock.move(seconds=1)
    second, third = submit_run(), submit_run()

    assert lease(only=third.id).id == third.id
    assert lease(only=third.id) is None
    assert lease().id == first.id
    assert lease().id == second.id
    assert lease() is None


@pytest.mark.usefixtures("database")
def test_only_the_holder_writes(
    create_words_suite: Make, submit_run: Make, lease: Make, result_of: Make, author: Open, clock: Any
) -> None:
    create_words_suite()
    submit_run()
    late = lease("w1")
    clock.move(seconds=60)
    leased = lease("w2")
    until = clock() + timedelta(minutes=1)

    with author() as unit:
        assert not store.add_results(unit.session, late, [result_of("c1", 1.0)], until)
        assert not store.extend_lease(unit.session, late, until)
        assert not store.finish_run(
            unit.session, late, RunOutcome(RunState.FINISHED, make_empty_summary(Verdict.PASS)), clock()
        )
        assert not store.release_run(unit.session, late)
        assert store.add_results(unit.session, leased, [result_of("c1", 0.0)], until)
        assert store.extend_lease(unit.session, leased, until)
    with author() as unit:
        stored = store.get_run(unit.session, leased.id)
        assert stored is not None
        assert (stored.state, stored.done, stored.lease_until) == (RunState.RUNNING, 1, until)
        assert [result.score for result in store.list_results(unit.session, leased.id)] == [0.0]


def test_a_result_comes_back_as_it_was_written(
    create_words_suite: Make, submit_run: Make, lease: Make, result_of: Make, author: Open, clock: Any
) -> None:
    create_words_suite()
    submit_run()
    leased = lease()
    written = [
        result_of("c1", 0.5, detail={"latency_ms": 3.5, "scores": {}}, passed=False),
        result_of("c2", None, ordinal=1, metrics={"exact": None}),
    ]

    with author() as unit:
        store.add_results(unit.session, leased, written, clock())
    with author() as unit:
        assert store.list_results(unit.session, leased.id) == written
        assert store.list_results(unit.session, leased.id, after=0) == written[1:]
        assert store.list_results(unit.session, leased.id, limit=1) == written[:1]
        assert store.list_results(unit.session, leased.id, variant="v9") == []
        assert list(store.completed_ordinals(unit.session, leased.id)) == [0, 1]
        assert store.count_errors(unit.session, leased.id) == 1


def test_a_cancelled_run_has_no_lease(
    create_words_suite: Make, submit_run: Make, lease: Make, author: Open, clock: Any
) -> None:
    create_words_suite()
    run = submit_run()
    leased = lease()

    with author() as unit:
        assert store.stop_run(unit.session, run.id, RunState.CANCELLED, clock())
        assert not store.stop_run(unit.session, run.id, RunState.CANCELLED, clock())
        assert not store.extend_lease(unit.session, leased, clock())
    clock.move(days=1)
    assert lease() is None


def test_a_released_run_is_due_at_once(create_words_suite: Make, submit_run: Make, lease: Make, author: Open) -> None:
    create_words_suite()
    submit_run()
    leased = lease("w1")
    with author() as unit:
        assert store.release_run(unit.session, leased)
    again = lease("w2")
    assert (again.fence, again.worker) == (2, "w2")


def test_another_projects_run_is_not_found(create_words_suite: Make, submit_run: Make, author: Open) -> None:
    create_words_suite()
    run = submit_run()
    with author() as unit:
        assert store.get_run(unit.session, run.id, run.project) is not None
        assert store.get_run(unit.session, run.id, run.project + 1) is None
        assert store.list_runs(unit.session, run.project + 1, RunFilter(), before=None, limit=10) == []


def test_results_may_be_written_once_only(
    create_words_suite: Make, submit_run: Make, lease: Make, result_of: Make, author: Open, clock: Any
) -> None:
    create_words_suite()
    submit_run()
    leased = lease()
    with author() as unit:
        store.add_results(unit.session, leased, [result_of("c1", 1.0)], clock())
    with pytest.raises(Conflict), author() as unit:
        store.add_results(unit.session, replace(leased), [result_of("c1", 0.0)], clock())
    with author() as unit:
        stored = store.get_run(unit.session, leased.id)
        assert stored is not None
        assert stored.done == 1
