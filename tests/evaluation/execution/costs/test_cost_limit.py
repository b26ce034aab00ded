"""Cost limits of whole runs, on the tables and over real HTTP; the bill is what the stub server has counted."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from doubles.stub_model import Reaction, StubModelServer, last_message
from promptuary.core import outbox
from promptuary.core.errors import Conflict, InvalidRequest, Unavailable
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.costs.accounting import RunAccounting
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs import store
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.tracking.topic import TRACKING_TOPIC
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

pytestmark = pytest.mark.process

Make = Callable[..., Any]
MODEL = "openai:stub"
PRICE = 1000.0  # for a million tokens of either kind; so a call with three words and a reply of three words costs 0.006
PRICES = {MODEL: {"input": PRICE, "output": PRICE}}
JUDGED = [{"type": "llm-rubric", "value": "is polite", "model": MODEL, "name": "exact"}]
RUN_IT = """
import sys
from datetime import datetime
from promptuary.core.database import Database
from promptuary.core.settings import read_settings
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.models.chat_models import ChatModels

class Plain:
    def render(self, project, prepared, values):
        return prepared.render(values)

url, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
settings = read_settings(database_url=url)
execution = RunExecutor(Database(url), lambda: now, settings, Plain(), ChatModels(settings), lambda texts: [])
execution.execute(execution.lease("killed"))
"""


@pytest.fixture
def create_paid_suite(create_words_suite: Make, author: Callable[[], AbstractContextManager[Any]]) -> Callable[..., None]:
    """Create the words suite for a model that costs money; its replies have 16 tokens at most."""

    def create(number: int = 60, **changes: Any) -> None:
        texts = [f"case number {place}" for place in range(number)]
        create_words_suite(*texts, **({"models": [MODEL], "prices": PRICES, "concurrency": 4} | changes))
        with author() as unit:
            model = {"name": MODEL, "max_tokens": 16}
            content = Content.model_validate({"type": "text", "template": "{{text}}", "model": model})
            Registry(unit).register("word", content, labels=("production",))

    return create


def execute_next(executor: RunExecutor) -> Run:
    run = executor.lease("w1")
    assert run is not None
    return executor.execute(run)


def get_run(author: Any, run_id: str) -> Run:
    with author() as unit:
        return RunService(unit).get(run_id)


@pytest.mark.usefixtures("database")
def test_a_run_stops_at_its_cost_limit_and_resumes_under_a_higher_one(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer
) -> None:
    create_paid_suite(60)
    run_id = submit_run(max_cost=0.3).id

    stopped = execute_next(executor)

    assert (stopped.state, stopped.verdict) == (RunState.STOPPED, "infrastructure")
    assert 0 < stopped.done < 60
    assert stub_model.billed(PRICE, PRICE) == pytest.approx(stopped.spent)
    assert stopped.spent <= 0.3
    assert stopped.reserved == 0
    assert (stopped.error or "").startswith(f"the cost limit of $0.30 was reached with {60 - stopped.done} of 60 results")
    summary = stopped.summary or {}
    assert (summary.missing, summary.results) == (60 - stopped.done, stopped.done)
    assert summary.variants[0].unrunnable == 60 - stopped.done
    with author() as unit:
        assert outbox.count_pending(unit.session, TRACKING_TOPIC) == 0
        for too_low in (None, stopped.spent, 0.01):
            with pytest.raises(InvalidRequest):
                RunService(unit).resume(run_id, too_low)
        resumed = RunService(unit).resume(run_id, 5.0)
    assert (resumed.state, resumed.verdict, resumed.summary, resumed.finished_at) == (RunState.QUEUED, None, None, None)

    finished = execute_next(executor)

    assert (finished.state, finished.done, finished.error) == (RunState.FINISHED, 60, None)
    assert finished.spent == pytest.approx(stub_model.billed(PRICE, PRICE))
    assert stub_model.requests == 60
    with author() as unit:
        costs = [result.cost for result in store.list_results(unit.session, run_id)]
        assert sum(cost or 0 for cost in costs) == pytest.approx(finished.spent)
        with pytest.raises(Conflict):
            RunService(unit).resume(run_id, 9.0)


@pytest.mark.parametrize("limit", [0.05, 0.2, 0.4, 0.9])
def test_the_bill_stays_under_the_limit_whatever_fails(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, stub_model: StubModelServer, limit: float
) -> None:
    field_errors = [Reaction(status=500), Reaction(drop=True), Reaction(body=b"{"), Reaction(status=429), Reaction(hang=True)]
    stub_model.react = lambda number, body: field_errors[number // 3 % 5] if number % 3 == 2 else None
    create_paid_suite(30, concurrency=8, max_cost=limit)
    submit_run()
    slow = executor.settings.model_copy(update={"case_timeout": 1.5})

    run = execute_next(replace(executor, settings=slow))

    assert run.state in (RunState.STOPPED, RunState.FINISHED)
    assert stub_model.billed(PRICE, PRICE) <= run.spent + 1e-9
    assert run.spent <= limit + 1e-9
    assert run.reserved == 0


def test_judges_share_the_budget_and_outputs_without_a_judge_are_no_result(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer
) -> None:
    grade = '{"reason":"fine","pass":true,"score":1}'
    stub_model.answer = lambda body: grade if "response_format" in body else last_message(body)
    create_paid_suite(40, scorers=JUDGED)
    run_id = submit_run(max_cost=4.0).id

    stopped = execute_next(executor)

    assert stopped.state is RunState.STOPPED
    assert stub_model.billed(PRICE, PRICE) <= stopped.spent + 1e-9 <= 4.0 + 2e-9
    with author() as unit:
        results = store.list_results(unit.session, run_id)
        assert results
        assert all(result.passed is True and result.error is None for result in results)
        RunService(unit).resume(run_id, 100.0)
    requests = stub_model.requests
    finished = execute_next(executor)
    assert (finished.state, finished.done) == (RunState.FINISHED, 40)
    # Outputs without a judgement came from the response cache: no call was made twice.
    assert stub_model.requests == 80
    assert requests < 80


@pytest.mark.parametrize(
    "cases", [[], [Case("c1", {"text": "a"}, asserts=({"type": "llm-rubric", "value": "x", "model": "openai:no-9"},))]]
)
def test_a_model_without_a_known_price_is_refused_at_submission(
    create_paid_suite: Make, submit_run: Make, author: Any, cases: list[Case]
) -> None:
    create_paid_suite(2, prices={} if not cases else PRICES)
    if cases:
        with author() as unit:
            DatasetService(unit).put_version("words", cases)
    with pytest.raises(InvalidRequest) as refused:
        submit_run(max_cost=1.0)
    (field_error,) = refused.value.field_errors
    assert field_error.path == "max_cost"
    assert "prices:" in field_error.message
    assert ("openai:no-9" if cases else MODEL) in field_error.message
    submit_run()


def test_models_that_are_free_need_no_price(create_words_suite: Make, submit_run: Make, executor: RunExecutor) -> None:
    create_words_suite("yes")
    submit_run(max_cost=0.01)
    assert execute_next(executor).state is RunState.FINISHED


def test_what_a_killed_process_had_reserved_counts_as_spent(
    create_paid_suite: Make,
    submit_run: Make,
    executor: RunExecutor,
    author: Any,
    clock: Any,
    stub_model: StubModelServer,
    settings: Any,
) -> None:
    limit = 2.0
    stub_model.latency = 0.02
    create_paid_suite(400, concurrency=4)
    run_id = submit_run(max_cost=limit).id
    url = settings.database_url.get_secret_value()

    for kill in range(2):
        before = stub_model.requests
        process = subprocess.Popen([sys.executable, "-c", RUN_IT, url, clock().isoformat()], env=os.environ)
        deadline = time.monotonic() + 120
        while stub_model.requests < before + 5 + 3 * kill and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        current = get_run(author, run_id)
        assert stub_model.billed(PRICE, PRICE) <= current.spent + current.reserved + 1e-9
        assert current.spent + current.reserved <= limit + 1e-9
        clock.move(seconds=120)

    stopped = execute_next(executor)

    assert stopped.state is RunState.STOPPED
    assert stub_model.billed(PRICE, PRICE) <= stopped.spent + 1e-9
    assert stopped.spent <= limit + 1e-9
    with author() as unit:
        RunService(unit).resume(run_id, 20.0)
    finished = execute_next(executor)
    assert (finished.state, finished.done) == (RunState.FINISHED, 400)
    assert stub_model.billed(PRICE, PRICE) <= finished.spent + 1e-9 <= 20.0
    with author() as unit:
        assert set(store.completed_ordinals(unit.session, run_id)) == set(range(400))


def test_a_limit_is_raised_only_while_no_worker_has_the_run(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, clock: Any
) -> None:
    create_paid_suite(2)
    run_id = submit_run(max_cost=1.0).id
    with author() as unit:
        assert RunService(unit).resume(run_id, 2.0).plan.max_cost == 2.0
    assert executor.lease("w1") is not None
    with author() as unit, pytest.raises(Conflict, match="is being executed by w1"):
        RunService(unit).resume(run_id, 3.0)
    clock.move(seconds=120)
    with author() as unit:
        assert RunService(unit).resume(run_id, 3.0).state is RunState.QUEUED


@pytest.mark.usefixtures("database")
def test_a_second_run_pays_for_no_call_of_the_first(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer, clock: Any
) -> None:
    create_paid_suite(25, repeats=2)
    submit_run()
    first = execute_next(executor)
    submit_run()
    second = execute_next(executor)
    assert stub_model.requests == 50
    assert (first.spent > 0, second.spent) == (True, 0.0)
    with author() as unit:
        first_results, second_results = (store.list_results(unit.session, run.id) for run in (first, second))
    assert [result.output for result in first_results] == [result.output for result in second_results]
    assert {result.cached for result in second_results} == {True}
    assert [result.cost for result in first_results] == [result.cost for result in second_results]
    assert [result.latency_ms for result in first_results] == [result.latency_ms for result in second_results]

    submit_run(cache=False)
    execute_next(executor)
    assert stub_model.requests == 100
    clock.move(days=31)  # longer than responses are cached
    submit_run()
    execute_next(executor)
    assert stub_model.requests == 150


def test_no_response_to_a_sensitive_case_is_cached(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer
) -> None:
    create_paid_suite(3, scorers=JUDGED)
    stub_model.answer = lambda body: '{"reason":"fine","pass":true,"score":1}'
    with author() as unit:
        variables = {"text": {"type": "string", "sensitive": True}}
        content = Content.model_validate({"type": "text", "template": "Say {{text}}", "variables": variables})
        Registry(unit).register("word", content, labels=("production",))
    for _ in range(2):
        submit_run()
        assert execute_next(executor).state is RunState.FINISHED
    assert stub_model.requests == 12


def test_an_interrupted_run_settles_its_calls_before_its_release(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer
) -> None:
    create_paid_suite(300, concurrency=4)
    stub_model.latency = 0.01
    run_id = submit_run(max_cost=50.0).id
    stop = threading.Event()
    leased = executor.lease("w1")
    assert leased is not None
    executor.execute(leased, lambda progress: stop.set() if progress.done else None, stop)
    released = get_run(author, run_id)
    assert (released.state, released.reserved) == (RunState.QUEUED, 0.0)
    assert stub_model.billed(PRICE, PRICE) <= released.spent + 1e-9
    assert released.spent < 10


def test_reservations_count_as_spent_if_they_cannot_be_settled(
    create_paid_suite: Make,
    submit_run: Make,
    executor: RunExecutor,
    author: Any,
    stub_model: StubModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_paid_suite(3)
    run_id = submit_run(max_cost=5.0).id

    def unavailable(*_: Any) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(RunAccounting, "_close", unavailable)
        finished = execute_next(executor)

    assert finished.state is RunState.FINISHED
    assert 0.018 < finished.spent <= 5.0  # more than the calls cost
    assert stub_model.requests == 3
    assert finished.reserved == 0
    assert get_run(author, run_id).spent == finished.spent


def test_a_group_whose_comparison_cannot_be_paid_is_done_again(
    create_paid_suite: Make, submit_run: Make, executor: RunExecutor, author: Any, stub_model: StubModelServer
) -> None:
    choice = '{"reason":"fine","choice":1,"winner":"A","best":0}'
    stub_model.answer = lambda body: choice if "response_format" in body else last_message(body)
    best = [{"type": "select-best", "value": "is the shortest", "model": MODEL, "name": "exact"}]
    create_paid_suite(60, scorers=best)  # 6.7 dollars in all
    with author() as unit:
        model = {"name": MODEL, "max_tokens": 16}
        content = Content.model_validate({"type": "text", "template": "Say {{text}}", "model": model})
        Registry(unit).register("word", content, labels=("staging",))
    run_id = submit_run(max_cost=5.0, baseline=1).id

    stopped = execute_next(executor)

    assert stopped.state is RunState.STOPPED
    assert stub_model.billed(PRICE, PRICE) <= stopped.spent + 1e-9 <= 5.0 + 2e-9
    assert stopped.done % 2 == 0
    with author() as unit:
        RunService(unit).resume(run_id, 1000.0)
    finished = execute_next(executor)
    assert (finished.state, finished.done) == (RunState.FINISHED, 120)
