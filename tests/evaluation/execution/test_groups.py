import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from doubles.virtual_time import run_in_virtual_time
from promptuary.core.errors import InvalidRequest
from promptuary.evaluation.case import Case
from promptuary.evaluation.execution.executor import RunExecutor
from promptuary.evaluation.execution.groups import GroupedRunner
from promptuary.evaluation.execution.work import WorkItem, work_items
from promptuary.evaluation.plan import CaseResult, Plan, Variant
from promptuary.evaluation.runs import store
from promptuary.evaluation.scorers.dependencies import ScorerDependencies
from promptuary.evaluation.targets.target import TargetReply, TargetTrace
from promptuary.models.calls import ModelReply
from promptuary.models.echo_chat import EchoChatModel

BEST = {"type": "select-best", "value": "is the longest", "model": "openai:judge", "name": "best"}
EXACT = {"type": "equals", "value": "{{expected}}", "name": "exact"}


async def longest(model: str, messages: Any, *, schema: Any = None, repeat: int = 0) -> ModelReply:
    lines = messages[1]["content"].split("\n")
    first, second = lines[lines.index("<first>") + 1], lines[lines.index("<second>") + 1]
    return ModelReply("", parsed={"reason": "so", "better": "first" if len(first) > len(second) else "second"})


class InsensitiveTarget:
    """A target that answers nothing and knows no sensitive variable."""

    async def answer(self, case: Case, variant: Variant, repeat: int, trace: TargetTrace) -> TargetReply:
        raise AssertionError

    def is_sensitive(self, case: Case, variant: str) -> bool:
        return False


@pytest.fixture
def groups_of(suite_of: Any, plan_of: Any) -> Callable[..., GroupedRunner]:
    """Make the groups of two variants, `v2` and `v1`, over so many cases."""

    def make(cases: int, *, ask: Any = longest, timeout: float = 60, repeats: int = 1, **suite: Any) -> GroupedRunner:
        plan: Plan = plan_of(cases, baseline="production", repeats=repeats)
        group_suite = suite_of(**{"scorers": [EXACT, BEST], **suite})
        return GroupedRunner(group_suite, plan, ScorerDependencies(embed=list, ask=ask), InsensitiveTarget(), timeout)

    return make


def cases(number: int, **more: Any) -> list[Case]:
    return [Case(f"c{place}", {"text": "x"}, "yes", **more) for place in range(number)]


def result(item: WorkItem, output: str | None, score: float | None = 1.0, **more: Any) -> CaseResult:
    passed = None if score is None else score == 1
    detail = {"scores": {"exact": {"passed": passed}, "best": {"error": "not compared"}}}
    values = {
        "metrics": {"exact": score, "best": None},
        "error": None if output is not None else "down",
        "detail": detail,
        **more,
    }
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return CaseResult(
        item.ordinal, item.case.id, item.variant.name, item.repeat, output, passed=passed, score=score, at=at, **values
    )


def runs(*batches: Callable[[list[WorkItem]], list[CaseResult]]) -> Any:
    """Build what runs items: it receives them all, and yields batches of their results."""

    async def run(items: Iterable[WorkItem]) -> AsyncGenerator[list[CaseResult], None]:
        received = list(items)
        for batch in batches:
            yield batch(received)

    return run


def run_groups(groups: GroupedRunner, run: Any, group_cases: list[Case]) -> list[list[CaseResult]]:
    async def collect() -> list[list[CaseResult]]:
        return [batch async for batch in groups.run(run, work_items(groups.plan, group_cases)) if batch]

    return run_in_virtual_time(collect())


def by_length(item: WorkItem) -> CaseResult:
    return result(item, "long" if item.variant.name == "v2" else "x")


