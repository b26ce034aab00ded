"""Whole runs of conversations: stored, compared, repeated, and resumed after an interruption, on both databases."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import func, select

from doubles.eventually import eventually
from doubles.fake_model import FakeModel, Messages
from factories.conversations import conversation, reply, sent
from promptuary.evaluation.case import Case
from promptuary.evaluation.datasets.service import DatasetService
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.runs.request import RunRequest
from promptuary.evaluation.runs.service import RunService
from promptuary.evaluation.runs.store import Run, RunState
from promptuary.evaluation.suites.service import SuiteService
from promptuary.models.calls.tables import ResponseRow
from promptuary.prompt.content import Content
from promptuary.registry.service import Registry

Make = Callable[..., Any]
Open = Callable[[], AbstractContextManager[Any]]
MODEL = "openai:stub"
EACH = {"type": "contains", "value": "good", "name": "good", "each_turn": True}


def system_prompt(text: str) -> Content:
    return Content.model_validate({"type": "chat", "template": [{"role": "system", "content": text}]})


def talk(name: str, *users: str, **fields: Any) -> Case:
    return conversation(**{"id": name, "turns": [{"user": user} for user in users], **fields})


@pytest.fixture
def create(author: Open, suite_of: Make) -> Callable[..., None]:
    """Create the suite `words` on conversations, with a prompt of some versions, the first in production."""

    def create_suite(*cases: Case, versions: tuple[str, ...] = ("old",), **changes: Any) -> None:
        with author() as unit:
            for number, text in enumerate(versions, 1):
                Registry(unit).register("word", system_prompt(text), labels=("production",) if number == 1 else ())
            DatasetService(unit).put_version("words", cases)
            SuiteService(unit).put(suite_of(**{"models": [MODEL], "scorers": [EACH], **changes}))

    return create_suite


def results_of(author: Open, run: Run) -> list[Any]:
    with author() as unit:
        return [item.result for item in RunService(unit).list_results(run.id, 100, None).items]


def execute(executor: RunExecutor, model: FakeModel, **more: Any) -> Run:
    leased = executor.lease("w1")
    assert leased is not None
    return replace(executor, models=model).execute(leased, **more)  # type: ignore[arg-type]


def answering(answer: Callable[[Messages], str]) -> FakeModel:
    async def respond(messages: Messages) -> Any:
        return reply(answer(messages))

    return FakeModel(respond)


@pytest.mark.usefixtures("database")
def test_a_conversation_is_one_case_of_the_intervals_and_of_the_pairs(
    create: Make, submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create(*(talk(f"c{number}", "a", "b", "c") for number in range(8)), versions=("old", "new"))
    run = submit_run(baseline="production")

    def answer(messages: Messages) -> str:
        return "good" if messages[0]["content"] == "new" or messages[-1]["content"] == "a" else "bad"

    finished = execute(executor, answering(answer))

    assert finished.summary is not None
    candidate, baseline = finished.summary.variants
    assert (finished.total, finished.done) == (16, 16)
    new, old = candidate.metrics["good"].interval, baseline.metrics["good"].interval
    assert new is not None
    assert old is not None
    assert (new.n, new.estimate) == (8, 1.0)
    assert (old.n, old.estimate) == (8, pytest.approx(1 / 3))
    compared = next(each for each in finished.summary.comparisons if each.metric == "good")
    assert compared.interval is not None
    assert (compared.interval.n, compared.better_count, compared.worse_count) == (8, 8, 0)
    stored = results_of(author, run)
    assert [len(result.detail["turns"]) for result in stored] == [3] * 16
    assert {result.tokens_input for result in stored} == {30}


def test_each_repeat_has_a_conversation_and_cached_answers_of_its_own(
    create: Make, submit_run: Callable[..., Run], executor: RunExecutor
) -> None:
    create(talk("c", "a", "b"), repeats=2)
    submit_run()
    model = answering(lambda messages: "good")
    execute(executor, model)
    assert len(model.received) == 4

    submit_run()
    again = execute(executor, model)

    assert len(model.received) == 4
    assert (again.state, again.done) == (RunState.FINISHED, 2)


@pytest.mark.usefixtures("database")
def test_an_interrupted_conversation_is_repeated_with_its_stored_answers(
    create: Make, submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create(talk("c", "a", "b"))
    run = submit_run()
    stop = threading.Event()

    async def respond(messages: Messages) -> Any:
        if messages[-1]["content"] == "b" and not stop.is_set():
            stop.set()
            await asyncio.Event().wait()
        return reply(f"good {messages[-1]['content']}")

    model = FakeModel(respond)
    interrupted = execute(executor, model, stop=stop)
    assert (interrupted.state, interrupted.done) == (RunState.QUEUED, 0)
    assert results_of(author, run) == []

    finished = execute(executor, model)

    assert (finished.state, finished.done) == (RunState.FINISHED, 1)
    assert [messages[-1] for messages in sent(model)] == [("user", "a"), ("user", "b"), ("user", "b")]
    (result,) = results_of(author, run)
    assert [turn["output"] for turn in result.detail["turns"]] == ["good a", "good b"]
    assert [turn["cached"] for turn in result.detail["turns"]] == [True, False]


def test_the_answers_of_a_conversation_in_flight_are_stored_until_the_run_resumes(
    create: Make, submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create(talk("c", "a", "b"))
    submit_run()
    stored: list[bool] = []

    def is_stored() -> bool:
        with author() as unit:
            return unit.session.exec(select(func.count()).select_from(ResponseRow)).one() == 1

    async def respond(messages: Messages) -> Any:
        if messages[-1]["content"] == "b":
            stored.append(await asyncio.to_thread(eventually, is_stored))
        return reply("good")

    execute(executor, FakeModel(respond))

    assert stored == [True]


def test_two_runs_pair_conversations_by_what_is_asked_in_them(
    create: Make, submit_run: Callable[..., Run], executor: RunExecutor, author: Open
) -> None:
    create(talk("1", "a", "b"), talk("2", "c"))
    first = submit_run()
    execute(executor, answering(lambda messages: "good"))
    with author() as unit:
        DatasetService(unit).put_version("words", [talk("1", "a", "other"), talk("x", "c")])
    second = submit_run()
    execute(executor, answering(lambda messages: "bad"))

    with author() as unit:
        comparison = RunService(unit).compare(second.id, first.id)

    assert [(group.reason, group.cases) for group in comparison.unpaired if group.run == second.id] == [("other_variables", 1)]
    (compared,) = [each for each in comparison.comparisons if each.metric == "good"]
    assert compared.interval is not None
    assert compared.interval.n == 1


def test_a_submission_needs_a_price_for_the_judges_of_turns(create: Make, author: Open) -> None:
    judged = {"type": "llm-rubric", "value": "is polite", "model": "openai:unknown-judge"}
    create(
        conversation(id="c", turns=[{"user": "a", "assert": [judged]}]), prices={MODEL: {"input": 1, "output": 1}}, max_cost=1.0
    )

    with author() as unit, pytest.raises(Exception, match="cost of the run cannot be limited"):
        RunService(unit).submit(RunRequest(suite="words"))
