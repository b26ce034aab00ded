"""Several workers on one database: the results are those of one process, also where workers are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from factories.conversations import SYSTEM_ONLY, conversation
from promptuary.access.credentials import local_caller
from promptuary.access.unit_of_work import UnitOfWork
from promptuary.core.clock import wall_clock
from promptuary.core.database import Database
from promptuary.core.settings import Settings
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.evaluation.suites.suite import Suite
from promptuary.models.chat_models import ChatModels
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry
from promptuary.worker.assembly import build_worker

pytestmark = pytest.mark.acceptance
WORKERS, RUNS, CASES, WAIT = 3, 6, 200, 180.0
KILLS = 6
SUITE = {
    "name": "words",
    "prompt": "word",
    "dataset": "words",
    "models": ["echo:"],
    "repeats": 2,
    "scorers": [{"type": "equals", "value": "{{expected}}", "name": "exact"}, {"type": "word-count", "value": {"max": 2}}],
    "gate": [{"metric": "exact", "not_worse_than": "production", "by": 0.02}],
}


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start worker processes; those that are left at the end are ended."""
    environment = {
        **os.environ,
        "PROMPTUARY_DATA_DIR": str(settings.data_dir),
        "PROMPTUARY_DATABASE_URL": settings.sql_url,
        "PROMPTUARY_LEASE_SECONDS": "5",
    }
    command = [sys.executable, "-m", "promptuary.cli.main", "worker"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(count):
            with (settings.data_dir / f"worker{number}.log").open("wb") as log:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait(what: Callable[[], Any]) -> Any:
    """Wait until there is an answer, and give it."""
    end = time.monotonic() + WAIT
    while not (outcome := what()):
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.05)
    return outcome


def reproducible_fields(result: CaseResult) -> tuple[Any, ...]:
    """Return all fields but the timestamp and the latency, which differ between executions."""
    return (
        result.ordinal,
        result.case,
        result.variant,
        result.repeat,
        result.output,
        result.passed,
        result.score,
        result.metrics,
        result.error,
    )


@pytest.fixture
def submit(sqlite: Database, settings: Settings) -> Callable[[], Run]:
    """Submit a run of a suite of two versions on 200 cases, twice each; 800 results."""
    texts = [("yes", "no", "yes, very surely")[number % 3] for number in range(CASES)]
    cases = [Case(f"c{number}", {"text": text}, "yes") for number, text in enumerate(texts)]
    contents = [Content(type="text", template=template) for template in ("{{text}}", "{{text}}!")]
    return store_suite(sqlite, settings, SUITE, contents, cases)


@pytest.fixture
def submit_conversations(sqlite: Database, settings: Settings) -> Callable[[], Run]:
    """Submit a run of a suite on 200 conversations of three turns, twice each; 400 results."""
    suite = {**SUITE, "name": "talks", "prompt": "talk", "dataset": "talks", "gate": []}
    turns = [{"user": text} for text in ("yes", "no", "yes")]
    cases = [conversation(id=f"c{number}", turns=turns, expected="yes") for number in range(CASES)]
    return store_suite(sqlite, settings, suite, [SYSTEM_ONLY], cases)


def store_suite(
    database: Database, settings: Settings, suite: Mapping[str, Any], contents: Sequence[Content], cases: Sequence[Case]
) -> Callable[[], Run]:
    """Store a suite with its prompt and its dataset; return what submits a run of it."""
    caller = local_caller(database, wall_clock())
    with database.write() as session:
        unit = UnitOfWork(session, caller, wall_clock, settings)
        for number, content in enumerate(contents):
            Registry(unit).register(suite["prompt"], content, labels=() if number else ("production",))
        DatasetService(unit).put_version(suite["dataset"], cases)
        SuiteService(unit).put(Suite.model_validate(suite))

    def submit_run() -> Run:
        with database.write() as session:
            return RunService(UnitOfWork(session, caller, wall_clock, settings)).submit(RunRequest(suite=suite["name"]))

    return submit_run


@pytest.fixture
def alone(submit: Callable[[], Run], sqlite: Database, settings: Settings) -> list[tuple[Any, ...]]:
    """The results of one process."""
    run = submit()
    with ChatModels(settings) as models, build_worker(settings, database=sqlite, models=models) as worker:
        assert worker.work()
    return results(sqlite, run)