def test_a_complete_group_is_compared_and_leaves_in_one_batch(groups_of: Any) -> None:
    first = [lambda items: [by_length(items[0])], lambda items: [by_length(items[2])]]
    last = [lambda items: [by_length(items[3]), by_length(items[1])]]
    batches = run_groups(groups_of(2), runs(*first, *last), cases(2))
    groups = [[(result.case, result.variant) for result in batch] for batch in batches]
    assert sorted(pair for batch in groups for pair in batch) == [("c0", "v1"), ("c0", "v2"), ("c1", "v1"), ("c1", "v2")]
    assert all(len({result for result in batch if result[0] == case}) in (0, 2) for batch in groups for case in ("c0", "c1"))
    results_by_key = {(result.case, result.variant): result for batch in batches for result in batch}
    assert results_by_key["c0", "v2"].metrics == {"exact": 1.0, "best": 1.0}
    assert (results_by_key["c0", "v2"].passed, results_by_key["c0", "v2"].score) == (True, 1.0)
    assert results_by_key["c0", "v1"].metrics == {"exact": 1.0, "best": 0.0}
    assert (results_by_key["c0", "v1"].passed, results_by_key["c0", "v1"].score) == (False, 0.5)
    assert results_by_key["c0", "v1"].detail["scores"]["best"]["reason"] == "not the best: 0 won, 1 lost, 0 tied"


def test_an_incomplete_group_is_not_yielded(groups_of: Any) -> None:
    batches = run_groups(groups_of(2), runs(lambda items: [by_length(result) for result in items[:3]]), cases(2))
    assert [[result.case for result in batch] for batch in batches] == [["c0", "c0"]]


def test_each_repeat_is_a_group_of_its_own(groups_of: Any) -> None:
    batches = run_groups(groups_of(1, repeats=2), runs(lambda items: list(map(by_length, items))), cases(1))
    results_by_key = {(result.variant, result.repeat): result.metrics["best"] for batch in batches for result in batch}
    assert results_by_key == {("v2", 0): 1.0, ("v2", 1): 1.0, ("v1", 0): 0.0, ("v1", 1): 0.0}


def test_results_that_nothing_compares_pass_through(groups_of: Any) -> None:
    batches = run_groups(groups_of(1, scorers=[EXACT]), runs(lambda items: [by_length(items[0])]), cases(1))
    assert [result.variant for result in batches[0]] == ["v2"]


def test_a_missing_output_is_not_compared_and_the_other_has_no_score(groups_of: Any) -> None:
    def batch(items: list[WorkItem]) -> list[CaseResult]:
        return [result(items[0], "long"), result(items[1], None, None)]

    answered, failed = run_groups(groups_of(1), runs(batch), cases(1))[0]
    assert (answered.metrics["best"], answered.passed, answered.score) == (None, None, None)
    assert "no other output" in answered.detail["scores"]["best"]["error"]
    assert (failed.metrics["best"], failed.passed, failed.error) == (None, None, "down")


@pytest.mark.parametrize(
    ("weights", "threshold", "of_case", "passed", "score"),
    [
        ((1, 1), None, None, False, 0.5),
        ((3, 1), None, None, False, 0.75),
        ((3, 1), 0.75, None, True, 0.75),
        ((3, 1), 0.75, 0.8, False, 0.75),
        ((1, 0), None, None, True, 1.0),
        ((0, 1), None, None, False, 0.0),
    ],
)
def test_the_comparison_counts_by_its_weight_like_every_score(
    weights: Any, threshold: Any, of_case: Any, passed: bool, score: float, groups_of: Any
) -> None:
    scorers = [{**EXACT, "weight": weights[0]}, {**BEST, "weight": weights[1]}]
    groups = groups_of(1, scorers=scorers, threshold=threshold)
    batches = run_groups(groups, runs(lambda items: list(map(by_length, items))), cases(1, threshold=of_case))
    loser = next(result for result in batches[0] if result.variant == "v1")
    assert (loser.passed, loser.score) == (passed, score)


