"""The runner with a model for each test: an error in an item is the result of that item."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage

from doubles.fake_model import FakeModel, Respond, echo_with_usage
from doubles.renderers import PlainRenderer
from doubles.virtual_time import run_in_virtual_time
from promptuary.core.errors import NotFound, Unavailable
from promptuary.evaluation.execution.runner import Runner
from promptuary.evaluation.execution.work import work_items
from promptuary.evaluation.plan import CaseResult
from promptuary.evaluation.scorers.per_case import CaseScorers
from promptuary.evaluation.scorers.score import Score, ScorerInput
from promptuary.evaluation.targets.prompt_target import PromptTarget
from promptuary.models.calls import MAX_ATTEMPTS, ModelClient, is_transient
from promptuary.prompt.content import Content
from promptuary.prompt.errors import Invalid
from promptuary.prompt.templates.preparation import prepare
from promptuary.prompt.templates.prepared import PreparedPrompt, RenderedPrompt

Make = Callable[..., Any]


@dataclass(frozen=True)
class Contains:
    """A scorer that passes an output with a word in it."""

    word: str
    weight: float = 1.0

    @property
    def name(self) -> str:
        return self.word

    async def score(self, sample: ScorerInput) -> Score:
        if self.word == "crash":
            raise ZeroDivisionError("by zero")
        if self.word == "hang":
            await asyncio.Event().wait()
        return Score.binary(self.name, self.word in sample.output, f"looked for {self.word}")


@pytest.fixture
def run_items(plan_of: Make, cases_of: Make, clock: Any) -> Make:
    """Run texts through a model and scorers, and return the results in order."""

    def run(
        *texts: str,
        respond: Respond = echo_with_usage,
        scorers: tuple[Contains, ...] = (Contains("yes"),),
        content: Content | None = None,
        **more: Any,
    ) -> list[CaseResult]:
        waits: list[float] = []

        async def pause(seconds: float) -> None:
            waits.append(seconds)

        client = ModelClient(more.pop("model", None) or FakeModel(respond), pause, jitter=lambda: 0.5)
        prepared = {"v2": prepare(content or Content(type="text", template="{{text}}"))}
        runner = Runner(
            target=PromptTarget(1, more.pop("renderer", PlainRenderer()), client, prepared),
            scorers=CaseScorers(scorers),
            concurrency=3,
            timeout=more.pop("timeout", 30.0),
            clock=clock,
        )
        plan, cases = plan_of(len(texts), **more), cases_of(*texts)

        async def gather() -> list[CaseResult]:
            return [result async for batch in runner.run(work_items(plan, cases)) for result in batch]

        results = sorted(run_in_virtual_time(gather()), key=lambda result: result.ordinal)
        assert waits in ([], [0.5], [0.5, 1.0])
        return results

    return run


def test_an_output_is_stripped_timed_and_scored(run_items: Make) -> None:
    (result,) = run_items("oh yes")

    assert (result.output, result.passed, result.score, result.metrics, result.error) == (
        "oh yes",
        True,
        1.0,
        {"yes": 1.0},
        None,
    )
    assert result.latency_ms is not None
    assert (result.tokens_input, result.tokens_output) == (3, 1)
    assert result.detail["messages"] == [{"role": "user", "content": "oh yes"}]
    assert result.detail["scores"] == {"yes": {"passed": True, "score": 1.0, "reason": "looked for yes", "error": None}}


def test_every_item_has_one_result(run_items: Make) -> None:
    results = run_items(*["yes"] * 70, repeats=2)

    assert [result.ordinal for result in results] == list(range(140))


def test_variables_that_the_prompt_does_not_have_are_ignored(run_items: Make) -> None:
    (result,) = run_items("unused", content=Content(type="text", template="yes"))

    assert result.output == "yes"


def test_the_score_is_the_weighted_mean_and_all_with_a_weight_must_pass(run_items: Make) -> None:
    (result,) = run_items("yes", scorers=(Contains("yes", 3.0), Contains("no"), Contains("maybe", 0.0)))

    assert (result.passed, result.score) == (False, 0.75)
    assert result.metrics == {"yes": 1.0, "no": 0.0, "maybe": 0.0}


def test_a_scorer_of_no_weight_fails_nothing(run_items: Make) -> None:
    (ignored,) = run_items("yes", scorers=(Contains("yes"), Contains("crash", 0.0)))
    (nothing,) = run_items("yes", scorers=(Contains("no", 0.0),))

    assert (ignored.passed, ignored.score, ignored.metrics["crash"]) == (True, 1.0, None)
    assert (nothing.passed, nothing.score) == (True, 0.0)


def test_a_scorer_that_crashes_leaves_the_verdict_open(run_items: Make) -> None:
    (result,) = run_items("yes", scorers=(Contains("yes"), Contains("crash")))

    assert (result.output, result.passed, result.score, result.error) == ("yes", None, None, None)
    assert result.metrics == {"yes": 1.0, "crash": None}
    assert result.detail["scores"]["crash"]["error"] == "ZeroDivisionError: by zero"
    assert result.unrunnable


def test_a_scorer_that_hangs_has_a_timeout(run_items: Make) -> None:
    (result,) = run_items("yes", scorers=(Contains("hang"),), timeout=20.0)

    assert result.detail["scores"]["hang"]["error"] == "no score within 20 seconds"


def test_a_model_that_hangs_is_an_error_and_no_zero(run_items: Make) -> None:
    async def hang(_: Any) -> AIMessage:
        await asyncio.Event().wait()
        raise AssertionError

    (result,) = run_items("yes", respond=hang, timeout=20.0)

    assert (result.output, result.passed, result.score, result.metrics) == (None, None, None, {"yes": None})
    assert result.error == "no response within 20 seconds"


def test_values_that_do_not_fit_are_one_items_error(run_items: Make) -> None:
    content = Content.model_validate(
        {"type": "text", "template": "{{text}}", "variables": {"text": {"type": "string", "maxLength": 3}}}
    )

    good, bad = run_items("yes", "yes, far too long", content=content)

    assert good.passed
    assert "text" in (bad.error or "")
    assert bad.passed is None


def test_a_lost_connection_is_retried(run_items: Make) -> None:
    calls: list[int] = []

    async def flaky(messages: list[dict[str, str]]) -> AIMessage:
        calls.append(1)
        if len(calls) < MAX_ATTEMPTS:
            raise httpx.ConnectError("gone")
        return await echo_with_usage(messages)

    (result,) = run_items("yes", respond=flaky)

    assert (len(calls), result.passed) == (MAX_ATTEMPTS, True)


def test_retries_end(run_items: Make) -> None:
    calls: list[int] = []

    async def down(_: Any) -> AIMessage:
        calls.append(1)
        raise ConnectionResetError("gone")

    (result,) = run_items("yes", respond=down)

    assert (len(calls), result.error) == (MAX_ATTEMPTS, "ConnectionResetError: gone")


def test_a_permanent_error_is_not_retried(run_items: Make) -> None:
    calls: list[int] = []

    async def wrong(_: Any) -> AIMessage:
        calls.append(1)
        raise ValueError("no such model")

    (result,) = run_items("yes", respond=wrong)

    assert (len(calls), result.error) == (1, "ValueError: no such model")


def test_the_products_own_errors_are_not_changed(run_items: Make) -> None:
    class Gone:
        def render(self, project: int, prepared: PreparedPrompt, values: Mapping[str, Any]) -> RenderedPrompt:
            raise NotFound("there is no collection 'tickets'")

    (result,) = run_items("yes", renderer=Gone())

    assert result.error == "there is no collection 'tickets'"


@pytest.mark.parametrize(("status", "again"), [(400, False), (401, False), (408, True), (429, True), (500, True), (503, True)])
def test_a_status_decides_about_a_retry(status: int, again: bool) -> None:
    class Refused(Exception):
        status_code = status

    assert is_transient(Refused()) is again


def test_an_error_is_transient_by_what_it_was_raised_from() -> None:
    error = RuntimeError("a provider's own")
    assert not is_transient(error)
    error.__cause__ = httpx.ReadTimeout("slow")
    assert is_transient(error)
    assert is_transient(Unavailable("the embedder does not answer"))


def test_the_prompts_model_settings_tools_and_format_reach_the_model(run_items: Make) -> None:
    content = Content.model_validate(
        {
            "type": "text",
            "template": "yes",
            "model": {"name": "another:model", "temperature": 0.0, "max_tokens": 16},
            "tools": [{"type": "function"}],
            "response_format": {"type": "json_object"},
        }
    )
    model = FakeModel()

    run_items("unused", "unused", content=content, model=model)

    assert model.configs == [{"temperature": 0.0, "max_tokens": 16}]
    assert model.bound == {"tools": [{"type": "function"}], "response_format": {"type": "json_object"}}


@dataclass(frozen=True)
class RepeatsOutput(Contains):
    """A scorer that fails with the output in its words."""

    async def score(self, sample: ScorerInput) -> Score:
        raise (Invalid if self.word == "ours" else ValueError)(f"cannot read {sample.output}")


@pytest.mark.parametrize("sensitive", [True, False])
def test_error_texts_that_may_repeat_a_sensitive_value_are_left_out(run_items: Make, sensitive: bool) -> None:
    class Refused(Exception):
        status_code = 400

    async def refuse(messages: list[dict[str, str]]) -> AIMessage:
        raise Refused(f"bad request: {messages}")

    variables = {"text": {"type": "string", "sensitive": sensitive}}
    content = Content.model_validate({"type": "text", "template": "Say {{text}}", "variables": variables})
    (unanswered,) = run_items("hunter2", respond=refuse, content=content)
    (unscored,) = run_items("hunter2", scorers=(RepeatsOutput("ours"), RepeatsOutput("theirs")), content=content)
    errors = [unanswered.error, *(score["error"] for score in unscored.detail["scores"].values())]
    assert len(errors) == 3
    if sensitive:
        left_out = "(its message is left out: the prompt has a sensitive variable)"
        assert errors == [f"{kind} {left_out}" for kind in ("Refused 400", "Invalid", "ValueError")]
    else:
        assert all("hunter2" in str(words) for words in errors)


def test_an_error_about_a_sensitive_value_does_not_repeat_it(run_items: Make) -> None:
    variables = {"text": {"type": "string", "maxLength": 3, "sensitive": True}}
    content = Content.model_validate({"type": "text", "template": "{{text}}", "variables": variables})
    (result,) = run_items("hunter2", content=content)
    assert result.error == "the variables do not fit the prompt: text: must have at most 3 characters"


def test_tool_calls_are_the_output_of_a_reply_without_text(run_items: Make) -> None:
    async def call(_: Any) -> AIMessage:
        return AIMessage(content="", tool_calls=[{"name": "look_up", "args": {"id": 3}, "id": "t1"}])

    (result,) = run_items("yes", respond=call)

    (called,) = json.loads(result.output or "")
    assert called == {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 3}'}}
    assert "answer" not in result.detail


def test_characters_that_no_database_stores_are_replaced(run_items: Make) -> None:
    async def odd(_: Any) -> AIMessage:
        return AIMessage(content="yes\x00 \ud800")

    (result,) = run_items("yes", respond=odd)

    assert result.output == "yes\ufffd \ufffd"


def test_closing_the_iterator_cancels_the_calls_in_flight(plan_of: Make, cases_of: Make, clock: Any) -> None:
    stopped: list[int] = []

    async def hang(_: Any) -> AIMessage:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(1)
        raise AssertionError

    content = prepare(Content(type="text", template="yes"))
    target = PromptTarget(1, PlainRenderer(), ModelClient(FakeModel(hang)), {"v2": content})
    runner = Runner(target, CaseScorers(), 2, 30.0, clock)

    async def first() -> list[CaseResult]:
        batches = runner.run(work_items(plan_of(5), cases_of(*"abcde")))
        batch = await anext(batches)
        await batches.aclose()
        return batch

    assert run_in_virtual_time(first()) == []
    assert stopped == [1, 1]
