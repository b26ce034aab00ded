"""The worker's rounds, its end, and the real one put together."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import pytest

from promptuary.core import outbox
from promptuary.core.errors import Unavailable
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.worker import loop
from promptuary.worker.assembly import build_worker
from promptuary.worker.loop import Handler, Worker

UnitAs = Callable[..., AbstractContextManager[Any]]


@dataclass
class Runs:
    """An execution of so many runs; `do` is called in each."""

    due: int
    do: Callable[[Any], None] = lambda stop: None
    leased: list[str] = field(default_factory=list)
    done: int = 0

    def lease(self, worker: str) -> Any:
        self.leased.append(worker)
        if not self.due:
            return None
        self.due -= 1
        return "run"

    def execute(self, run: Any, on_progress: Any = None, stop: Any = None) -> Any:
        self.do(stop)
        self.done += 1


@pytest.fixture
def worker(sqlite: Any, clock: Any, settings: Any) -> Callable[..., Worker]:
    """Make a worker of an execution and relays."""

    def make(runs: Any, relays: Sequence[tuple[str, Handler]] = ()) -> Worker:
        return Worker(sqlite, clock, settings, runs, relays)

    return make


def put(database: Any, clock: Any, topic: str, number: int) -> None:
    with database.write() as session:
        outbox.enqueue(session, topic, {"number": number}, clock())


def test_a_round_delivers_every_topic_and_does_one_run(worker: Any, sqlite: Any, clock: Any) -> None:
    got: list[Mapping[str, Any]] = []
    runs = Runs(due=1)
    tested = worker(runs, [("chroma", got.append), ("mlflow", got.append)])
    put(sqlite, clock, "mlflow", 1)
    put(sqlite, clock, "chroma", 2)

    assert tested.step() is True
    assert got == [{"number": 2}, {"number": 1}]
    assert (runs.done, runs.leased) == (1, [tested.name])
    assert tested.step() is False


def test_a_topic_that_cannot_be_delivered_holds_up_nothing_else(worker: Any, sqlite: Any, clock: Any) -> None:
    def away(_: Any) -> None:
        raise ConnectionError("MLflow is away")

    got: list[Mapping[str, Any]] = []
    runs = Runs(due=1)
    tested = worker(runs, [("mlflow", away), ("chroma", got.append)])
    put(sqlite, clock, "mlflow", 1)
    put(sqlite, clock, "chroma", 2)

    assert tested.step() is True
    assert (got, runs.done) == ([{"number": 2}], 1)
    with sqlite.read() as session:
        assert outbox.count_pending(session, "mlflow") == 1


def test_messages_of_a_topic_that_is_apart_do_not_wait_for_each_other(sqlite: Any, clock: Any, settings: Any) -> None:
    def first_is_away(payload: Mapping[str, Any]) -> None:
        if payload["number"] == 1:
            raise ConnectionError("nobody there")

    for number in (1, 2):
        put(sqlite, clock, "webhook", number)
    tested = Worker(sqlite, clock, settings, Runs(0), [("webhook", first_is_away)], frozenset({"webhook"}))

    assert tested.step() is True
    with sqlite.read() as session:
        assert outbox.count_pending(session, "webhook") == 1


def test_scheduled_runs_are_submitted_beside_all_else_until_the_end(sqlite: Any, clock: Any, settings: Any) -> None:
    stop, ticked = threading.Event(), threading.Event()

    def tick() -> bool:
        ticked.set()
        raise ZeroDivisionError

    def do(_: Any) -> None:
        assert ticked.wait(20)
        stop.set()

    runs = Runs(due=1, do=do)
    Worker(sqlite, clock, settings, runs, [], tick=tick).run(stop)

    assert runs.done == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "schedules"]


def test_every_worker_has_a_name_of_its_own(worker: Any) -> None:
    assert worker(Runs(0)).name != worker(Runs(0)).name


def test_a_worker_works_until_it_is_stopped(worker: Any, sqlite: Any, clock: Any) -> None:
    stop, delivered = threading.Event(), threading.Event()

    def last(stop_event: threading.Event) -> None:
        assert stop_event is stop
        if runs.done == 2:
            assert delivered.wait(20)
            stop.set()

    runs = Runs(due=10, do=last)
    put(sqlite, clock, "chroma", 1)

    worker(runs, [("chroma", lambda _: delivered.set())]).run(stop)

    assert runs.done == 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("relay-")]


@pytest.mark.parametrize("error", [Unavailable("the database does not answer"), ZeroDivisionError("by zero")])
def test_a_fault_is_waited_out(worker: Any, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "ERROR_PAUSE_SECONDS", 0.0)
    stop = threading.Event()

    def do(_: Any) -> None:
        if runs.due == 1:
            raise error
        stop.set()

    runs = Runs(due=2, do=do)

    worker(runs).run(stop)

    assert (runs.due, runs.done) == (0, 1)


def test_the_real_worker_does_a_run(unit_as: UnitAs, sqlite: Any, clock: Any, settings: Any) -> None:
    with unit_as("author") as unit:
        Registry(unit).register("word", Content(type="text", template="{{text}}"))
        DatasetService(unit).put_version("words", [Case("c1", {"text": "yes"}, "yes")])
        scorers = [{"type": "equals", "value": "{{expected}}", "name": "exact"}]
        SuiteService(unit).put(
            Suite.model_validate(
                {"name": "words", "prompt": "word", "dataset": "words", "models": ["echo:"], "scorers": scorers}
            )
        )
        run_queued = RunService(unit).submit(RunRequest(suite="words"))

    with build_worker(settings, database=sqlite, clock=clock) as built:
        assert built.independent_topics == {"webhook", "webhook_deliveries"}
        assert built.tick() is False
        assert [topic for topic, _ in built.relays] == ["chroma", "prompts", "mlflow", "webhook", "webhook_deliveries"]
        assert built.work() is True
        assert built.work() is False

    with unit_as("author") as unit:
        run = RunService(unit).get(run_queued.id)
        assert (run.state, run.verdict, run.worker) == (RunState.FINISHED, "no gate", built.name)
        assert outbox.count_pending(unit.session, "mlflow") == 1