def test_a_case_may_have_its_own_comparison(groups_of: Any) -> None:
    own = ({name: value for name, value in BEST.items() if name != "name"},)
    groups = groups_of(1, scorers=[EXACT])
    batches = run_groups(groups, runs(lambda items: list(map(by_length, items))), cases(1, asserts=own))
    loser = next(result for result in batches[0] if result.variant == "v1")
    assert (loser.passed, loser.score) == (False, 0.5)
    assert "select-best" not in loser.metrics
    assert loser.detail["scores"]["select-best"]["passed"] is False


def test_a_failing_or_slow_judge_leaves_the_group_without_a_verdict(groups_of: Any) -> None:
    async def unclear(*_: Any, **__: Any) -> ModelReply:
        return ModelReply("?")

    async def never(*_: Any, **__: Any) -> ModelReply:
        await asyncio.Event().wait()
        raise AssertionError

    for ask, words in ((unclear, "no answer that can be read"), (never, "no comparison within")):
        batches = run_groups(
            groups_of(1, ask=ask, timeout=20 if ask is never else 60),
            runs(lambda items: list(map(by_length, items))),
            cases(1),
        )
        for result in batches[0]:
            assert (result.passed, result.score, result.metrics["best"]) == (None, None, None)
            assert words in result.detail["scores"]["best"]["error"]


def test_closing_cancels_comparisons_in_flight(groups_of: Any) -> None:
    stopped = []

    async def waiting(*_: Any, **__: Any) -> ModelReply:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)
        raise AssertionError

    groups = groups_of(1, ask=waiting)

    async def closed() -> None:
        batches = groups.run(runs(lambda items: list(map(by_length, items)), lambda _: []), work_items(groups.plan, cases(1)))
        assert [await anext(batches), await anext(batches)] == [[], []]
        await batches.aclose()

    run_in_virtual_time(closed())
    assert stopped == [True]


class JudgingModels:
    """The echoing model, and a judge behind the real client, which prefers the longer output."""

    def chat(self, name: str, config: Any) -> Any:
        if name == "echo:":
            return EchoChatModel()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        key = SecretStr("k")
        return ChatOpenAI(model=name, base_url="http://judge.invalid/v1", api_key=key, max_retries=0, http_async_client=client)

    def answer(self, request: httpx.Request) -> httpx.Response:
        lines = json.loads(request.content)["messages"][1]["content"].split("\n")
        first, second = lines[lines.index("<first>") + 1], lines[lines.index("<second>") + 1]
        content = json.dumps({"reason": "so", "better": "first" if len(first) > len(second) else "second"})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        return httpx.Response(
            200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        )


def test_a_run_compares_two_versions_and_is_interrupted_between_groups(
    create_words_suite: Any, submit_run: Any, executor: RunExecutor, sqlite: Any
) -> None:
    create_words_suite("yes", "no", "perhaps", versions=("{{text}}", "{{text}} indeed"), scorers=[EXACT, BEST])
    submit_run(versions=[1, 2])
    judging_executor = RunExecutor(
        executor.database, executor.clock, executor.settings, executor.renderer, JudgingModels(), executor.embed
    )
    stop = threading.Event()
    for on_progress in (lambda progress: stop.set() if progress.done else None, None):
        leased = judging_executor.lease("w")
        assert leased is not None
        assert judging_executor.execute(leased, on_progress, stop if on_progress else None).error is None
        with sqlite.read() as session:
            results = store.list_results(session, leased.id)
        assert {sum(result.case == case for result in results) for case in ("c1", "c2", "c3")} <= {0, 2}
        if len(results) == 6:
            break
    assert [(result.case, result.variant, result.metrics["best"]) for result in results] == [
        (f"c{case}", f"v{version}", float(version == 2)) for case in (1, 2, 3) for version in (1, 2)
    ]


def test_a_comparison_in_a_run_of_one_variant_is_refused(create_words_suite: Any, submit_run: Any) -> None:
    create_words_suite(scorers=[EXACT, BEST])
    with pytest.raises(InvalidRequest, match="the run has one"):
        submit_run()
