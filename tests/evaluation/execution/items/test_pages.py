"""The pages of a run's items: what is cached for them is read before they run, and no item starts after a stop."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from doubles.fake_model import FakeModel, echo_with_usage
from doubles.renderers import PlainRenderer
from doubles.virtual_time import run_in_virtual_time
from promptuary.evaluation.execution.items.pages import CacheLookUp, ItemPages
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import WorkItem, work_items
from promptuary.evaluation.plan import CaseResult, Plan
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.models.calls import ModelClient
from promptuary.models.calls.response_cache import ModelResponseCache
from promptuary.prompt.content import Content
from promptuary.prompt.templates.preparation import prepare

Make = Callable[..., Any]
IN_FLIGHT = 10


class ReadKeys(list[list[str]]):
    """An empty cache that records which keys are read together."""

    def __call__(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        self.append(keys)
        return {}


@pytest.fixture
def asked_plan_of(plan_of: Make) -> Callable[[int], Plan]:
    """Return a builder of plans that ask a model whose replies are cached, as those of the echo are not."""

    def make(cases: int) -> Plan:
        plan: Plan = plan_of(cases)
        return replace(plan, variants=tuple(replace(variant, model="openai:fake") for variant in plan.variants))

    return make


def runner_with(cache: ModelResponseCache, clock: Any) -> Runner:
    """Build a runner of a prompt that looks its items up in a cache."""
    client = ModelClient(FakeModel(echo_with_usage), cache=cache)
    target = PromptTarget(1, PlainRenderer(), client, {"v2": prepare(Content(type="text", template="{{text}}"))})
    return Runner(target, CaseScorers(), IN_FLIGHT, 30.0, clock, look_up=CacheLookUp(target, client))


def results_of(runner: Runner, items: Any, **more: Any) -> list[CaseResult]:
    """Run items, and return their results."""

    async def gather() -> list[CaseResult]:
        return [result async for batch in runner.run(items, **more) for result in batch]

    return run_in_virtual_time(gather())


def test_the_cache_is_read_once_for_a_page_of_items(asked_plan_of: Make, cases_of: Make, clock: Any) -> None:
    reads, texts = ReadKeys(), [f"text {number}" for number in range(5 * IN_FLIGHT)]
    results = results_of(runner_with(ModelResponseCache(reads), clock), work_items(asked_plan_of(len(texts)), cases_of(*texts)))

    assert sorted(str(result.output) for result in results) == sorted(texts)
    assert [len(keys) for keys in reads] == [IN_FLIGHT] * 5


def test_an_item_that_cannot_be_rendered_has_its_own_error(asked_plan_of: Make, cases_of: Make, clock: Any) -> None:
    cases = cases_of("a", "b")
    cases[0].vars.clear()
    results = results_of(runner_with(ModelResponseCache(ReadKeys()), clock), work_items(asked_plan_of(2), cases))

    assert [result.output for result in sorted(results, key=lambda result: result.ordinal)] == [None, "b"]


def test_an_item_whose_question_was_answered_since_is_not_paid_again(asked_plan_of: Make, cases_of: Make, clock: Any) -> None:
    texts = [f"text {number}" for number in range(IN_FLIGHT)]
    runner = runner_with(ModelResponseCache(ReadKeys()), clock)
    results = results_of(runner, work_items(asked_plan_of(2 * IN_FLIGHT), cases_of(*texts, *texts)))

    assert sorted(result.cached for result in results) == [False] * IN_FLIGHT + [True] * IN_FLIGHT


def test_no_item_that_was_looked_up_starts_after_a_stop(asked_plan_of: Make, cases_of: Make, clock: Any) -> None:
    read: list[int] = []

    def counted(items: Any) -> Any:
        for item in items:
            read.append(item.ordinal)
            yield item

    texts = [f"text {number}" for number in range(5 * IN_FLIGHT)]
    items = counted(work_items(asked_plan_of(len(texts)), cases_of(*texts)))
    runner = runner_with(ModelResponseCache(ReadKeys()), clock)

    assert results_of(runner, items, is_stopping=lambda: bool(read)) == []
    assert read


def test_the_next_page_is_looked_up_while_one_runs(asked_plan_of: Make, cases_of: Make) -> None:
    pages: list[list[int]] = []

    async def look_up(items: Any) -> None:
        pages.append([item.ordinal for item in items])

    async def take() -> list[WorkItem | None]:
        source = ItemPages(work_items(asked_plan_of(3), cases_of(*"abc")), look_up, 2)
        items = [await source.take()]
        await asyncio.sleep(0)
        assert pages == [[0, 1], [2]]
        return items + [await source.take() for _ in range(3)]

    items = asyncio.run(take())
    assert [None if item is None else item.ordinal for item in items] == [0, 1, 2, None]