def results(database: Database, run: Run) -> list[tuple[Any, ...]]:
    with database.read() as session:
        stored = store.get_run(session, run.id)
        assert stored is not None
        assert (stored.state, stored.done, stored.verdict) == (RunState.FINISHED, stored.total, "regression")
        return [reproducible_fields(result) for result in store.list_results(session, run.id)]


def over(database: Database, runs: list[Run]) -> list[Run]:
    """Return the stored runs once all of them are over, else an empty list."""
    with database.read() as session:
        now = [store.get_run(session, run.id) for run in runs]
    return [run for run in now if run is not None] if all(run is not None and run.state.over for run in now) else []


def test_three_workers_do_what_one_process_does(
    alone: list[tuple[Any, ...]], submit: Callable[[], Run], sqlite: Database, settings: Settings
) -> None:
    with workers(settings, WORKERS):
        wait(lambda: all(b"worker started" in log.read_bytes() for log in settings.data_dir.glob("worker*.log")))
        runs = [submit() for _ in range(RUNS)]
        ended = wait(lambda: over(sqlite, runs))

    assert len(alone) == 4 * CASES
    assert len({run.worker for run in ended}) > 1
    assert all(results(sqlite, run) == alone for run in runs)


def test_workers_that_are_killed_lose_and_double_nothing(
    alone: list[tuple[Any, ...]], submit: Callable[[], Run], sqlite: Database, settings: Settings
) -> None:
    runs = [submit() for _ in range(RUNS)]
    with workers(settings, WORKERS) as started:
        wait(lambda: any(run.done for run in stored_runs(sqlite, runs)))
        for process in started:
            os.kill(process.pid, signal.SIGKILL)
    with workers(settings, WORKERS):
        wait(lambda: over(sqlite, runs))

    assert all(results(sqlite, run) == alone for run in runs)


def stored_runs(database: Database, runs: list[Run]) -> list[Run]:
    with database.read() as session:
        stored = [store.get_run(session, run.id) for run in runs]
    return [run for run in stored if run is not None]


def test_a_command_that_is_killed_again_and_again_ends_with_one_result_a_case(
    submit: Callable[[], Run], sqlite: Database, settings: Settings
) -> None:
    run = submit()
    finish_between_kills(run, "words", sqlite, settings)


def test_conversations_of_a_command_that_is_killed_have_one_result_each(
    submit_conversations: Callable[[], Run], sqlite: Database, settings: Settings
) -> None:
    run = submit_conversations()
    finish_between_kills(run, "talks", sqlite, settings)
    with sqlite.read() as session:
        turns = [result.detail["turns"] for result in store.iterate_results(session, run.id)]
    assert [[turn["output"] for turn in each] for each in turns] == [["yes", "no", "yes"]] * run.total


def finish_between_kills(run: Run, suite: str, database: Database, settings: Settings) -> None:
    """Kill a command that does a run again and again, then let one finish it; each result must be there once."""
    drawn = random.Random(7)
    command = [sys.executable, "-m", "promptuary.cli.main", "eval", "run", suite, "--resume", run.id]
    environment = os.environ | {"PROMPTUARY_DATA_DIR": str(settings.data_dir), "PROMPTUARY_DATABASE_URL": settings.sql_url}
    for kill in range(KILLS):
        goal = round(run.total * (kill + drawn.random()) / KILLS)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait(lambda goal=goal, process=process: stored_runs(database, [run])[0].done >= goal or process.poll() is not None)
            process.kill()
        lease_ends(database, run)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        process.wait(WAIT)

    ended = stored_runs(database, [run])[0]
    assert (ended.state, ended.done) == (RunState.FINISHED, run.total)
    with database.read() as session:
        assert [result.ordinal for result in store.iterate_results(session, run.id)] == list(range(run.total))


def lease_ends(database: Database, run: Run) -> None:
    """Expire the lease of a process that was killed, without the wait."""
    with database.write() as session:
        session.connection().execute(text("UPDATE run SET lease_until = NULL WHERE id = :id"), {"id": run.id})
